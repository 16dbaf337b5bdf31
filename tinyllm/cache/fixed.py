"""The segment cache at fixed addresses: what a step writes, and where, is told by numbers on the device.

A step then launches the same work on the same memory as the one before, and nothing waits for the host: it can be
captured once and replayed. What a step may see is handed out as it is stored, for kernels that read it so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Int, Int32
from torch import Tensor

from tinyllm.cache.segment import KV, SegmentCache, SegmentLayer, Segments, fill
from tinyllm.ops.kernel_sets import by_device


class Slots(NamedTuple):
    """Memory of a response, and the number of the slot from which the new keys and values are written."""

    k: Float[Tensor, "b g n d"]
    v: Float[Tensor, "b g n d"]
    start: Int32[Tensor, ""]


@dataclass
class Sight:
    """What the sequences of a step may see, where it stays from step to step.

    `lengths` are the tokens of the prompt and the steps after it; `ancestry` (None: every sequence goes on with itself)
    and `positions` (None: no padding) as in `SegmentCache`; `seen` says the ancestry again as some kernels read it.
    `slopes` are ALiBi's. `space` is left to a kernel, for memory of its own.
    """

    lengths: Int32[Tensor, " 2"]
    ancestry: Int32[Tensor, "b w steps"] | None
    seen: object | None = None
    positions: Int32[Tensor, "b t"] | None = None
    slopes: Float[Tensor, " h"] | None = None
    space: object | None = None


class PromptSight(NamedTuple):
    """Where the tokens of a prompt stand, for a kernel that masks by itself; negative for padding, None without."""

    positions: Int32[Tensor, "b t"] | None
    slopes: Float[Tensor, " h"] | None


class FixedLayer(SegmentLayer):
    """A prompt, and one block of response memory that is always handed out whole."""

    def __init__(self, segments: Segments) -> None:
        super().__init__(segments)
        self.memory = self.prompt

    @property
    def response(self) -> list[KV]:
        """What is written after the prompt, as far as the host knows."""
        written = self.segments.written
        return [block.part(0, written) for block in self.blocks] if written else []

    def slots(self, tokens: int) -> KV | Slots:
        """The new end of the prompt; after it, the response and where to go on in it."""
        if self.segments.in_prompt:
            return self._more_prompt(tokens)
        if not self.blocks:
            self._add_block()
        return Slots(*self.blocks[0], self.segments.start)

    def append(self, k: Float[Tensor, "b g t d"], v: Float[Tensor, "b g t d"]) -> None:
        """Take new keys and values in, by copying them into their slots."""
        slots = self.slots(k.shape[2])
        if isinstance(slots, KV):
            fill(slots, k, v)
        else:
            first = int(slots.start)
            fill(KV(slots.k, slots.v).part(first, first + k.shape[2]), k, v)

    def grow(self) -> None:
        """Twice the room for the response, where the number of steps was not known."""
        if self.blocks:
            old = self.blocks.pop()
            self.blocks.append(self.segments.empty(2 * old.k.shape[2]))
            fill(self.blocks[0].part(0, old.k.shape[2]), *old)

    def forget(self) -> None:
        """Hold nothing, in the same memory."""
        self.prompt = self.memory.part(0, 0)

    def _more_prompt(self, tokens: int) -> KV:
        if self.prompt.k.shape[2] or self.response or self.memory.k.shape[2] < tokens:
            slots = super()._more_prompt(tokens)
            self.memory = self.prompt
            return slots
        self.prompt = self.memory.part(0, tokens)
        return self.prompt


class FixedSegmentCache(SegmentCache):
    """A segment cache whose steps are told on the device what they write and see."""

    layer_type = FixedLayer
    fixed = True

    def forget(self) -> None:
        """Hold nothing, in the same memory: for other prompts, as many and no longer than these.

        The ancestry is left as it is: the first reorder after a prompt makes all of it everybody's own again.
        """
        self.mask, self.prompt_tokens, self.steps, self.new_turn = None, 0, 0, False
        self.segments.written, self.segments.in_prompt = 0, True
        for layer in self.layers:
            layer.forget()

    @property
    def bytes(self) -> int:
        """Keys and values, reserved ones too."""
        return sum(x.nbytes for layer in self.layers for kv in (layer.memory, *layer.blocks) for x in kv)

    def settle(self) -> None:
        """Learn from the device how many steps were taken: the host does not see those that are replayed."""
        self.steps = int(self.counters[1])
        self.segments.written = self.steps * self.copies

    @torch.inference_mode()
    def reorder(self, parents: Int[Tensor, " r"]) -> None:
        """Let every sequence go on from another of its request; steps to come stay its own."""
        if self.copies > 1:
            self.kernels.follow(self.ancestry, self.sight.seen, parents, self.sight.lengths)

    def _share(self, copies: int, steps: int | None) -> None:
        super()._share(copies, steps)
        device, self.kernels = self.like.device, by_device(self.like)
        # Tokens of the prompt, steps after it, the slot that the next step writes first; and what a step adds to them.
        self.counters = torch.zeros(3, dtype=torch.int32, device=device)
        self.advance = torch.zeros_like(self.counters)
        self.advance[1:2].fill_(1)
        self.advance[2:].fill_(copies)
        self.sight = Sight(self.counters[:2], None, slopes=self.views.slopes)
        self._show_paths()

    def _show_paths(self) -> None:
        if self.copies > 1:
            self.sight.ancestry, self.sight.seen = self.ancestry, self.kernels.seen_by(self.ancestry)

    def _note_prompt(self, tokens: int, mask: Tensor | None) -> None:
        super()._note_prompt(tokens, mask)
        self.segments.start = self.counters[2]
        for counter, value in zip(self.counters.split(1), (self.prompt_tokens, 0, -self.copies), strict=True):
            counter.fill_(value)
        starts = self.starts
        if starts is None:
            starts = torch.full((1, 1), self.prompt_tokens, device=self.like.device)
        self.here = _refilled(getattr(self, "here", None), (starts - 1).expand(-1, self.copies))
        if self.mask is not None:
            self.sight.positions = _refilled(self.sight.positions, padded_positions(self.mask))

    def _prompt_view(self, mask: Tensor | None, held: int, tokens: int) -> Sequence[object]:
        """Where the device has no fast kernel of torch's for what is asked, ours reads positions and rules."""
        device, kinds = self.like.device.type, len(self.config.kinds)
        if device == "cpu" or (self.views.plain and (mask is None or device == "cuda")):
            return super()._prompt_view(mask, held, tokens)
        return [PromptSight(None if mask is None else padded_positions(mask), self.views.slopes)] * kinds

    def _admit_step(self) -> tuple[Tensor, Sequence[Sight]]:
        self.steps += 1
        self.segments.written = self.steps * self.copies
        if self.steps > self.ancestry.shape[2]:
            self._grow()
        self.counters += self.advance
        self.here += 1
        return self.here, [self.sight] * len(self.config.kinds)

    def _grow(self) -> None:
        """Twice the room for steps, where their number was not known."""
        for layer in self.layers:
            layer.grow()
        self.ancestry = torch.cat([self.ancestry, self._paths_of_their_own(self.ancestry.shape[2])], dim=2)
        self.sight.space = None
        self._show_paths()


def _refilled(old: Tensor | None, new: Tensor) -> Tensor:
    """`new`, in the memory of `old` where there is room for it."""
    if old is None or len(old) != len(new) or old.shape[1] < new.shape[1]:
        return new.contiguous()
    old[:, : new.shape[1]].copy_(new)
    return old


def padded_positions(mask: Int[Tensor, "b t"]) -> Int32[Tensor, "b t"]:
    """Where the tokens of a prompt stand; negative for padding."""
    return (mask.cumsum(-1) * mask - 1).int()
