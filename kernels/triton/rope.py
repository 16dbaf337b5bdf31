"""Rotary position embedding of q and k, the norms of their heads before it, and the cache update: one launch.

A token of h + 2g heads of d elements of s bytes is read once and written once, 2*(h + 2g)*d*s bytes: q to a tensor of
its own, k and v into the cache. Unfused in torch, q and k make five round trips through memory each. A cache in int8
gets codes and a scale of each head, 2*g*(d + 4) bytes: a program holds all elements of its heads.
"""

from __future__ import annotations

from typing import Any

import triton
import triton.language as tl
from torch import Tensor

from .arguments import CacheSlots, RopeTables, cdiv, check_int32, next_power_of_2, scale_pointers
from .int8 import codes_of, largest_of, scale_of
from .rope_arguments import Layout, check_slot_scales, head_norm_pointers, rope_strides
from .tuning import LaunchConfig, launch_for


@triton.jit
def _copy_heads(
    in_ptr, out_ptr, scale_ptr, stride_in_head, stride_out_head, stride_scale_head,
    head, num_heads, NUM_COLUMNS: tl.constexpr, BLOCK_SIZE: tl.constexpr,
):  # fmt: skip
    """Copy heads, or where there is a scale_ptr, store their codes and scales."""
    row_mask = head < num_heads
    column = tl.arange(0, BLOCK_SIZE)[None, :]
    mask = row_mask & (column < NUM_COLUMNS)
    in_ptrs = in_ptr + head * stride_in_head + column
    if scale_ptr is None:
        values = tl.load(in_ptrs, mask=mask)
    else:
        values = tl.load(in_ptrs, mask=mask, other=0.0).to(tl.float32)
        scale = scale_of(largest_of(values))
        tl.store(scale_ptr + head * stride_scale_head, scale, mask=row_mask)
        values = codes_of(values, scale)
    tl.store(out_ptr + head * stride_out_head + column, values, mask=mask)


@triton.jit
def _load_kept(
    row_ptrs, row_mask, HALF: tl.constexpr, KEPT: tl.constexpr, BLOCK_KEPT: tl.constexpr
):
    """The KEPT elements after the pairs of rows `row_ptrs` [rows, 1]: [rows, BLOCK_KEPT]."""
    column = tl.arange(0, BLOCK_KEPT)[None, :]
    mask = row_mask & (column < KEPT)
    return tl.load(row_ptrs + 2 * HALF + column, mask=mask, other=0.0)


@triton.jit
def _store_kept(
    row_ptrs, row_mask, kept, HALF: tl.constexpr, KEPT: tl.constexpr, BLOCK_KEPT: tl.constexpr
):
    """What `_load_kept` loads, stored."""
    column = tl.arange(0, BLOCK_KEPT)[None, :]
    tl.store(row_ptrs + 2 * HALF + column, kept, mask=row_mask & (column < KEPT))


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
    x1, x2, kept, weight_row_ptrs, eps,
    HALF: tl.constexpr, KEPT: tl.constexpr, INTERLEAVED: tl.constexpr,
    BLOCK_HALF: tl.constexpr, BLOCK_KEPT: tl.constexpr,
):  # fmt: skip
    """RMSNorm of heads whose pairs are x1, x2, with the KEPT elements after them."""
    squares = tl.sum(x1 * x1 + x2 * x2, 1, keep_dims=True)
    if KEPT > 0:
        kept = kept.to(tl.float32)
        squares += tl.sum(kept * kept, 1, keep_dims=True)
    inverse_rms = tl.rsqrt(squares / (2 * HALF + KEPT) + eps)
    if KEPT > 0:
        weight = _load_kept(weight_row_ptrs, True, HALF, KEPT, BLOCK_KEPT)
        kept = kept * inverse_rms * weight.to(tl.float32)
    weight1, weight2 = _load_pairs(weight_row_ptrs, True, HALF, INTERLEAVED, BLOCK_HALF)
    return x1 * inverse_rms * weight1, x2 * inverse_rms * weight2, kept


@triton.jit
def _quantize_heads(
    x1, x2, kept, scale_ptrs, row_mask, INPUT_TYPE: tl.constexpr, KEPT: tl.constexpr
):
    """The codes of heads whose pairs are x1, x2, with the KEPT elements after them; their scales are stored.

    All are rounded before, as a cache of INPUT_TYPE would have them.
    """
    x1 = x1.to(INPUT_TYPE).to(tl.float32)
    x2 = x2.to(INPUT_TYPE).to(tl.float32)
    largest = tl.maximum(largest_of(x1), largest_of(x2))
    if KEPT > 0:
        kept = kept.to(INPUT_TYPE).to(tl.float32)
        largest = tl.maximum(largest, largest_of(kept))
    scale = scale_of(largest)
    tl.store(scale_ptrs, scale, mask=row_mask)
    if KEPT > 0:
        kept = codes_of(kept, scale)
    return codes_of(x1, scale), codes_of(x2, scale), kept


@triton.jit
def _rotate_heads(
    in_ptr, out_ptr, scale_ptr, weight_ptr, cos_ptr, sin_ptr,
    stride_in_head, stride_out_head, stride_scale_head, head, num_heads, eps,
    HALF: tl.constexpr, KEPT: tl.constexpr, INTERLEAVED: tl.constexpr,
    BLOCK_HALF: tl.constexpr, BLOCK_KEPT: tl.constexpr,
):  # fmt: skip
    """Rotate the pairs (i, i + HALF), or (2i, 2i + 1) where INTERLEAVED, by angle i; copy KEPT elements after them.

    Where there is a weight, heads are normalised before; where there is a scale_ptr, their codes and scales are stored.
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
    kept = 0.0
    if KEPT > 0:
        kept = _load_kept(in_row_ptrs, row_mask, HALF, KEPT, BLOCK_KEPT)

    # Compute
    if weight_ptr is not None:
        weight_row_ptrs = weight_ptr + tl.zeros([1, 1], tl.int32)
        x1, x2, kept = _normalise_heads(
            x1, x2, kept, weight_row_ptrs, eps, HALF, KEPT, INTERLEAVED, BLOCK_HALF, BLOCK_KEPT
        )
    rotated1 = x1 * cos - x2 * sin
    rotated2 = x2 * cos + x1 * sin
    if scale_ptr is not None:
        scale_ptrs = scale_ptr + head * stride_scale_head
        rotated1, rotated2, kept = _quantize_heads(
            rotated1, rotated2, kept, scale_ptrs, row_mask, in_ptr.dtype.element_ty, KEPT
        )

    # Store
    _store_pairs(out_row_ptrs, row_mask, rotated1, rotated2, HALF, INTERLEAVED, BLOCK_HALF)
    if KEPT > 0:
        _store_kept(out_row_ptrs, row_mask, kept, HALF, KEPT, BLOCK_KEPT)


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
    k_scale_ptr = None
    v_scale_ptr = None
    if slots.k_scale_ptr is not None:
        scale_offset = batch * slots.stride_scale_batch + (start + token) * slots.stride_scale_token
        k_scale_ptr = slots.k_scale_ptr + scale_offset
        v_scale_ptr = slots.v_scale_ptr + scale_offset
    cos_ptr = rope.cos_ptr + batch * rope.stride_batch + token * rope.stride_token
    sin_ptr = rope.sin_ptr + batch * rope.stride_batch + token * rope.stride_token

    if block < q_blocks:
        _rotate_heads(
            q_ptr + batch * q_strides.batch + token * q_strides.token,
            q_out_ptr + batch * out_strides.batch + token * out_strides.token, None,
            norms.q_weight_ptr, cos_ptr, sin_ptr, q_strides.head, out_strides.head, None,
            block * BLOCK_HEADS + head_of_block, query_heads, norms.eps,
            HALF, KEPT, INTERLEAVED, BLOCK_HALF, BLOCK_KEPT,
        )  # fmt: skip
    elif block < q_blocks + kv_blocks:
        _rotate_heads(
            k_ptr + kv_offset, slots.k_ptr + slot_offset, k_scale_ptr,
            norms.k_weight_ptr, cos_ptr, sin_ptr,
            kv_strides.head, slots.stride_head, slots.stride_scale_head,
            (block - q_blocks) * BLOCK_HEADS + head_of_block, kv_heads, norms.eps,
            HALF, KEPT, INTERLEAVED, BLOCK_HALF, BLOCK_KEPT,
        )  # fmt: skip
    else:
        head = (block - q_blocks - kv_blocks) * BLOCK_HEADS + head_of_block
        _copy_heads(
            v_ptr + kv_offset, slots.v_ptr + slot_offset, v_scale_ptr,
            kv_strides.head, slots.stride_head, slots.stride_scale_head,
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
    k_scale: Tensor | None = None,
    v_scale: Tensor | None = None,
    *,
    launch: LaunchConfig | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Rotate q [b, h, t, d] into a new tensor and k [b, g, t, d] into k_slot; copy v into v_slot.

    cos and sin [b or 1, t, r / 2] rotate the first r elements of a head. `start`, an int32 on the device: the slots are
    memory for more tokens than t, written from there on. `norms`: weights q and k [d] and an eps, by which every head
    is RMS-normalised before it is rotated. With k_scale and v_scale [b, g, n] the slots are int8: what would be stored
    is quantised, as in `int8.quantize`. Returns q rotated, k_slot, v_slot; the first is a view of a dense
    [b, t, h, d]. Raises ValueError where shapes differ, or where k and v, the slots, or cos and sin are not laid out
    alike, or the last dimension of any is not dense.
    """
    layouts = [Layout(x.shape, x.stride()) for x in (q, k, v, cos, sin, k_slot, v_slot)]
    strides = rope_strides(*layouts, has_start=start is not None)
    check_slot_scales(k_slot, v_slot, k_scale, v_scale)
    check_int32(start=start)
    b, h, t, d = q.shape
    kv_heads = k.shape[1]
    half = cos.shape[-1]
    kept = d - 2 * half
    launch = launch or launch_for("rope" if half <= 64 else "rope_long_heads", q.device.type)
    out = q.new_empty(b, t, h, d).transpose(1, 2)
    rope = RopeTables(cos, sin, *strides.angles)
    slots = CacheSlots(
        k_ptr=k_slot,
        v_ptr=v_slot,
        start_ptr=start,
        stride_batch=strides.slots.batch,
        stride_head=strides.slots.head,
        stride_token=strides.slots.token,
        **scale_pointers(k_scale, v_scale),
    )
    head_norms = head_norm_pointers(norms, d)
    block_heads = launch.blocks["heads"]
    blocks = cdiv(h, block_heads) + 2 * cdiv(kv_heads, block_heads)
    _rope_and_store[(t, blocks, b)](
        q, k, v, rope, head_norms, out, slots, h, kv_heads,
        strides.q, strides.kv, strides.out,
        HALF=half,
        KEPT=kept,
        INTERLEAVED=interleaved,
        BLOCK_HEADS=block_heads,
        BLOCK_HALF=next_power_of_2(half),
        BLOCK_KEPT=next_power_of_2(max(kept, 1)),
        BLOCK_D=next_power_of_2(d),
        **launch.options,
    )  # fmt: skip
    return out, k_slot, v_slot
