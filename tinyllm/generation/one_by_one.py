"""One token after the other, the most likely or a drawn one, until every sequence has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int
from torch import Tensor

from tinyllm.generation.request import Request, Run
from tinyllm.runtime.finish import Finish

if TYPE_CHECKING:
    from tinyllm.cache import Cache
    from tinyllm.decoder import Decoder


def most_likely(scores: Float[Tensor, "n v"], k: int) -> Int[Tensor, "n k"]:
    """The `k` best of every row, best first: greedy decoding and beam search."""
    return scores.argmax(dim=-1, keepdim=True) if k == 1 else scores.topk(k).indices


def drawn(scores: Float[Tensor, "n v"], k: int) -> Int[Tensor, "n k"]:
    """Sampling without replacement, by torch's own generator: the same seed draws what transformers draws."""
    return torch.multinomial(scores.softmax(dim=-1), num_samples=k)


@torch.no_grad()  # inference mode is the step's: what is returned stays an ordinary tensor
def decode(model: Decoder, request: Request) -> tuple[Int[Tensor, "r total"], Cache]:
    """Prompts and their continuations, ended ones filled up with the pad token; and the cache that holds them."""
    rows, n = request.rows, request.input_ids.shape[1]
    sequences = torch.cat([rows, rows.new_empty(len(rows), request.total - n)], dim=1)
    unfinished = torch.ones(len(rows), dtype=torch.bool, device=rows.device)
    run, finish = Run(model, request), Finish(rows.device, at_once=request.watched)
    logits = run.prefill()
    while True:
        scores = request.processors(sequences[:, :n], logits.clone())
        request.record.keep(logits, scores)
        chosen = request.choose(scores, 1)[:, 0]
        chosen = chosen if request.pad is None else torch.where(unfinished, chosen, request.pad)
        sequences[:, n] = chosen
        n += 1
        if request.streamer is not None:
            request.streamer.put(chosen.cpu())
        unfinished = unfinished & ~request.criteria(sequences[:, :n], request.record.scores)
        if finish(~unfinished.any()):
            n -= finish.late
            break
        if n == request.total:
            break
        logits = run.advance(chosen)
    return sequences[:, :n].contiguous(), run.cache
