"""Which requests may go through the same captured steps: those whose parts do the same work in every step."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from torch import Tensor

from tinyllm.generation.criteria import EndTokens, MaxLength

if TYPE_CHECKING:
    from collections.abc import Callable

    from transformers import LogitsProcessor

    from tinyllm.generation.request import Request

# Criteria that read the length and the last token alone.
REPLAYABLE_CRITERIA = (MaxLength, EndTokens)


@cache
def replayable_processors() -> frozenset[type[LogitsProcessor]]:
    """Processors that read the length and the last token alone, if anything: the same work in every step."""
    from transformers import (
        MinLengthLogitsProcessor,
        MinPLogitsWarper,
        TemperatureLogitsWarper,
        TopKLogitsWarper,
        TopPLogitsWarper,
    )

    from tinyllm.generation.logits import MinLength

    return frozenset(
        (
            TemperatureLogitsWarper,
            TopKLogitsWarper,
            TopPLogitsWarper,
            MinPLogitsWarper,
            MinLengthLogitsProcessor,
            MinLength,
        )
    )


def replayable(request: Request) -> bool:
    """Whether the steps of a request may be captured and replayed: no part reads the text, or keeps anything."""
    known = all(type(part) in replayable_processors() for part in request.processors)
    ends = all(type(part) in REPLAYABLE_CRITERIA for part in request.criteria)
    return known and ends and request.record.scores is None and request.record.logits is None


def reads_padding(request: Request) -> bool:
    """Whether a processor may read the padding before a prompt as text."""
    if not request.processors:
        return False
    from transformers import RepetitionPenaltyLogitsProcessor

    free_of_padding = replayable_processors() | {RepetitionPenaltyLogitsProcessor}
    return not all(type(part) in free_of_padding for part in request.processors)


def min_lengths(processors: list) -> list[int]:
    """The lengths up to which no sequence may end."""
    if not processors:
        return []
    from transformers import MinLengthLogitsProcessor

    return [part.min_length for part in processors if isinstance(part, MinLengthLogitsProcessor)]


def session_key(request: Request) -> tuple:
    """What requests have in common that may go through the same captured steps."""
    parts = (
        part for part in (*request.processors, *request.criteria) if not isinstance(part, MaxLength)
    )
    settings = tuple((type(part).__name__, _settings(part)) for part in parts)
    padded = request.mask is not None
    return (
        request.prompts,
        request.copies,
        padded,
        request.select,
        request.pad,
        request.beams,
        request.output_logprobs,
        settings,
    )


def _settings(part: Callable) -> str:
    """What a part was made with, but for lengths, which are read in every step.

    Of tensors the numbers: their text would take a GPU several launches, in front of the prefill's.
    """
    values = {name: value for name, value in vars(part).items() if name != "min_length"}
    return str({name: x.tolist() if isinstance(x, Tensor) else x for name, x in values.items()})
