"""The beam index of a response: rewritten when beams are reordered, and summarised for attention as a bit mask.

Each slot has one bit for each sequence: is the slot reachable from this beam? Slots with any bit are live, and stand in
a list. Attention in every layer then reads, in 12 bytes a slot, which keys to load and which rows attend to them, and
skips dead slots without following a path. A reorder is two launches a step.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from ..kernel_set import BeamMask

MAX_SEQUENCES = 64  # of a request: bits of an int64
BLOCK_STEPS = 32  # steps of a program
MAX_BLOCK_SLOTS = 1024  # slots of a block


@triton.jit
def _reorder_beam_index(
    beam_index_ptr, mask_ptr, beam_idx_ptr, lengths_ptr, num_steps,
    stride_index_batch, stride_index_sequence, stride_mask,
    WIDTH: tl.constexpr, BLOCK_W: tl.constexpr, BLOCK_STEPS: tl.constexpr,
):  # fmt: skip
    """BLOCK_STEPS steps of the beam index and the beam mask of one request."""
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

    # The bits of each slot: those of the sequences whose beam index names it
    one = tl.full([BLOCK_W], 1, tl.int64)
    bit = tl.where(sequence < WIDTH, one << sequence.to(tl.int64), 0)
    for slot in range(WIDTH):
        bits = tl.sum(tl.where(new == slot, bit[:, None], 0), 0)
        mask_ptrs = mask_ptr + batch.to(tl.int64) * stride_mask + step * WIDTH + slot
        tl.store(mask_ptrs, bits, mask=step < num_steps)


@triton.jit
def _list_live_slots(
    mask_ptr, live_slots_ptr, num_dead_ptr, num_slots, stride_mask, stride_live_slots,
    BLOCK_SIZE: tl.constexpr,
):  # fmt: skip
    """The live slots of a request; those of steps to come are live, each for its own sequence."""
    batch = tl.program_id(0).to(tl.int64)
    num_live = tl.zeros([], tl.int32)
    num_dead = tl.zeros([], tl.int32)
    for start in range(0, num_slots, BLOCK_SIZE):
        slot = start + tl.arange(0, BLOCK_SIZE)
        slot_mask = slot < num_slots
        is_live = tl.load(mask_ptr + batch * stride_mask + slot, mask=slot_mask, other=0) != 0
        live = is_live.to(tl.int32)
        live_slots_row_ptr = live_slots_ptr + batch * stride_live_slots
        tl.store(live_slots_row_ptr + num_live + tl.cumsum(live, 0) - live, slot, mask=is_live)
        num_live += tl.sum(live, 0)
        num_dead += tl.sum((slot < num_slots).to(tl.int32) - live, 0)
    tl.store(num_dead_ptr + batch, num_dead)


def reorder_beam_index(
    beam_index: Tensor, beam_mask: BeamMask, beam_idx: Tensor, lengths: Tensor
) -> None:
    """Continue every sequence from row `beam_idx` [b * w]: beam_index [b, w, steps] and its mask, both in place.

    The first lengths[1] steps are copied from the parents; later steps stay each sequence's own.
    """
    b, w, num_steps = beam_index.shape
    mask, live_slots, num_dead = beam_mask
    _reorder_beam_index[(triton.cdiv(num_steps, BLOCK_STEPS), b)](
        beam_index, mask, beam_idx, lengths, num_steps,
        beam_index.stride(0), beam_index.stride(1), mask.stride(0),
        WIDTH=w, BLOCK_W=max(2, triton.next_power_of_2(w)), BLOCK_STEPS=BLOCK_STEPS, num_warps=4,
    )  # fmt: skip
    num_slots = num_steps * w
    _list_live_slots[(b,)](
        mask, live_slots, num_dead, num_slots, mask.stride(0), live_slots.stride(0),
        BLOCK_SIZE=min(MAX_BLOCK_SLOTS, triton.next_power_of_2(num_slots)), num_warps=4,
    )  # fmt: skip


def initial_beam_index(w: int, steps: int, device: torch.device) -> Tensor:
    """The beam index [1, w, steps] of sequences that were never reordered: each reads its own slots."""
    own = torch.arange(w, dtype=torch.int32, device=device)
    return own[None, :, None].expand(1, w, steps)


def make_beam_mask(beam_index: Tensor, lengths: Tensor | None = None) -> BeamMask:
    """The beam mask of a beam index [b, w, steps], of which lengths[1] steps are taken (None: all of them).

    Raises ValueError for more sequences than an int64 has bits.
    """
    _, w, steps = beam_index.shape
    if w > MAX_SEQUENCES:
        raise ValueError(
            f"{w} sequences to a request: expected at most {MAX_SEQUENCES}, a bit of 64 for each"
        )
    slot = torch.arange(w, dtype=torch.int64, device=beam_index.device)
    reachable = beam_index.transpose(1, 2)[..., None] == slot  # [b, steps, w, slot]
    mask = (reachable.long() << slot[:, None]).sum(dim=2).flatten(1)
    is_dead = mask == 0
    live_slots = is_dead.int().argsort(dim=1, stable=True).int()
    num_taken = (steps if lengths is None else lengths[1]) * w
    slots = torch.arange(steps * w, dtype=torch.int64, device=beam_index.device)
    taken = slots < num_taken
    return BeamMask(mask, live_slots, num_dead=(is_dead & taken).sum(dim=1).int())
