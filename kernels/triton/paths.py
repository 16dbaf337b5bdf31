"""The paths of beams through a response: rewritten when beams go on from others, and told to attention as it reads.

Of every slot one bit for each sequence says whether the sequence descends from it, and the slots that have bits stand
in a list. Attention in every layer then knows from 12 bytes a slot what to read and who sees it, and passes over what
nobody descends from, without following a path. Rewriting it is two launches a step.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

MOST = 64  # sequences of a request: bits of a slot
COLUMNS = 32  # steps of a program
SLOTS = 1024  # looked at together, at most


class Seen(NamedTuple):
    """Of an ancestry [b, w, steps]: `bits` [b, steps * w], for each slot the sequences that descend from it.

    `live` [b, steps * w] are the slots with bits, in order, and then anything; `gone` [b] says how many slots of the
    steps that were taken have none.
    """

    bits: Tensor
    live: Tensor
    gone: Tensor


@triton.jit
def _follow(
    ancestry, seen, parents, lengths, steps, ancestry_batch, ancestry_sequence, seen_batch,
    WIDTH: tl.constexpr, BLOCK_W: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    """COLUMNS steps of all paths of a request."""
    batch, own = tl.program_id(1), tl.arange(0, BLOCK_W)
    column = tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS)
    inside = (own[:, None] < WIDTH) & (column[None, :] < steps)
    parent = tl.load(parents + batch * WIDTH + own, mask=own < WIDTH, other=0) % WIDTH
    paths = ancestry + batch.to(tl.int64) * ancestry_batch
    taken = column < tl.load(lengths + 1)  # the steps to come stay everybody's own
    old = tl.load(paths + parent[:, None] * ancestry_sequence + column[None, :], mask=inside, other=0)
    new = tl.where(taken[None, :], old, own[:, None])
    tl.debug_barrier()  # all have read before anyone writes
    tl.store(paths + own[:, None] * ancestry_sequence + column[None, :], new, mask=inside)
    bit = tl.where(own < WIDTH, tl.full([BLOCK_W], 1, tl.int64) << own.to(tl.int64), 0)
    for owner in range(WIDTH):
        bits = tl.sum(tl.where(new == owner, bit[:, None], 0), 0)
        tl.store(seen + batch.to(tl.int64) * seen_batch + column * WIDTH + owner, bits, mask=column < steps)


@triton.jit
def _list_live(bits, live, gone, slots, bits_batch, live_batch, BLOCK: tl.constexpr):
    """The slots of a request that have bits, side by side; those to come have, being everybody's own."""
    batch = tl.program_id(0).to(tl.int64)
    found, dead = tl.zeros([], tl.int32), tl.zeros([], tl.int32)
    for start in range(0, slots, BLOCK):
        slot = start + tl.arange(0, BLOCK)
        alive = tl.load(bits + batch * bits_batch + slot, mask=slot < slots, other=0) != 0
        one = alive.to(tl.int32)
        tl.store(live + batch * live_batch + found + tl.cumsum(one, 0) - one, slot, mask=alive)
        found += tl.sum(one, 0)
        dead += tl.sum((slot < slots).to(tl.int32) - one, 0)
    tl.store(gone + batch, dead)


def follow(ancestry: Tensor, seen: Seen, parents: Tensor, lengths: Tensor) -> None:
    """Let every sequence go on from the row `parents` [b * w] names: ancestry [b, w, steps], and what is seen of it.

    Steps that `lengths` counts are taken over; the others stay everybody's own. Both are written in place.
    """
    b, w, steps = ancestry.shape
    block = max(2, triton.next_power_of_2(w))
    _follow[(triton.cdiv(steps, COLUMNS), b)](
        ancestry, seen.bits, parents, lengths, steps, *ancestry.stride()[:2], seen.bits.stride(0),
        WIDTH=w, BLOCK_W=block, COLUMNS=COLUMNS, num_warps=4,
    )  # fmt: skip
    _list_live[(b,)](
        *seen, steps * w, seen.bits.stride(0), seen.live.stride(0),
        BLOCK=min(SLOTS, triton.next_power_of_2(steps * w)), num_warps=4,
    )  # fmt: skip


def own_paths(w: int, steps: int, device: torch.device) -> Tensor:
    """The ancestry [1, w, steps] of sequences that never went on from another."""
    return torch.arange(w, dtype=torch.int32, device=device)[None, :, None].expand(1, w, steps)


def seen_by(ancestry: Tensor, lengths: Tensor | None = None) -> Seen:
    """What is seen of an ancestry [b, w, steps], of which `lengths` counts the steps taken (None: all of them).

    Raises ValueError for more sequences than an int64 has bits.
    """
    _, w, steps = ancestry.shape
    if w > MOST:
        raise ValueError(f"{w} sequences to a request: expected at most {MOST}, a bit of 64 for each")
    own = torch.arange(w, device=ancestry.device)
    descends = ancestry.transpose(1, 2)[..., None] == own  # [b, steps, w, slot]
    bits = (descends.long() << own[:, None]).sum(dim=2).flatten(1)
    live = (bits == 0).int().argsort(dim=1, stable=True).int()
    taken = torch.arange(steps * w, device=ancestry.device) < (steps if lengths is None else lengths[1]) * w
    return Seen(bits, live, ((bits == 0) & taken).sum(dim=1).int())
