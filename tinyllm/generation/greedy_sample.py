"""One token after the other, the most likely or a drawn one, until every sequence has ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from tinyllm.generation.compaction import STEPS_BETWEEN_READS, pays, remaining_rows
from tinyllm.generation.multinomial import multinomial
from tinyllm.generation.request import Request
from tinyllm.generation.session import GenerationSession

if TYPE_CHECKING:
    from tinyllm.decoder import Decoder
    from tinyllm.stages import Stage


def argmax(scores: Float[Tensor, "n v"], k: int) -> Int[Tensor, "n k"]:
    """The `k` best of every row, best first: greedy decoding and beam search."""
    return scores.argmax(dim=-1, keepdim=True) if k == 1 else scores.topk(k).indices


def sample(scores: Float[Tensor, "n v"], k: int) -> Int[Tensor, "n k"]:
    """Sampling without replacement: the same seed draws what transformers draws.

    On a GPU `torch.multinomial` waits to see whether its argument is a distribution; this is what it does then.
    """
    probabilities = scores.softmax(dim=-1)
    if scores.device.type == "cpu":
        return multinomial(probabilities, k)
    return argmax(probabilities / torch.empty_like(probabilities).exponential_(1), k)


@dataclass(frozen=True, eq=False)
class SampleRows:
    """Sampling for some of the `total` rows of a call: `rows` get what they would get in a pass of all rows."""

    rows: Int[Tensor, " n"]
    total: int

    def __call__(self, scores: Float[Tensor, "n v"], k: int) -> Int[Tensor, "n k"]:
        probabilities = scores.softmax(dim=-1)
        noise = probabilities.new_empty(self.total, probabilities.shape[1]).exponential_(1)
        return argmax(probabilities / noise[self.rows], k)


def sample_best_first(scores: Float[Tensor, "n v"], k: int) -> Int[Tensor, "n k"]:
    """The same tokens in the order of their scores."""
    chosen = sample(scores, k)
    return chosen.gather(1, scores.gather(1, chosen).sort(dim=-1, descending=True).indices)


def chosen_logprobs(scores: Float[Tensor, "n v"], chosen: Int[Tensor, " n"]) -> Float[Tensor, " n"]:
    """Log-probabilities of the chosen tokens; of a pad token beyond the vocabulary, those of its last token."""
    index = chosen.clamp(0, scores.shape[1] - 1)[:, None]
    return scores.log_softmax(dim=-1).gather(1, index)[:, 0]


class SampleResult(NamedTuple):
    """Prompts and their continuations, and where requested the log-probability of every new token."""

    sequences: Int[Tensor, "r total"]
    logprobs: Float[Tensor, "r new"] | None


class GreedyOrSampling(GenerationSession):
    """Every row on its own; ended ones are filled up with the pad token."""

    def __init__(
        self, decoder: Decoder, stage: Stage, request: Request, key: tuple | None = None
    ) -> None:
        super().__init__(decoder, stage, request, key)
        self.sequences = request.input_ids.new_empty(len(self.tokens), request.total)
        self.unfinished = torch.ones(len(self.tokens), dtype=torch.bool, device=self.device)
        self.logprobs: Float[Tensor, "r new"] | None = None
        if request.output_logprobs:
            shape = len(self.tokens), self.max_new_tokens
            self.logprobs = torch.zeros(shape, dtype=torch.float32, device=self.device)

    def begin(self) -> None:
        rows = self.request.rows
        self.sequences[:, : self.length] = rows
        self.tokens.copy_(rows[:, -1])
        self.unfinished.fill_(True)
        self.reported = torch.zeros(len(rows), dtype=torch.bool, device="cpu")

    def choose_tokens(self) -> None:
        request = self.request
        logits = self.logits
        scores = request.processors(
            self.visible_ids(self.sequences, self.tokens, self.length), logits.clone()
        )
        request.record.keep(logits, scores)
        chosen = request.select(scores, 1)[:, 0]
        chosen = (
            chosen if request.pad is None else torch.where(self.unfinished, chosen, request.pad)
        )
        self.sequences.index_copy_(1, self.column, chosen[:, None])
        self.tokens.copy_(chosen)
        if self.logprobs is not None:
            self._keep_logprobs(scores, chosen)
        self.column += 1
        ends = request.criteria(
            self.visible_ids(self.sequences, self.tokens, self.length + 1), request.record.scores
        )
        self.unfinished &= ~ends
        torch.logical_not(self.unfinished.any(), out=self.stopped)

    def compact(self) -> None:
        steps = self.length - self.request.input_ids.shape[1]
        on_host = self.device.type == "cpu"
        if not self.request.compacts or (steps % STEPS_BETWEEN_READS and not on_host):
            return
        unfinished = self.unfinished if self.live_rows is None else self.unfinished[self.live_rows]
        alive = int(unfinished.cpu().numpy().sum())  # on a CPU no operation of torch
        if not alive or 2 * alive > len(unfinished):
            return
        rows = remaining_rows(unfinished, self.cache.copies)
        if not pays(
            len(unfinished),
            rows.numel(),
            steps=steps,
            steps_left=self.request.total - self.length,
            captured=bool(self.captures),
        ):
            return
        self.logits = self.logits.clone()  # ordinary memory, in place of a captured step's
        self.step = self.runner.step(self.decoder)  # the old ones hold the memory that is copied
        self.reset_steps()
        self.cache.compact(rows)
        live = rows.flatten()
        self.live_rows = live if self.live_rows is None else self.live_rows[live]

    def _report_tokens(self) -> None:
        super()._report_tokens()
        if self.request.on_answer is None:
            return
        ended = ~self.unfinished.cpu()
        first = self.request.input_ids.shape[1]
        for row in (ended & ~self.reported).nonzero()[:, 0].tolist():
            self.request.on_answer(row, self.sequences[row, first : self.length].cpu())
        self.reported = ended

    def _keep_logprobs(self, scores: Float[Tensor, "r v"], chosen: Int[Tensor, " r"]) -> None:
        logprobs = chosen_logprobs(scores, chosen)
        self.logprobs.index_copy_(1, self.new_column, logprobs[:, None])
        self.new_column += 1

    def result(self) -> SampleResult:
        sequences = self.sequences[:, : self.length].clone()
        if self.logprobs is None:
            return SampleResult(sequences, None)
        new_tokens = self.length - self.request.input_ids.shape[1]
        return SampleResult(sequences, self.logprobs[:, :new_tokens].clone())
