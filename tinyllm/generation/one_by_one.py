"""One token after the other, the most likely or a drawn one, until every sequence has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int
from torch import Tensor

from tinyllm.generation.request import Request
from tinyllm.generation.search import Search

if TYPE_CHECKING:
    from tinyllm.decoder import Decoder


def most_likely(scores: Float[Tensor, "n v"], k: int) -> Int[Tensor, "n k"]:
    """The `k` best of every row, best first: greedy decoding and beam search."""
    return scores.argmax(dim=-1, keepdim=True) if k == 1 else scores.topk(k).indices


def drawn(scores: Float[Tensor, "n v"], k: int) -> Int[Tensor, "n k"]:
    """Sampling without replacement: the same seed draws what transformers draws.

    On a GPU `torch.multinomial` waits to see whether its argument is a distribution; this is what it does then.
    """
    chances = scores.softmax(dim=-1)
    if scores.device.type == "cpu":
        return torch.multinomial(chances, num_samples=k)
    return most_likely(chances / torch.empty_like(chances).exponential_(1), k)


class OneByOne(Search):
    """Every row on its own; ended ones are filled up with the pad token."""

    def __init__(self, model: Decoder, request: Request, key: tuple | None = None) -> None:
        super().__init__(model, request, key)
        self.sequences = request.input_ids.new_empty(len(self.tokens), request.total)
        self.unfinished = torch.ones(len(self.tokens), dtype=torch.bool, device=self.device)

    def begin(self) -> None:
        rows = self.request.rows
        self.sequences[:, : self.n] = rows
        self.tokens.copy_(rows[:, -1])
        self.unfinished.fill_(True)

    def choose(self) -> None:
        request, logits = self.request, self.logits
        scores = request.processors(self.ids(self.sequences, self.tokens, self.n), logits.clone())
        request.record.keep(logits, scores)
        chosen = request.choose(scores, 1)[:, 0]
        chosen = chosen if request.pad is None else torch.where(self.unfinished, chosen, request.pad)
        self.sequences.index_copy_(1, self.column, chosen[:, None])
        self.tokens.copy_(chosen)
        self.column += 1
        ends = request.criteria(self.ids(self.sequences, self.tokens, self.n + 1), request.record.scores)
        self.unfinished &= ~ends
        torch.logical_not(self.unfinished.any(), out=self.over)

    def found(self) -> Int[Tensor, "r total"]:
        """Prompts and their continuations."""
        return self.sequences[:, : self.n].clone()
