"""One call of `generate`: what was asked, and the model at work on it."""

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

    from tinyllm.cache import Cache
    from tinyllm.decoder import Decoder


@dataclass
class Record:
    """What the caller asked to keep of every step: scores after the processors, logits before."""

    scores: list[Float[Tensor, "r v"]] | None = None
    logits: list[Float[Tensor, "r v"]] | None = None

    def keep(self, logits: Float[Tensor, "r v"], scores: Float[Tensor, "r v"]) -> None:
        """Keep what was asked for of one step; the tensors are the record's own from now on."""
        if self.scores is not None:
            self.scores.append(scores.clone())
        if self.logits is not None:
            self.logits.append(logits.clone())

    def as_tuples(self) -> tuple[tuple[Tensor, ...] | None, tuple[Tensor, ...] | None]:
        """Scores and logits of all steps, as transformers returns them."""
        return tuple(None if kept is None else tuple(kept) for kept in (self.scores, self.logits))


@dataclass(frozen=True)
class BeamOptions:
    """How a beam search goes: `kept` candidates leave enough to run on where others end; `fill` stands after an end."""

    width: int
    kept: int
    returned: int
    length_penalty: float
    early_stopping: bool | str
    fill: int


@dataclass(frozen=True)
class Request:
    """One call of `generate`, its options resolved: every prompt is continued by `copies` rows.

    `mask` is None where nothing is padded. `longest` is the length that was asked for, `total` the one at which
    the stopping criteria end it. `watched`: somebody sees each step, so that none may be taken in vain.
    """

    input_ids: Int[Tensor, "b t"]
    mask: Int[Tensor, "b t"] | None
    copies: int
    longest: int
    total: int
    pad: int | None
    choose: Callable[[Float[Tensor, "n v"], int], Int[Tensor, "n k"]]
    processors: LogitsProcessorList
    criteria: StoppingCriteriaList
    streamer: BaseStreamer | None
    watched: bool
    beams: BeamOptions | None = None
    cache: Cache | None = None
    record: Record = field(default_factory=Record)

    @property
    def rows(self) -> Int[Tensor, "r t"]:
        """The prompt of every row."""
        return repeated(self.input_ids, self.copies)


def repeated(x: Tensor | None, times: int) -> Tensor | None:
    """Every row `times` over, side by side."""
    return x if x is None or times == 1 else x.repeat_interleave(times, dim=0)


class Run:
    """A model at work on a request: the prompts, then one token of every row at a time."""

    def __init__(self, model: Decoder, request: Request) -> None:
        self.request, self.step = request, model.stage.runner(model.step)
        prompts, tokens = request.input_ids.shape
        steps = max(1, request.total - tokens - 1)  # the last token is never looked at
        if request.cache is None:
            self.cache = model.new_cache(prompts, request.copies, steps)
        else:
            self.cache = request.cache
            self.cache.resume(request.copies, steps)

    def prefill(self) -> Float[Tensor, "r v"]:
        """Logits of the first new token; a cache that cannot share prompts is given one for every row."""
        held, apart = self.cache.length, self.request.copies // self.cache.copies
        ids, mask = (
            None if x is None else repeated(x[:, held:], apart) for x in (self.request.input_ids, self.request.mask)
        )
        parts = self.cache.prompt_parts(ids.shape[1], mask)
        logits = [self.step(ids[rows], None if mask is None else mask[rows], cache) for rows, cache in parts]
        return repeated(torch.cat(logits), self.cache.copies).float()

    def advance(self, tokens: Int[Tensor, " r"], parents: Int[Tensor, " r"] | None = None) -> Float[Tensor, "r v"]:
        """Logits of what follows `tokens`, each of which continues the row that `parents` names, or its own."""
        if parents is not None:
            self.cache.reorder(parents)
        return self.step(tokens.view(-1, self.cache.copies), None, self.cache).float()
