"""A recorded beam search: the slots of a cache after every pass, which beams read them, and all of it as text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tinyllm.cost.workload import Cost

MARKS = {"written": "+", "copied": "~", "kept": " ", "free": "_"}


@dataclass(frozen=True)
class Slot:
    """Memory for one key and value. `token` is None where the slot is free, or no token has its value.

    `step` is the pass of the token, 0 for the prompt; `readers` are the beams that read the slot. `state` is "written"
    or "copied" for a slot that this step wrote or copied, "kept" for one that it did not touch, or "free".
    """

    token: int | None
    text: str
    step: int
    readers: tuple[int, ...]
    state: str


@dataclass(frozen=True)
class Buffer:
    """One storage of keys: its address, the shape `[rows, g, slots, d]` and bytes of its tensor, its slots by row.

    Its name is "prompt" or "response" in a segment cache, "beam" in a contiguous one.
    """

    name: str
    address: int
    shape: tuple[int, ...]
    bytes: int
    rows: tuple[tuple[Slot, ...], ...]


class Place(NamedTuple):
    """A slot: its buffer, row and index in the row."""

    buffer: int
    row: int
    slot: int


@dataclass(frozen=True)
class BeamStep:
    """The cache after one pass, and the cost of that pass.

    `tokens` are the inputs of each beam, `beam_idx` the rows that they continue (both empty for the prompt);
    `sequences` are all inputs of each beam so far, without padding. `visible` are the slots that each beam reads.
    `reorder` and `forward` are counted over all layers; `held` are bytes of keys and values, free slots included.
    """

    tokens: tuple[int, ...]
    beam_idx: tuple[int, ...]
    sequences: tuple[tuple[int, ...], ...]
    buffers: tuple[Buffer, ...]
    visible: tuple[tuple[Place, ...], ...]
    held: int
    reorder: Cost
    forward: Cost

    @property
    def copied(self) -> int:
        """Bytes of earlier keys and values that were copied."""
        return self.reorder.kv_copied + self.forward.kv_copied

    @property
    def written(self) -> int:
        """Bytes of new keys and values written by torch's operations."""
        return self.forward.kv_written

    def slot(self, place: Place) -> Slot:
        """The slot at a place."""
        return self.buffers[place.buffer].rows[place.row][place.slot]

    def read(self, beam: int) -> tuple[int | None, ...]:
        """The tokens in the slots that a beam reads, in order; equal to its sequence if the cache is right."""
        return tuple(self.slot(place).token for place in self.visible[beam])


@dataclass(frozen=True)
class BeamTrace:
    """A beam search, pass by pass; `steps[0]` is the prompt's. `answers` are the generated best sequences."""

    stage: str
    width: int
    prompt_tokens: int
    steps: tuple[BeamStep, ...]
    answers: tuple[tuple[int, ...], ...]


def first_wrong_read(trace: BeamTrace, decode: Callable[[Sequence[int]], str]) -> str:
    """The first beam that reads other tokens than its own, as text; `decode` makes text of tokens."""
    for number, step in enumerate(trace.steps):
        for beam, own in enumerate(step.sequences):
            if step.read(beam) != own:
                texts = f"is {decode(own)!r}\n  and reads {decode(step.read(beam))!r}"
                return f"step {number}: beam {beam} {texts}"
    return "every beam reads its own tokens"


def shown(text: str) -> str:
    """A token's text for a picture: without surrounding spaces, line ends as `\\n`."""
    return repr(text.strip(" ") or text)[1:-1]


class Line(NamedTuple):
    """A row of slots in a picture: the name of its buffer, and the column of its first slot; columns are time."""

    name: str
    column: int
    places: tuple[Place, ...]


def lines(trace: BeamTrace, step: int) -> list[Line]:
    """The memory of a step as lines: one per row of a buffer, or per slot of a step in a response."""
    laid, column = [], 0
    for i, buffer in enumerate(trace.steps[step].buffers):
        side_by_side = trace.width if buffer.name == "response" else 1
        for row, slots in enumerate(buffer.rows):
            for first in range(side_by_side):
                places = tuple(Place(i, row, n) for n in range(first, len(slots), side_by_side))
                laid.append(Line(f"{buffer.name} {row * side_by_side + first}", column, places))
        column += len(slots) // side_by_side
    return laid


def as_text(trace: BeamTrace, step: int) -> str:
    """One step as text: its slots line by line, then the text that each beam reads.

    `+` marks a slot written in this step, `~` a copied one, `_` a free one.
    """
    at = trace.steps[step]
    parts = [
        f"{trace.stage}, step {step}: {at.held:,} bytes held, {at.copied:,} copied, parents {list(at.beam_idx)}"
    ]
    for line in lines(trace, step):
        slots = [at.slot(place) for place in line.places]
        parts.append(
            f"{line.name}: " + "|".join(MARKS[slot.state] + shown(slot.text) for slot in slots)
        )
    for beam, places in enumerate(at.visible):
        parts.append(f"beam {beam} reads " + repr("".join(at.slot(place).text for place in places)))
    return "\n".join(parts)
