"""The beam index of a response: rewritten when beams are reordered, and summarised for attention as a bit mask.

Each slot has one bit for each sequence: is the slot reachable from this beam? The bits of 64 sequences are a word.
Slots with any bit in a word are live, and stand in its list. Attention in every layer then reads, in 12 bytes a slot,
which keys to load and which rows attend to them, and skips dead slots without following a path. A reorder is two
launches a step; with more words than one, torch's operations write the bits in between.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from ..kernel_set import BeamMask
from .arguments import cdiv, next_power_of_2

WORD_BITS = tl.constexpr(64)  # sequences of a word, an int64
MAX_BLOCK_STEPS = 32  # steps of a program
MAX_BLOCK_ENTRIES = 4096  # of the beam index, in the registers of a program
MAX_BLOCK_SLOTS = 1024  # slots of a block


@triton.jit
def _reorder_beam_index(
    beam_index_ptr, mask_ptr, beam_idx_ptr, lengths_ptr, num_steps,
    stride_index_batch, stride_index_sequence, stride_mask,
    WIDTH: tl.constexpr, BLOCK_W: tl.constexpr, BLOCK_STEPS: tl.constexpr,
):  # fmt: skip
    """BLOCK_STEPS steps of the beam index of one request, and of its beam mask where that is one word."""
    # Offsets and masks
    batch = tl.program_id(1)
    sequence = tl.arange(0, BLOCK_W)
    step = tl.program_id(0) * BLOCK_STEPS + tl.arange(0, BLOCK_STEPS)
    index_mask = (sequence[:, None] < WIDTH) & (step[None, :] < num_steps)

    # Load
    beam_idx_ptrs = beam_idx_ptr + batch * WIDTH + sequence
    parent = tl.load(beam_idx_ptrs, mask=sequence < WIDTH, other=0) % WIDTH
    index_ptr = beam_index_ptr + batch.to(tl.int64) * stride_index_batch
    taken = step < tl.load(lengths_ptr + 1)
    old_ptrs = index_ptr + parent[:, None] * stride_index_sequence + step[None, :]
    old = tl.load(old_ptrs, mask=index_mask, other=0)

    # Steps taken are the parent's; for steps to come each sequence has its own slot.
    new = tl.where(taken[None, :], old, sequence[:, None])
    tl.debug_barrier()  # all loads come before the stores in place
    new_ptrs = index_ptr + sequence[:, None] * stride_index_sequence + step[None, :]
    tl.store(new_ptrs, new, mask=index_mask)

    if mask_ptr is not None:
        # The bits of each slot: those of the sequences whose beam index names it
        one = tl.full([BLOCK_W], 1, tl.int64)
        bit = tl.where(sequence < WIDTH, one << sequence.to(tl.int64), 0)
        for slot in range(WIDTH):
            bits = tl.sum(tl.where(new == slot, bit[:, None], 0), 0)
            mask_ptrs = mask_ptr + batch.to(tl.int64) * stride_mask + step * WIDTH + slot
            tl.store(mask_ptrs, bits, mask=step < num_steps)


@triton.jit
def _list_live_slots(
    mask_ptr, live_slots_ptr, num_dead_ptr, num_slots, num_steps, stride_mask, stride_live_slots,
    BLOCK_SIZE: tl.constexpr,
):  # fmt: skip
    """The live slots of a word; of steps to come the slots of its own sequences are live."""
    word = tl.program_id(1)
    row = tl.program_id(0).to(tl.int64) * tl.num_programs(1) + word
    num_live = tl.zeros([], tl.int32)
    for start in range(0, num_slots, BLOCK_SIZE):
        slot = start + tl.arange(0, BLOCK_SIZE)
        slot_mask = slot < num_slots
        is_live = tl.load(mask_ptr + row * stride_mask + slot, mask=slot_mask, other=0) != 0
        live = is_live.to(tl.int32)
        live_slots_row_ptr = live_slots_ptr + row * stride_live_slots
        tl.store(live_slots_row_ptr + num_live + tl.cumsum(live, 0) - live, slot, mask=is_live)
        num_live += tl.sum(live, 0)
    sequences = tl.minimum(num_slots // num_steps - word * WORD_BITS, WORD_BITS)
    tl.store(num_dead_ptr + row, num_steps * sequences - num_live)


def reorder_beam_index(
    beam_index: Tensor, beam_mask: BeamMask, beam_idx: Tensor, lengths: Tensor
) -> None:
    """Continue every sequence from row `beam_idx` [b * w]: beam_index [b, w, steps] and its mask, both in place.

    The first lengths[1] steps are copied from the parents; later steps stay each sequence's own.
    """
    b, w, num_steps = beam_index.shape
    mask, live_slots, num_dead = beam_mask
    words = mask.shape[1]
    block_w = max(2, next_power_of_2(w))
    block_steps = min(MAX_BLOCK_STEPS, max(1, MAX_BLOCK_ENTRIES // block_w))
    _reorder_beam_index[(cdiv(num_steps, block_steps), b)](
        beam_index, mask if words == 1 else None, beam_idx, lengths, num_steps,
        beam_index.stride(0), beam_index.stride(1), mask.stride(0),
        WIDTH=w, BLOCK_W=block_w, BLOCK_STEPS=block_steps, num_warps=4,
    )  # fmt: skip
    if words > 1:
        _write_bits(mask, beam_index)
    num_slots = num_steps * w
    _list_live_slots[(b, words)](
        mask, live_slots, num_dead, num_slots, num_steps, mask.stride(1), live_slots.stride(1),
        BLOCK_SIZE=min(MAX_BLOCK_SLOTS, next_power_of_2(num_slots)), num_warps=4,
    )  # fmt: skip


def make_beam_mask(beam_index: Tensor, lengths: Tensor | None = None) -> BeamMask:
    """The beam mask of a beam index [b, w, steps], of which lengths[1] steps are taken (None: all of them)."""
    b, w, steps = beam_index.shape
    device = beam_index.device
    words = cdiv(w, WORD_BITS.value)
    mask = torch.empty((b, words, steps * w), dtype=torch.int64, device=device)
    _write_bits(mask, beam_index)
    is_live = mask != 0
    live_slots = is_live.int().argsort(dim=2, descending=True, stable=True).int()
    num_taken = steps if lengths is None else lengths[1]
    taken = torch.arange(steps * w, dtype=torch.int64, device=device) < num_taken * w
    first_sequence = torch.arange(0, w, WORD_BITS.value, dtype=torch.int64, device=device)
    sequences = (w - first_sequence).clamp(max=WORD_BITS.value)  # of each word
    num_dead = num_taken * sequences - (is_live & taken).sum(dim=2)
    return BeamMask(mask, live_slots, num_dead.int())


def _write_bits(mask: Tensor, beam_index: Tensor) -> None:
    """Set the bit of every sequence in the slots that its beam index names: mask [b, words, steps * w]."""
    _, w, steps = beam_index.shape
    sequence = torch.arange(w, dtype=torch.int64, device=mask.device)[:, None]
    step = torch.arange(steps, dtype=torch.int64, device=mask.device)
    word = sequence // WORD_BITS.value
    bit = torch.ones_like(sequence) << sequence % WORD_BITS.value
    place = word * (steps * w) + step * w + beam_index
    mask.zero_()
    mask.flatten(1).scatter_add_(1, place.flatten(1), bit.expand_as(place).flatten(1))
