"""The segment cache: a prompt is stored once per request, the response once per sequence, and nothing is moved.

The idea of the paper (arXiv 2401.05391, section 3.2). The sequences of a request (beams, or samples) are to its prompt
what tokens side by side are. The response segment holds their keys and values step by step, `w` slots to a step. A beam
reorder writes indices: `beam_index[request, sequence, step]` is the slot of that step on the sequence's own path.
Independent sequences (samples) need no index: each reads the slots that it wrote.

All memory stays at its address, and where a step writes is a number on the device: a step launches the same work on the
same memory as the one before, so that it can be captured once and replayed.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from jaxtyping import Float, Int, Int32
from torch import Tensor

from tinyllm.attention.mask import extend_mask, prompt_positions, slopes_of, token_positions
from tinyllm.attention.metadata import (
    DecodeMetadata,
    Metadata,
    PrefillMetadata,
    Segment,
    Segments,
)
from tinyllm.cache import CachedText, PrefillCache, Slots
from tinyllm.cache.segment_layer import SegmentLayer, SegmentState
from tinyllm.config import DecoderConfig
from tinyllm.kernels.kernel_set import BeamMask, KernelSet, Workspace

MAX_PREFILL_TOKENS = 16384  # of prompts in one pass: enough for any device to be busy
FIRST_STEPS = 16  # reserved where the number of steps is not known; the paper's step, doubled when it is used up


def prompts_per_pass(tokens: int) -> int:
    """How many prompts of so many tokens are prefilled in one pass."""
    return max(1, MAX_PREFILL_TOKENS // tokens)


class SegmentCache:
    """A `SegmentLayer` for each layer, and the beam index they share; independent sequences are never reordered.

    With torch.int8 as dtype, keys and values are rounded when they are stored: every pass, a prefill too, attends to
    the rounded ones, so that tokens do not depend on how a text was cut into passes.
    """

    fixed_addresses = True
    stores_int8 = True

    def __init__(
        self,
        config: DecoderConfig,
        prompts: int,
        copies: int,
        steps: int | None,
        *,
        device: torch.device,
        dtype: torch.dtype,
        kernels: KernelSet,
        independent: bool = False,
    ) -> None:
        self.config = config
        self.prompts = prompts
        self.kernels = kernels
        self.device = device
        self.slopes = slopes_of(config, device)
        self.mask: Int[Tensor, "b t"] | None = None
        self.prompt_tokens = 0
        self.steps = 0
        self.new_turn = False  # the next pass takes the response into the prompt
        self.state = SegmentState(
            prompts,
            config.num_key_value_heads,
            config.head_dim,
            like=torch.empty(0, dtype=dtype, device=device),
            reserved_slots=(steps or FIRST_STEPS) * copies,
        )
        empty = self.state.empty(0)
        self.layers = [SegmentLayer(self.state, empty) for _ in range(config.num_hidden_layers)]
        self.text: CachedText | None = None
        self._start_response(copies, steps, independent)

    def __copy__(self) -> SegmentCache:
        """A copy with memory of its own, as `copy.deepcopy` makes it: both continue independently."""
        return copy.deepcopy(self)

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Unpickled tensors share no memory: the slot that a step writes first is a view of the counters again."""
        vars(self).update(state)
        self.state.start = self.counters[2]

    def _start_response(self, copies: int, steps: int | None, independent: bool) -> None:
        """The beam index, and the counters that a step reads on the device."""
        self.copies = copies
        self.reserved_steps = steps or FIRST_STEPS
        self.state.reserved_slots = self.reserved_steps * copies
        self.beam_index: Int32[Tensor, "b w steps"] | None = None
        self.beam_mask: BeamMask | None = None
        self.workspace: Workspace | None = None
        self.positions: Int[Tensor, "#b w"] | None = None
        self.prompt_positions: Int32[Tensor, "b t"] | None = None
        # Tokens of the prompt, steps after it, the slot that the next step writes first; what a step adds to them.
        self.counters = torch.zeros(3, dtype=torch.int32, device=self.device)
        self.advance = torch.zeros_like(self.counters)
        self.advance[1:2].fill_(1)
        self.advance[2:].fill_(copies)
        if copies > 1 and not independent:
            self._publish_beam_index(self._own_slots(self.reserved_steps))

    def _own_slots(self, steps: int) -> Int32[Tensor, "b w steps"]:
        """The index of sequences that continue themselves."""
        own = torch.arange(self.copies, dtype=torch.int32, device=self.device)
        return own[:, None].repeat(self.prompts, 1, steps)  # never a view: it is written to

    def _publish_beam_index(self, beam_index: Int32[Tensor, "b w steps"]) -> None:
        """A beam index, also as the kernels' attention reads it."""
        self.beam_index = beam_index
        self.beam_mask = self.kernels.make_beam_mask(beam_index)

    @property
    def rows(self) -> int:
        """Sequences held."""
        return self.prompts if self.new_turn else self.prompts * self.copies

    @property
    def length(self) -> int:
        """Tokens held per sequence."""
        return self.prompt_tokens + self.steps

    @property
    def logits_to_keep(self) -> int:
        """Tokens of a row that are continued: the last of a prompt, or every sequence's own."""
        return 1 if self.state.prefilling else self.copies

    @property
    def nbytes(self) -> int:
        """Bytes of keys and values, reserved ones too."""
        segments = [segment for layer in self.layers for segment in layer.segments]
        return sum(x.untyped_storage().nbytes() for segment in segments for x in segment.tensors)

    def is_decode_step(self, tokens: int, mask: Int[Tensor, "b t"] | None) -> bool:
        """Whether so many new tokens in every row are one of each sequence, after its prompt."""
        return bool(self.length) and not self.new_turn and mask is None and tokens == self.copies

    def prepare(
        self, tokens: int, mask: Int[Tensor, "b t"] | None
    ) -> tuple[Int[Tensor, "#b t"], Metadata]:
        """Account for a prompt, for more of it, or for one token of every sequence."""
        if self.is_decode_step(tokens, mask):
            return self._prepare_decode()
        return self._prepare_prefill(tokens, mask)

    def _prepare_prefill(self, tokens: int, mask: Tensor | None) -> tuple[Tensor, PrefillMetadata]:
        if self.steps and not self.new_turn:
            self.resume(1, None)
        held = self.length
        self._extend_prompt(tokens, mask)
        positions = token_positions(self.mask, held, tokens, self.device)
        return positions, PrefillMetadata(
            held + tokens, tokens, self.mask, self.slopes, self.kernels
        )

    def _extend_prompt(self, tokens: int, mask: Int[Tensor, "b t"] | None) -> None:
        """Account for more prompt, and for padding in it, before it is there."""
        held = self.length
        response_mask = extend_mask(self.mask, None, self.prompt_tokens, self.steps)
        self.mask = extend_mask(response_mask, mask, held, tokens)
        self.state.prefilling = True
        self.state.prompt_tokens = self.prompt_tokens
        self.state.response_slots = self.steps
        self.prompt_tokens = held + tokens
        self.steps = 0
        self.new_turn = False
        self._set_counters()
        self._set_positions()

    def _set_counters(self) -> None:
        """The counters on the device, from the numbers of the host."""
        values = (self.prompt_tokens, self.steps, (self.steps - 1) * self.copies)
        for counter, value in zip(self.counters.split(1), values, strict=True):
            counter.fill_(value)
        self.state.start = self.counters[2]

    def _set_positions(self) -> None:
        """Positions of the prompt, and of the last token of every sequence."""
        last = self._last_positions() + (self.steps - 1)
        self.positions = _refilled(self.positions, last.expand(-1, self.copies))
        if self.mask is not None:
            self.prompt_positions = _refilled(self.prompt_positions, prompt_positions(self.mask))

    def _last_positions(self) -> Int[Tensor, "#b 1"]:
        """Tokens of every prompt that are not padding: the position of the token after it."""
        if self.mask is not None:
            return self.mask.sum(dim=1, keepdim=True)
        return torch.full((1, 1), self.prompt_tokens, dtype=torch.int64, device=self.device)

    def _prepare_decode(self) -> tuple[Tensor, DecodeMetadata]:
        if self.steps == 0:
            self._reserve_response()
        self.state.prefilling = False
        self.steps += 1
        if self.steps > self.reserved_steps:
            self._grow()
        self.counters += self.advance
        self.positions += 1
        return self.positions, self.decode_metadata()

    def decode_metadata(self) -> DecodeMetadata:
        """What the step in hand attends to; its tensors stay at their addresses from step to step."""
        return DecodeMetadata(
            prompt_tokens=self.prompt_tokens,
            steps=self.steps,
            group=self.config.group,
            mask=self.mask,
            slopes=self.slopes,
            kernels=self.kernels,
            copies=self.copies,
            device_lengths=self.counters[:2],
            device_positions=self.prompt_positions,
            beam_index=self.beam_index,
            beam_mask=self.beam_mask,
            workspace=self.workspace,
        )

    def _reserve_response(self) -> None:
        for layer in self.layers:
            layer.reserve_response()
        if self.workspace is None:
            self._reserve_workspace()

    def _reserve_workspace(self) -> None:
        prompt, response = self.layers[0].segments
        q_shape = (self.prompts, self.config.num_attention_heads, self.copies, self.config.head_dim)
        self.workspace = self.kernels.attention_workspace(q_shape, prompt.k, response.k)

    def _grow(self) -> None:
        """Twice the memory for steps, where their number was not known."""
        for layer in self.layers:
            layer.grow_response()
        if self.beam_index is not None:
            more = self._own_slots(self.reserved_steps)
            self._publish_beam_index(torch.cat([self.beam_index, more], dim=2))
        self.reserved_steps *= 2
        self._reserve_workspace()

    @torch.inference_mode()  # as the step is, in which the beam index may have grown
    def reorder(self, beam_idx: Int[Tensor, " r"]) -> None:
        """Let every sequence continue another of its request: no key and no value moves.

        Raises ValueError for a cache of independent sequences.
        """
        if self.copies == 1:
            return
        if self.beam_index is None:
            raise ValueError(
                f"a reorder of {self.copies} independent sequences: "
                "expected a cache made with independent=False"
            )
        lengths = self.counters[:2]
        tables = (self.beam_index, self.beam_mask)
        self.kernels.reorder_beam_index(*tables, beam_idx, lengths)

    def sync_from_device(self) -> None:
        """Read how many steps were taken: the host does not see those that are replayed."""
        self.steps = int(self.counters[1])

    def reset(self) -> None:
        """Hold nothing, in the same memory: for other prompts, as many and no longer than these.

        The beam index is left as it is: the first reorder after a prompt makes every slot a sequence's own again.
        """
        self.mask = None
        self.prompt_tokens = 0
        self.steps = 0
        self.new_turn = False
        self.state.prefilling = True

    @torch.inference_mode()  # as the steps are, in which the memory was made
    def compact(self, rows: Int[Tensor, "b w"]) -> None:
        """Hold these sequences alone, `w` of each of `b` prompts; responses are copied, and what remains of prompts.

        A layer's old memory is free before the next one's new memory is needed.
        """
        self.sync_from_device()
        b, w = rows.shape
        old = self.copies
        if b < self.prompts and self.mask is not None:
            self.mask = self.mask[rows[:, 0] // old]
        self.prompts = self.state.prompts = b
        self._start_response(w, self.reserved_steps, independent=True)
        for layer in self.layers:
            layer.compact(rows, old, self.steps)
        self._reserve_workspace()
        self._set_counters()
        self._set_positions()

    @torch.inference_mode()
    def rewind(self, tokens: int, copies: int) -> None:
        """Hold the `tokens` of one prompt alone, which so many sequences then continue."""
        if copies != self.copies:  # compacted
            self._start_response(copies, self.reserved_steps, independent=True)
            for layer in self.layers:
                layer.response = self.state.empty(0)
        self.steps = 0
        self._set_counters()
        self._set_positions()

    def resume(self, copies: int, steps: int | None, *, independent: bool = False) -> None:
        """Get ready for a further turn: what was answered becomes part of the prompt."""
        if self.steps and self.copies > 1 and not self.new_turn:
            raise ValueError(
                f"{self.copies} sequences share a prompt: expected one that the next turn goes on from"
            )
        self.new_turn = True
        self._start_response(copies, steps, independent)

    def prefill_batches(
        self, tokens: int, mask: Int[Tensor, "b t"] | None
    ) -> list[tuple[slice, PrefillCache]]:
        """The requests of a large batch in parts, for one pass each, whose keys and values go to the same memory."""
        size = prompts_per_pass(tokens)
        if self.length or self.prompts <= size:
            return [(slice(None), self)]
        self._extend_prompt(tokens, mask)
        for layer in self.layers:
            layer.slots(tokens)
        parts = [slice(start, start + size) for start in range(0, self.prompts, size)]
        return [(requests, PrefillBatch(self, requests)) for requests in parts]


class PrefillLayer:
    """The prompts of some requests in one layer, whose memory is there already."""

    def __init__(self, prompt: Segment) -> None:
        self.prompt = prompt

    @property
    def segments(self) -> Segments:
        """The prompts alone."""
        return (self.prompt,)

    def slots(self, tokens: int) -> Slots:
        """All of them."""
        return Slots(*self.prompt.part(0, tokens).tensors)

    def append(self, k: Float[Tensor, "b g t d"], v: Float[Tensor, "b g t d"]) -> None:
        """Copy keys and values into their slots."""
        self.prompt.part(0, k.shape[2]).fill(k, v)


class PrefillBatch:
    """Some requests of a segment cache, while their prompts are prefilled."""

    logits_to_keep = 1

    def __init__(self, cache: SegmentCache, requests: slice) -> None:
        self.mask = None if cache.mask is None else cache.mask[requests]
        self.device = cache.device
        self.slopes = cache.slopes
        self.kernels = cache.kernels
        self.layers = [PrefillLayer(layer.prompt.of_requests(requests)) for layer in cache.layers]

    def prepare(
        self, tokens: int, mask: Int[Tensor, "b t"] | None
    ) -> tuple[Int[Tensor, "#b t"], Metadata]:
        """Positions of the tokens, and the metadata for attention."""
        positions = token_positions(self.mask, 0, tokens, self.device)
        return positions, PrefillMetadata(tokens, tokens, self.mask, self.slopes, self.kernels)


def _refilled(old: Tensor | None, new: Tensor) -> Tensor:
    """`new`, in the memory of `old` where it fits, so that a captured graph finds it at its address."""
    if old is None or len(old) != len(new) or old.shape[1] < new.shape[1]:
        return new.contiguous()
    old[:, : new.shape[1]].copy_(new)
    return old
