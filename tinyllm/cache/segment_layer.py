"""The memory of one layer of a segment cache: the prompt's keys and values, and the response's."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd

import torch
from jaxtyping import Float, Int, Int32, Real
from torch import Tensor

from tinyllm.attention.metadata import Segment, Segments
from tinyllm.cache import Slots

# Bytes: what divides the address of a matrix that Intel's GPUs load in 2D blocks, and the shortest row of one.
ALIGNMENT = 64


def aligned_slots(slots: int, row_bytes: int) -> int:
    """So many slots or a few more: memory in which the keys of every head begin at multiples of 64 bytes.

    `row_bytes` are those of one key. Rows that blocks cannot have, shorter or no multiple of 16 bytes, get no more.
    """
    is_block = row_bytes >= ALIGNMENT and row_bytes % 16 == 0
    multiple = ALIGNMENT // gcd(ALIGNMENT, row_bytes) if is_block else 1
    return -(-slots // multiple) * multiple


@dataclass
class SegmentState:
    """What the layers of a segment cache have in common. It refers to none of them: memory is freed immediately."""

    prompts: int
    kv_heads: int
    head_dim: int
    like: Real[Tensor, ...]  # an empty tensor of the device, and of the dtype of what is stored
    reserved_slots: int  # of the response, to begin with
    prefilling: bool = True
    prompt_tokens: int = 0  # held before the pass in hand
    response_slots: int = 0  # written before the pass in hand
    start: Int32[Tensor, ""] | None = None  # the slot that a step writes first, on the device

    def empty(self, tokens: int) -> Segment:
        """Memory for so many keys and values of every request, not written."""
        slots = aligned_slots(tokens, self.head_dim * self.like.itemsize)
        shape = (self.prompts, self.kv_heads, slots, self.head_dim)
        k_scale = v_scale = None
        if self.like.dtype == torch.int8:
            k_scale = self.like.new_empty(shape[:-1], dtype=torch.float32)
            v_scale = torch.empty_like(k_scale)
        k = self.like.new_empty(shape)
        v = self.like.new_empty(shape)
        return Segment(k, v, k_scale, v_scale).part(0, tokens)


class SegmentLayer:
    """Keys and values of one layer: a prompt segment `[b, g, t, d]`, and a response segment `[b, g, slots, d]`.

    Both are `empty` at first, a segment without memory that all layers share.
    """

    def __init__(self, state: SegmentState, empty: Segment) -> None:
        self.state = state
        self.prompt = empty
        self.response = empty

    @property
    def segments(self) -> Segments:
        """Prompt and response, reserved memory too."""
        return self.prompt, self.response

    def slots(self, tokens: int) -> Slots:
        """The new end of the prompt; after it the response, and the first slot as a device number."""
        if self.state.prefilling:
            return Slots(*self._prompt_slots(tokens).tensors)
        return Slots(*self.response.tensors, start=self.state.start)

    def append(self, k: Float[Tensor, "b g t d"], v: Float[Tensor, "b g t d"]) -> None:
        """Copy new keys and values into their slots."""
        slots = self.slots(k.shape[2])
        first = 0 if slots.start is None else int(slots.start)
        memory = Segment(slots.k, slots.v, slots.k_scale, slots.v_scale)
        memory.part(first, first + k.shape[2]).fill(k, v)

    def reserve_response(self) -> None:
        """Memory for the first steps, where there is none yet."""
        if not self.response.capacity:
            self.response = self.state.empty(self.state.reserved_slots)

    def grow_response(self) -> None:
        """Twice the memory for the response, where the number of steps was not known."""
        old = self.response
        self.response = self.state.empty(2 * old.capacity)
        self.response.part(0, old.capacity).copy_(old)

    def compact(self, rows: Int[Tensor, "b w"], copies: int, steps: int) -> None:
        """Keep some of the `copies` sequences of some prompts, `steps` steps of each, in memory of their own."""
        prompts = rows[:, 0] // copies
        old = self.response
        if len(prompts) < len(old.k):
            self.prompt = self.prompt.map(lambda x: x[prompts])
        self.response = self.state.empty(self.state.reserved_slots)
        for new, held in zip(self.response.tensors, old.tensors, strict=True):
            by_step = held[:, :, : steps * copies].unflatten(2, (steps, copies))
            kept = by_step[prompts[:, None], :, :, rows % copies]  # [b, w, g, steps, ...]
            part = new[:, :, : steps * rows.shape[1]].unflatten(2, (steps, rows.shape[1]))
            part.copy_(kept.movedim(1, 3))

    def _prompt_slots(self, tokens: int) -> Segment:
        """A prompt gets its memory once; a further turn takes prompt and answer into a longer one."""
        prompt_tokens = self.state.prompt_tokens
        held = prompt_tokens + self.state.response_slots
        if held == 0:
            if self.prompt.capacity < tokens:
                self.prompt = self.state.empty(tokens)
            return self.prompt.part(0, tokens)
        prompt = self.prompt.part(0, prompt_tokens)
        response = self.response.part(0, self.state.response_slots)
        self.prompt = self.state.empty(held + tokens)
        self.response = self.state.empty(0)
        self.prompt.part(0, prompt_tokens).copy_(prompt)
        self.prompt.part(prompt_tokens, held).copy_(response)
        return self.prompt.part(held, held + tokens)
