"""Rotary position embedding of q and k, the norms of their heads before it, and the cache update: one launch.

A token of h + 2g heads of d elements of s bytes is read once and written once, 2*(h + 2g)*d*s bytes: q to a tensor of
its own, k and v to where the cache keeps them. Spelled out in torch, q and k make five round trips through memory each.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from .tuning import Launch, launch_for


@triton.jit
def _copy_heads(source, target, source_head, target_head, head, heads, WIDTH: tl.constexpr, BLOCK: tl.constexpr):
    i = tl.arange(0, BLOCK)[None, :]
    inside = (head < heads) & (i < WIDTH)
    tl.store(target + head * target_head + i, tl.load(source + head * source_head + i, mask=inside), mask=inside)


@triton.jit
def _normalise_heads(
    first, second, source, target, weight, source_head, target_head, head, heads, eps,
    HALF: tl.constexpr, KEPT: tl.constexpr, INTERLEAVED: tl.constexpr,
    BLOCK_HALF: tl.constexpr, BLOCK_KEPT: tl.constexpr,
):  # fmt: skip
    """The pairs of `_turn_heads` scaled to a root mean square of one of their heads, then by weight; KEPT stored so."""
    step: tl.constexpr = 2 if INTERLEAVED else 1
    apart: tl.constexpr = 1 if INTERLEAVED else HALF
    i, j = tl.arange(0, BLOCK_HALF)[None, :], 2 * HALF + tl.arange(0, BLOCK_KEPT)[None, :]
    squares = tl.sum(first * first + second * second, 1, keep_dims=True)
    if KEPT > 0:
        inside = (head < heads) & (j < 2 * HALF + KEPT)
        kept = tl.load(source + head * source_head + j, mask=inside, other=0.0).to(tl.float32)
        squares += tl.sum(kept * kept, 1, keep_dims=True)
    scale = tl.rsqrt(squares / (2 * HALF + KEPT) + eps)
    if KEPT > 0:
        w = tl.load(weight + j, mask=j < 2 * HALF + KEPT, other=0.0).to(tl.float32)
        tl.store(target + head * target_head + j, kept * scale * w, mask=inside)
    first *= scale * tl.load(weight + i * step, mask=i < HALF, other=0.0).to(tl.float32)
    second *= scale * tl.load(weight + i * step + apart, mask=i < HALF, other=0.0).to(tl.float32)
    return first, second


@triton.jit
def _turn_heads(
    source, target, weight, cos, sin, source_head, target_head, head, heads, eps,
    HALF: tl.constexpr, KEPT: tl.constexpr, INTERLEAVED: tl.constexpr,
    BLOCK_HALF: tl.constexpr, BLOCK_KEPT: tl.constexpr,
):  # fmt: skip
    """Pairs (i, i + HALF), or (2i, 2i + 1) where INTERLEAVED, turned by angle i; KEPT elements after them copied.

    Where there is a weight, heads are normalised before.
    """
    step: tl.constexpr = 2 if INTERLEAVED else 1
    apart: tl.constexpr = 1 if INTERLEAVED else HALF
    i = tl.arange(0, BLOCK_HALF)[None, :]
    inside = (head < heads) & (i < HALF)
    c = tl.load(cos + i, mask=i < HALF, other=0.0).to(tl.float32)
    s = tl.load(sin + i, mask=i < HALF, other=0.0).to(tl.float32)
    first = tl.load(source + head * source_head + i * step, mask=inside, other=0.0).to(tl.float32)
    second = tl.load(source + head * source_head + i * step + apart, mask=inside, other=0.0).to(tl.float32)
    if weight is not None:
        first, second = _normalise_heads(
            first, second, source, target, weight, source_head, target_head, head, heads, eps,
            HALF, KEPT, INTERLEAVED, BLOCK_HALF, BLOCK_KEPT,
        )  # fmt: skip
    tl.store(target + head * target_head + i * step, first * c - second * s, mask=inside)
    tl.store(target + head * target_head + i * step + apart, second * c + first * s, mask=inside)
    if KEPT > 0 and weight is None:
        _copy_heads(
            source + 2 * HALF, target + 2 * HALF, source_head, target_head, head, heads, KEPT, BLOCK_KEPT
        )  # fmt: skip


@triton.jit
def _rope_and_store(
    q, k, v, cos, sin, q_weight, k_weight, q_out, k_slot, v_slot, start, query_heads, kv_heads,
    q_batch, q_head, q_token, kv_batch, kv_head, kv_token, out_batch, out_head, out_token,
    slot_batch, slot_head, slot_token, angle_batch, angle_token, eps,
    HALF: tl.constexpr, KEPT: tl.constexpr, INTERLEAVED: tl.constexpr,
    HEADS: tl.constexpr, BLOCK_HALF: tl.constexpr, BLOCK_KEPT: tl.constexpr, BLOCK_D: tl.constexpr,
):  # fmt: skip
    """HEADS heads of one token: all of q, or all of k, or all of v."""
    token, batch = tl.program_id(0).to(tl.int64), tl.program_id(2).to(tl.int64)
    q_blocks, kv_blocks = tl.cdiv(query_heads, HEADS), tl.cdiv(kv_heads, HEADS)
    block, lane = tl.program_id(1), tl.arange(0, HEADS)[:, None]
    first = 0 if start is None else tl.load(start).to(tl.int64)
    kv, slot = batch * kv_batch + token * kv_token, batch * slot_batch + (first + token) * slot_token
    cos += batch * angle_batch + token * angle_token
    sin += batch * angle_batch + token * angle_token
    if block < q_blocks:
        _turn_heads(
            q + batch * q_batch + token * q_token, q_out + batch * out_batch + token * out_token, q_weight, cos, sin,
            q_head, out_head, block * HEADS + lane, query_heads, eps,
            HALF, KEPT, INTERLEAVED, BLOCK_HALF, BLOCK_KEPT,
        )  # fmt: skip
    elif block < q_blocks + kv_blocks:
        _turn_heads(
            k + kv, k_slot + slot, k_weight, cos, sin,
            kv_head, slot_head, (block - q_blocks) * HEADS + lane, kv_heads, eps,
            HALF, KEPT, INTERLEAVED, BLOCK_HALF, BLOCK_KEPT,
        )  # fmt: skip
    else:
        head = (block - q_blocks - kv_blocks) * HEADS + lane
        _copy_heads(v + kv, v_slot + slot, kv_head, slot_head, head, kv_heads, 2 * HALF + KEPT, BLOCK_D)


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
    launch: Launch | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Rotate q [b, h, t, d] into a new tensor and k [b, g, t, d] into k_slot; copy v into v_slot.

    cos and sin [b or 1, t, r / 2] turn the first r elements of a head. `start`, an int32 on the device: the slots are
    memory for more tokens than t, written from there on. `norms`: weights q and k [d] and an eps, by which every head
    is RMS-normalised before it is rotated. Returns q rotated, k_slot, v_slot; the first is a view of a dense
    [b, t, h, d]. Raises ValueError where shapes differ, or where k and v, the slots, or cos and sin are not laid out
    alike, or the last dimension of any is not dense.
    """
    _check(q, k, v, cos, sin, k_slot, v_slot, start, norms)
    (b, h, t, d), g, half = q.shape, k.shape[1], cos.shape[-1]
    launch, kept = launch or launch_for("rope", q.device.type), d - 2 * half
    out = torch.empty((b, t, h, d), dtype=q.dtype, device=q.device).transpose(1, 2)
    q_weight, k_weight, eps = (None, None, None) if norms is None else (norms.q, norms.k, norms.eps)
    steps = [step for x in (q, k, out, k_slot, cos) for step in _steps(x)]
    heads, up = launch.blocks["heads"], triton.next_power_of_2
    _rope_and_store[(t, triton.cdiv(h, heads) + 2 * triton.cdiv(g, heads), b)](
        q, k, v, cos, sin, q_weight, k_weight, out, k_slot, v_slot, start, h, g, *steps, eps,
        HALF=half, KEPT=kept, INTERLEAVED=interleaved,
        HEADS=heads, BLOCK_HALF=up(half), BLOCK_KEPT=up(max(kept, 1)), BLOCK_D=up(d), **launch.options,
    )  # fmt: skip
    return out, k_slot, v_slot


def _steps(x: Tensor) -> tuple[int, ...]:
    """Strides of all but the last dimension; 0 along a dimension of one, which is never stepped along, or broadcast."""
    return tuple(0 if size == 1 else stride for size, stride in zip(x.shape[:-1], x.stride()[:-1], strict=True))


def _check(
    q: Tensor, k: Tensor, v: Tensor, cos: Tensor, sin: Tensor, k_slot: Tensor, v_slot: Tensor,
    start: Tensor | None, norms: Any,
) -> None:  # fmt: skip
    own = k_slot if start is None else k_slot[:, :, : k.shape[2]]
    for name, x, like in (("v", v, k), ("k_slot", own, k), ("v_slot", v_slot, k_slot), ("sin", sin, cos)):
        if x.shape != like.shape:
            raise ValueError(f"{name} has shape {list(x.shape)}: expected {list(like.shape)}")
        if name != "k_slot" and _steps(x) != _steps(like):
            raise ValueError(f"{name} has strides {x.stride()}: expected those of its partner, {like.stride()}")
    if norms is not None and any(w.shape != q.shape[-1:] or w.stride(0) != 1 for w in (norms.q, norms.k)):
        raise ValueError(f"norms are {list(norms.q.shape)} and {list(norms.k.shape)}: expected dense [{q.shape[-1]}]")
    if any(x.stride(-1) != 1 for x in (q, k, v, cos, sin, k_slot, v_slot)):
        raise ValueError("the last dimension of q, k, v, cos, sin and the slots must be dense (stride 1)")
    (b, _, t, d), (batch, tokens, half) = q.shape, cos.shape
    if k.shape[0] != b or k.shape[2:] != (t, d) or batch not in (1, b) or tokens != t or 2 * half > d:
        raise ValueError(f"q {list(q.shape)}, k {list(k.shape)} and cos {list(cos.shape)} do not belong together")
