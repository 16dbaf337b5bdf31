"""One token after the other, the most likely or a drawn one, until every sequence has ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int
from torch import Tensor

if TYPE_CHECKING:
    from transformers import LogitsProcessorList, StoppingCriteriaList
    from transformers.generation.streamers import BaseStreamer

    from tinyllm.decoder import Decoder


@dataclass
class Record:
    """What the caller asked to keep of every step: scores after the processors, logits before."""

    scores: list[Float[Tensor, "b v"]] | None = None
    logits: list[Float[Tensor, "b v"]] | None = None

    def keep(self, logits: Float[Tensor, "b v"], scores: Float[Tensor, "b v"]) -> None:
        if self.scores is not None:
            self.scores.append(scores)
        if self.logits is not None:
            self.logits.append(logits.clone())


@dataclass(frozen=True)
class Request:
    """One call of `generate`, its options resolved: `mask` is None where nothing is padded."""

    input_ids: Int[Tensor, "b t"]
    mask: Int[Tensor, "b t"] | None
    total: int
    pad: int | None
    choose: Callable[[Float[Tensor, "b v"]], Int[Tensor, " b"]]
    processors: LogitsProcessorList
    criteria: StoppingCriteriaList
    streamer: BaseStreamer | None
    record: Record = field(default_factory=Record)


def most_likely(scores: Float[Tensor, "b v"]) -> Int[Tensor, " b"]:
    """Greedy decoding."""
    return scores.argmax(dim=-1)


def drawn(scores: Float[Tensor, "b v"]) -> Int[Tensor, " b"]:
    """Sampling, by torch's own generator: the same seed draws what transformers draws."""
    return torch.multinomial(scores.softmax(dim=-1), num_samples=1).squeeze(1)


@torch.no_grad()  # inference mode is the step's: what is returned stays an ordinary tensor
def decode(model: Decoder, request: Request) -> Int[Tensor, "b total"]:
    """Prompts and their continuations; a sequence that has ended is filled with the pad token."""
    b, n = request.input_ids.shape
    sequences = request.input_ids.new_empty(b, request.total)
    sequences[:, :n] = request.input_ids
    mask = (
        None if request.mask is None else torch.cat([request.mask, request.mask.new_ones(b, request.total - n)], dim=1)
    )
    unfinished = torch.ones(b, dtype=torch.bool, device=sequences.device)
    step, cache, tokens = model.stage.runner(model.step), model.new_cache(b), request.input_ids
    while unfinished.any():
        logits = step(tokens, None if mask is None else mask[:, :n], cache).float()
        scores = request.processors(sequences[:, :n], logits.clone())
        request.record.keep(logits, scores)
        chosen = request.choose(scores)
        chosen = chosen if request.pad is None else torch.where(unfinished, chosen, request.pad)
        sequences[:, n] = chosen
        n, tokens = n + 1, chosen[:, None]
        if request.streamer is not None:
            request.streamer.put(chosen.cpu())
        unfinished &= ~request.criteria(sequences[:, :n], request.record.scores)
    return sequences[:, :n].contiguous()
