"""One call of `generate`: its options resolved, and what it keeps of every step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jaxtyping import Float, Int
from torch import Tensor

if TYPE_CHECKING:
    from transformers import LogitsProcessorList
    from transformers.generation.streamers import BaseStreamer

    from tinyllm.cache import Cache
    from tinyllm.generation.criteria import Criteria


AnswerCallback = Callable[[int, Int[Tensor, " n"]], None]


@dataclass
class StepRecord:
    """What the caller keeps of every step: scores after the processors, logits before."""

    scores: list[Float[Tensor, "r v"]] | None = None
    logits: list[Float[Tensor, "r v"]] | None = None

    def keep(self, logits: Float[Tensor, "r v"], scores: Float[Tensor, "r v"]) -> None:
        """Keep scores and logits of one step, where the caller requests them."""
        if self.scores is not None:
            self.scores.append(scores.clone())
        if self.logits is not None:
            self.logits.append(logits.clone())

    def as_tuples(self) -> tuple[tuple[Tensor, ...] | None, tuple[Tensor, ...] | None]:
        """Scores and logits of all steps, as transformers returns them."""
        return tuple(None if kept is None else tuple(kept) for kept in (self.scores, self.logits))


class NoProcessors(list):
    """The logits processors of a call that has none: the scores are the logits."""

    def __call__(
        self, ids: Int[Tensor, "r t"], logits: Float[Tensor, "r v"]
    ) -> Float[Tensor, "r v"]:
        return logits


@dataclass(frozen=True)
class BeamOptions:
    """A beam search: `kept` candidates leave enough to run on where others end; `fill` stands after an end."""

    width: int
    kept: int
    returned: int
    length_penalty: float
    early_stopping: bool | str
    fill: int


@dataclass(frozen=True)
class Request:
    """One call of `generate`, its options resolved: every prompt is continued by `copies` rows.

    `mask` is None where nothing is padded. `longest` is the length of the options, `total` the one
    at which the stopping criteria end it. `watched`: the caller sees each step, so that none may be
    taken in vain. `callbacks` are called after every token and stop nothing. `select(scores, k)`
    chooses the next tokens. `compacts`: rows that have ended may be left out of further passes.
    `on_answer(row, new_tokens)` is called when a row has ended.
    """

    input_ids: Int[Tensor, "b t"]
    mask: Int[Tensor, "b t"] | None
    copies: int
    longest: int
    total: int
    pad: int | None
    select: Callable[[Float[Tensor, "n v"], int], Int[Tensor, "n k"]]
    processors: LogitsProcessorList | NoProcessors
    criteria: Criteria
    streamer: BaseStreamer | None
    watched: bool
    callbacks: tuple[Callable, ...] = ()
    beams: BeamOptions | None = None
    cache: Cache | None = None
    record: StepRecord = field(default_factory=StepRecord)
    output_logprobs: bool = False
    compacts: bool = False
    on_answer: AnswerCallback | None = None

    @property
    def prompts(self) -> int:
        """How many prompts there are."""
        return len(self.input_ids)

    @property
    def rows(self) -> Int[Tensor, "r t"]:
        """The prompt of every row."""
        return repeat_rows(self.input_ids, self.copies)


def repeat_rows(x: Tensor | None, times: int) -> Tensor | None:
    """Every row `times` over, side by side."""
    return x if x is None or times == 1 else x.repeat_interleave(times, dim=0)
