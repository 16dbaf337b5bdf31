"""Rotary position embedding of q and k, the norms of their heads before it, and the cache update: one launch.

A token of h + 2g heads of d elements of s bytes is read once and written once, 2*(h + 2g)*d*s bytes: q to a tensor of
its own, k and v into the cache. Unfused in torch, q and k make five round trips through memory each.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from .arguments import CacheSlots, HeadNormPointers, RopeTables, Strides, check_int32
from .tuning import LaunchConfig, launch_for


@triton.jit
def _copy_heads(
    in_ptr, out_ptr, stride_in_head, stride_out_head, head, num_heads,
    NUM_COLUMNS: tl.constexpr, BLOCK_SIZE: tl.constexpr,
):  # fmt: skip
    column = tl.arange(0, BLOCK_SIZE)[None, :]
    mask = (head < num_heads) & (column < NUM_COLUMNS)
    values = tl.load(in_ptr + head * stride_in_head + column, mask=mask)
    tl.store(out_ptr + head * stride_out_head + column, values, mask=mask)


@triton.jit
def _load_pairs(
    row_ptrs, row_mask, HALF: tl.constexpr, INTERLEAVED: tl.constexpr, BLOCK_HALF: tl.constexpr
):
    """The first and the second elements of the pairs of rows `row_ptrs` [rows, 1], in fp32: [rows, BLOCK_HALF] each.

    Interleaved pairs are loaded as the neighbours that they are, and separated in registers.
    """
    if INTERLEAVED:
        column = tl.arange(0, 2 * BLOCK_HALF)[None, :]
        mask = row_mask & (column < 2 * HALF)
        x = tl.load(row_ptrs + column, mask=mask, other=0.0).to(tl.float32)
        x1, x2 = tl.split(tl.reshape(x, (row_ptrs.shape[0], BLOCK_HALF, 2)))
    else:
        column = tl.arange(0, BLOCK_HALF)[None, :]
        mask = row_mask & (column < HALF)
        x1 = tl.load(row_ptrs + column, mask=mask, other=0.0).to(tl.float32)
        x2 = tl.load(row_ptrs + column + HALF, mask=mask, other=0.0).to(tl.float32)
    return x1, x2


@triton.jit
def _store_pairs(
    row_ptrs, row_mask, x1, x2,
    HALF: tl.constexpr, INTERLEAVED: tl.constexpr, BLOCK_HALF: tl.constexpr,
):  # fmt: skip
    """What `_load_pairs` loads, stored."""
    if INTERLEAVED:
        column = tl.arange(0, 2 * BLOCK_HALF)[None, :]
        mask = row_mask & (column < 2 * HALF)
        x = tl.reshape(tl.join(x1, x2), (row_ptrs.shape[0], 2 * BLOCK_HALF))
        tl.store(row_ptrs + column, x, mask=mask)
    else:
        column = tl.arange(0, BLOCK_HALF)[None, :]
        mask = row_mask & (column < HALF)
        tl.store(row_ptrs + column, x1, mask=mask)
        tl.store(row_ptrs + column + HALF, x2, mask=mask)


@triton.jit
def _normalise_heads(
    x1, x2, in_row_ptrs, out_row_ptrs, weight_row_ptrs, row_mask, eps,
    HALF: tl.constexpr, KEPT: tl.constexpr, INTERLEAVED: tl.constexpr,
    BLOCK_HALF: tl.constexpr, BLOCK_KEPT: tl.constexpr,
):  # fmt: skip
    """RMSNorm of heads whose pairs are x1, x2: the pairs are returned, the KEPT elements after them are stored."""
    squares = tl.sum(x1 * x1 + x2 * x2, 1, keep_dims=True)
    if KEPT > 0:
        column = 2 * HALF + tl.arange(0, BLOCK_KEPT)[None, :]
        is_kept = column < 2 * HALF + KEPT
        mask = row_mask & is_kept
        kept = tl.load(in_row_ptrs + column, mask=mask, other=0.0).to(tl.float32)
        squares += tl.sum(kept * kept, 1, keep_dims=True)
    inverse_rms = tl.rsqrt(squares / (2 * HALF + KEPT) + eps)
    if KEPT > 0:
        weight = tl.load(weight_row_ptrs + column, mask=is_kept, other=0.0).to(tl.float32)
        tl.store(out_row_ptrs + column, kept * inverse_rms * weight, mask=mask)
    weight1, weight2 = _load_pairs(weight_row_ptrs, True, HALF, INTERLEAVED, BLOCK_HALF)
    return x1 * inverse_rms * weight1, x2 * inverse_rms * weight2


@triton.jit
def _rotate_heads(
    in_ptr, out_ptr, weight_ptr, cos_ptr, sin_ptr, stride_in_head, stride_out_head, head, num_heads,
    eps,
    HALF: tl.constexpr, KEPT: tl.constexpr, INTERLEAVED: tl.constexpr,
    BLOCK_HALF: tl.constexpr, BLOCK_KEPT: tl.constexpr,
):  # fmt: skip
    """Rotate the pairs (i, i + HALF), or (2i, 2i + 1) where INTERLEAVED, by angle i; copy KEPT elements after them.

    Where there is a weight, heads are normalised before.
    """
    # Offsets and masks
    in_row_ptrs = in_ptr + head * stride_in_head
    out_row_ptrs = out_ptr + head * stride_out_head
    row_mask = head < num_heads
    pair = tl.arange(0, BLOCK_HALF)[None, :]

    # Load
    cos = tl.load(cos_ptr + pair, mask=pair < HALF, other=0.0).to(tl.float32)
    sin = tl.load(sin_ptr + pair, mask=pair < HALF, other=0.0).to(tl.float32)
    x1, x2 = _load_pairs(in_row_ptrs, row_mask, HALF, INTERLEAVED, BLOCK_HALF)

    # Compute and store
    if weight_ptr is not None:
        weight_row_ptrs = weight_ptr + tl.zeros([1, 1], tl.int32)
        x1, x2 = _normalise_heads(
            x1, x2, in_row_ptrs, out_row_ptrs, weight_row_ptrs, row_mask, eps,
            HALF, KEPT, INTERLEAVED, BLOCK_HALF, BLOCK_KEPT,
        )  # fmt: skip
    _store_pairs(
        out_row_ptrs, row_mask, x1 * cos - x2 * sin, x2 * cos + x1 * sin,
        HALF, INTERLEAVED, BLOCK_HALF,
    )  # fmt: skip
    if KEPT > 0 and weight_ptr is None:
        _copy_heads(
            in_ptr + 2 * HALF, out_ptr + 2 * HALF, stride_in_head, stride_out_head, head, num_heads,
            KEPT, BLOCK_KEPT,
        )  # fmt: skip


@triton.jit
def _rope_and_store(
    q_ptr, k_ptr, v_ptr, rope, norms, q_out_ptr, slots, query_heads, kv_heads,
    q_strides, kv_strides, out_strides,
    HALF: tl.constexpr, KEPT: tl.constexpr, INTERLEAVED: tl.constexpr, BLOCK_HEADS: tl.constexpr,
    BLOCK_HALF: tl.constexpr, BLOCK_KEPT: tl.constexpr, BLOCK_D: tl.constexpr,
):  # fmt: skip
    """BLOCK_HEADS heads of one token: all of q, or all of k, or all of v."""
    # Offsets
    token = tl.program_id(0).to(tl.int64)
    batch = tl.program_id(2).to(tl.int64)
    q_blocks = tl.cdiv(query_heads, BLOCK_HEADS)
    kv_blocks = tl.cdiv(kv_heads, BLOCK_HEADS)
    block = tl.program_id(1)
    head_of_block = tl.arange(0, BLOCK_HEADS)[:, None]
    start = 0 if slots.start_ptr is None else tl.load(slots.start_ptr).to(tl.int64)
    kv_offset = batch * kv_strides.batch + token * kv_strides.token
    slot_offset = batch * slots.stride_batch + (start + token) * slots.stride_token
    cos_ptr = rope.cos_ptr + batch * rope.stride_batch + token * rope.stride_token
    sin_ptr = rope.sin_ptr + batch * rope.stride_batch + token * rope.stride_token

    if block < q_blocks:
        _rotate_heads(
            q_ptr + batch * q_strides.batch + token * q_strides.token,
            q_out_ptr + batch * out_strides.batch + token * out_strides.token,
            norms.q_weight_ptr, cos_ptr, sin_ptr, q_strides.head, out_strides.head,
            block * BLOCK_HEADS + head_of_block, query_heads, norms.eps,
            HALF, KEPT, INTERLEAVED, BLOCK_HALF, BLOCK_KEPT,
        )  # fmt: skip
    elif block < q_blocks + kv_blocks:
        _rotate_heads(
            k_ptr + kv_offset, slots.k_ptr + slot_offset,
            norms.k_weight_ptr, cos_ptr, sin_ptr, kv_strides.head, slots.stride_head,
            (block - q_blocks) * BLOCK_HEADS + head_of_block, kv_heads, norms.eps,
            HALF, KEPT, INTERLEAVED, BLOCK_HALF, BLOCK_KEPT,
        )  # fmt: skip
    else:
        head = (block - q_blocks - kv_blocks) * BLOCK_HEADS + head_of_block
        _copy_heads(
            v_ptr + kv_offset, slots.v_ptr + slot_offset, kv_strides.head, slots.stride_head,
            head, kv_heads, 2 * HALF + KEPT, BLOCK_D,
        )  # fmt: skip


def rope_and_store(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    cos: Tensor,
    sin: Tensor,
    k_slot: Tensor,
    v_slot: Tensor,
    interleaved: bool,
    start: Tensor | None = None,
    norms: Any = None,
    *,
    launch: LaunchConfig | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Rotate q [b, h, t, d] into a new tensor and k [b, g, t, d] into k_slot; copy v into v_slot.

    cos and sin [b or 1, t, r / 2] rotate the first r elements of a head. `start`, an int32 on the device: the slots are
    memory for more tokens than t, written from there on. `norms`: weights q and k [d] and an eps, by which every head
    is RMS-normalised before it is rotated. Returns q rotated, k_slot, v_slot; the first is a view of a dense
    [b, t, h, d]. Raises ValueError where shapes differ, or where k and v, the slots, or cos and sin are not laid out
    alike, or the last dimension of any is not dense.
    """
    _check(q, k, v, cos, sin, k_slot, v_slot, start, norms)
    check_int32(start=start)
    b, h, t, d = q.shape
    kv_heads = k.shape[1]
    half = cos.shape[-1]
    kept = d - 2 * half
    launch = launch or launch_for("rope" if half <= 64 else "rope_long_heads", q.device.type)
    out = torch.empty((b, t, h, d), dtype=q.dtype, device=q.device).transpose(1, 2)
    angle_strides = _strides(cos)
    slot_strides = Strides(*_strides(k_slot))
    rope = RopeTables(cos, sin, stride_batch=angle_strides[0], stride_token=angle_strides[1])
    slots = CacheSlots(
        k_ptr=k_slot,
        v_ptr=v_slot,
        start_ptr=start,
        stride_batch=slot_strides.batch,
        stride_head=slot_strides.head,
        stride_token=slot_strides.token,
    )
    head_norms = HeadNormPointers(None, None, None)
    if norms is not None:
        head_norms = HeadNormPointers(norms.q, norms.k, norms.eps)
    block_heads = launch.blocks["heads"]
    blocks = triton.cdiv(h, block_heads) + 2 * triton.cdiv(kv_heads, block_heads)
    _rope_and_store[(t, blocks, b)](
        q, k, v, rope, head_norms, out, slots, h, kv_heads,
        Strides(*_strides(q)), Strides(*_strides(k)), Strides(*_strides(out)),
        HALF=half,
        KEPT=kept,
        INTERLEAVED=interleaved,
        BLOCK_HEADS=block_heads,
        BLOCK_HALF=triton.next_power_of_2(half),
        BLOCK_KEPT=triton.next_power_of_2(max(kept, 1)),
        BLOCK_D=triton.next_power_of_2(d),
        **launch.options,
    )  # fmt: skip
    return out, k_slot, v_slot


def _strides(x: Tensor) -> tuple[int, ...]:
    """Strides of all but the last dimension; 0 along a dimension of one, which is broadcast or has no second index."""
    sizes, strides = x.shape[:-1], x.stride()[:-1]
    return tuple(0 if size == 1 else stride for size, stride in zip(sizes, strides, strict=True))


def _check(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    cos: Tensor,
    sin: Tensor,
    k_slot: Tensor,
    v_slot: Tensor,
    start: Tensor | None,
    norms: Any,
) -> None:
    written = k_slot if start is None else k_slot[:, :, : k.shape[2]]
    pairs = (("v", v, k), ("k_slot", written, k), ("v_slot", v_slot, k_slot), ("sin", sin, cos))
    for name, x, partner in pairs:
        if x.shape != partner.shape:
            raise ValueError(f"{name} has shape {list(x.shape)}: expected {list(partner.shape)}")
        if name != "k_slot" and _strides(x) != _strides(partner):
            raise ValueError(
                f"{name} has strides {x.stride()}: "
                f"expected those of its partner, {partner.stride()}"
            )
    if norms is not None:  # noqa: SIM102
        if any(w.shape != q.shape[-1:] or w.stride(0) != 1 for w in (norms.q, norms.k)):
            raise ValueError(
                f"norms are {list(norms.q.shape)} and {list(norms.k.shape)}: "
                f"expected dense [{q.shape[-1]}]"
            )
    if any(x.stride(-1) != 1 for x in (q, k, v, cos, sin, k_slot, v_slot)):
        raise ValueError(
            "the last dimension of q, k, v, cos, sin and the slots must be dense (stride 1)"
        )
    b, _, t, d = q.shape
    batch, tokens, half = cos.shape
    rows_fit = k.shape[0] == b and k.shape[2:] == (t, d)
    if not rows_fit or batch not in (1, b) or tokens != t or 2 * half > d:
        raise ValueError(
            f"q {list(q.shape)}, k {list(k.shape)} and cos {list(cos.shape)} do not belong together"
        )
