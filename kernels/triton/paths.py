"""The paths of beams through a response: rewritten when beams go on from others, and told to attention in bits.

Of every slot one bit for each sequence says whether the sequence descends from it. Attention in every layer then knows
from 8 bytes a slot what to read and who sees it, without following a path. Rewriting both is one launch a step.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

MOST = 64  # sequences of a request: bits of a slot
COLUMNS = 32  # steps of a program


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


def follow(ancestry: Tensor, seen: Tensor, parents: Tensor, lengths: Tensor) -> None:
    """Let every sequence go on from the row `parents` [b * w] names: ancestry [b, w, steps] and seen [b, steps * w].

    Steps that `lengths` counts are taken over; the others stay everybody's own. Both are written in place.
    """
    b, w, steps = ancestry.shape
    block = max(2, triton.next_power_of_2(w))
    _follow[(triton.cdiv(steps, COLUMNS), b)](
        ancestry, seen, parents, lengths, steps, *ancestry.stride()[:2], seen.stride(0),
        WIDTH=w, BLOCK_W=block, COLUMNS=COLUMNS, num_warps=4,
    )  # fmt: skip


def own_paths(w: int, steps: int, device: torch.device) -> Tensor:
    """The ancestry [1, w, steps] of sequences that never went on from another."""
    return torch.arange(w, dtype=torch.int32, device=device)[None, :, None].expand(1, w, steps)


def seen_by(ancestry: Tensor) -> Tensor:
    """Of an ancestry [b, w, steps] the sequences that descend from each slot [b, steps * w], as bits of an int64.

    Raises ValueError for more sequences than an int64 has bits.
    """
    if ancestry.shape[1] > MOST:
        raise ValueError(f"{ancestry.shape[1]} sequences to a request: expected at most {MOST}, a bit of 64 for each")
    own = torch.arange(ancestry.shape[1], device=ancestry.device)
    descends = ancestry.transpose(1, 2)[..., None] == own  # [b, steps, w, slot]
    return (descends.long() << own[:, None]).sum(dim=2).flatten(1)
