"""The matrix product in front of attention, with its norm, its rotation and the cache update: one launch.

A rotation takes two elements of a head at a time. Here the two rows of the weight that make them are neighbours in a
program's accumulator, so that RoPE is an epilogue: q, k and v never lie in memory before it, which saves a launch and
2*(h + 2g)*d*s bytes a token.
"""

from __future__ import annotations

from math import gcd
from typing import Any

import triton
import triton.language as tl
from torch import Tensor

from ..packed import launch_sources
from ..torch_kernels import split_heads
from ..weights import Weight
from .arguments import (
    MAX_ROWS,
    CacheSlots,
    LinearStrides,
    QKVShape,
    RopeTables,
    check_int32,
    check_vectors,
)
from .block_matmul import dot_of_blocks
from .linear import (
    MIN_ROWS,
    check_norm,
    check_weight,
    gemv_launch,
    gemv_or_dot,
    is_aligned,
    linear,
    norm_pointers,
)
from .norm import as_rows
from .packed_matmul import packed_gemv_or_dot, packed_launch
from .packed_tiles import aligned, packed_pointers
from .rope import rope_and_store
from .tuning import LaunchConfig


@triton.jit
def _qkv_rope_and_store(
    x_ptr, weight, bias_ptr, norm, rope, q_out_ptr, slots, shape, strides,
    HEAD_DIM: tl.constexpr, HALF: tl.constexpr, INTERLEAVED: tl.constexpr, PER_HEAD: tl.constexpr,
    FORMAT: tl.constexpr, USE_DOT: tl.constexpr, EVEN_K: tl.constexpr, BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr,
    BLOCK_K: tl.constexpr, BLOCK_NORM: tl.constexpr,
    NUM_STAGES: tl.constexpr, BLOCK_LOADS: tl.constexpr,
):  # fmt: skip
    """BLOCK_N / 2 pairs of elements of heads, for all rows of x: row = request * num_tokens + token."""
    # Offsets of the weight's rows
    PAIRS: tl.constexpr = HEAD_DIM // 2
    lane = tl.arange(0, BLOCK_N)
    pair = tl.program_id(0) * (BLOCK_N // 2) + lane // 2
    weight_row_mask = pair < (shape.query_heads + 2 * shape.kv_heads) * PAIRS
    weight_head = _weight_head(pair // PAIRS, shape.query_heads, PER_HEAD)
    weight_row = weight_head * HEAD_DIM + _element(pair % PAIRS, lane % 2, HALF, PAIRS, INTERLEAVED)
    # The epilogue's operands are prefetched: they take as long as a tile, and nothing would hide them there.
    if bias_ptr is not None and not BLOCK_LOADS:
        bias = tl.load(bias_ptr + weight_row, mask=weight_row_mask, other=0.0).to(tl.float32)[
            :, None
        ]

    # Offsets and masks of the results, and their angles
    pair = tl.program_id(0) * (BLOCK_N // 2) + tl.arange(0, BLOCK_N // 2)[:, None]
    row = tl.arange(0, BLOCK_M)[None, :]
    head = pair // PAIRS
    pair_of_head = pair % PAIRS
    batch = (row // shape.num_tokens).to(tl.int64)
    token = row % shape.num_tokens
    mask = (row < shape.num_rows) & (head < shape.query_heads + 2 * shape.kv_heads)
    is_rotated = mask & (pair_of_head < HALF) & (head < shape.query_heads + shape.kv_heads)
    angle_offsets = batch * rope.stride_batch + token * rope.stride_token + pair_of_head
    cos = tl.load(rope.cos_ptr + angle_offsets, mask=is_rotated, other=1.0).to(tl.float32)
    sin = tl.load(rope.sin_ptr + angle_offsets, mask=is_rotated, other=0.0).to(tl.float32)
    start = 0 if slots.start_ptr is None else tl.load(slots.start_ptr).to(tl.int64)

    # Matrix product
    if BLOCK_LOADS:  # all pairs of a program belong to one head
        first_pair = tl.program_id(0) * (BLOCK_N // 2)
        weight_head = _weight_head(first_pair // PAIRS, shape.query_heads, PER_HEAD)
        first = _element(first_pair % PAIRS, 0, HALF, PAIRS, INTERLEAVED)
        second = _element(first_pair % PAIRS, 1, HALF, PAIRS, INTERLEAVED)
        y1, y2 = dot_of_blocks(
            x_ptr, weight, bias_ptr, norm,
            weight_head * HEAD_DIM + first, weight_head * HEAD_DIM + second, BLOCK_N // 2,
            shape.num_rows, shape.k, strides,
            2 if INTERLEAVED else 1, True, EVEN_K, BLOCK_M, BLOCK_N // 2, BLOCK_K, BLOCK_NORM, NUM_STAGES,
        )  # fmt: skip
    else:
        if FORMAT is None:
            weight_row_ptrs = weight + weight_row.to(tl.int64)[:, None] * strides.weight
            y = gemv_or_dot(
                x_ptr, weight_row_ptrs, norm, weight_row_mask, shape.num_rows, shape.k, strides.x,
                USE_DOT, EVEN_K, BLOCK_M, BLOCK_N, BLOCK_K, BLOCK_NORM, NUM_STAGES,
            )  # fmt: skip
        else:
            y = packed_gemv_or_dot(
                x_ptr, weight, tl.where(weight_row_mask, weight_row, 0), norm,
                shape.num_rows, shape.k, strides.x,
                FORMAT, USE_DOT, EVEN_K, BLOCK_M, BLOCK_N, BLOCK_K, BLOCK_NORM, NUM_STAGES,
            )  # fmt: skip
        if bias_ptr is not None:
            y += bias
        y1, y2 = tl.split(tl.permute(tl.reshape(y, (BLOCK_N // 2, 2, BLOCK_M)), (0, 2, 1)))

    # Rotate each pair
    out1 = y1 * cos - y2 * sin
    out2 = y2 * cos + y1 * sin

    # Store q, k and v
    element1 = _element(pair_of_head, 0, HALF, PAIRS, INTERLEAVED)
    element2 = _element(pair_of_head, 1, HALF, PAIRS, INTERLEAVED)
    is_q = mask & (head < shape.query_heads)
    q_row_ptrs = q_out_ptr + (row * shape.query_heads + head) * HEAD_DIM
    tl.store(q_row_ptrs + element1, out1, mask=is_q)
    tl.store(q_row_ptrs + element2, out2, mask=is_q)
    slot_offsets = batch * slots.stride_batch + (start + token) * slots.stride_token
    is_k = mask & (head >= shape.query_heads) & (head < shape.query_heads + shape.kv_heads)
    k_row_ptrs = slots.k_ptr + (slot_offsets + (head - shape.query_heads) * slots.stride_head)
    tl.store(k_row_ptrs + element1, out1, mask=is_k)
    tl.store(k_row_ptrs + element2, out2, mask=is_k)
    is_v = mask & (head >= shape.query_heads + shape.kv_heads)
    v_head = head - shape.query_heads - shape.kv_heads
    v_row_ptrs = slots.v_ptr + (slot_offsets + v_head * slots.stride_head)
    tl.store(v_row_ptrs + element1, out1, mask=is_v)
    tl.store(v_row_ptrs + element2, out2, mask=is_v)


@triton.jit
def _weight_head(head, query_heads, PER_HEAD: tl.constexpr):
    """The place in the matrix of a head: PER_HEAD, q, k and v of a head are neighbours."""
    return head % query_heads * 3 + head // query_heads if PER_HEAD else head


@triton.jit
def _element(
    pair, second, HALF: tl.constexpr, PAIRS: tl.constexpr, INTERLEAVED: tl.constexpr
):  # fmt: skip
    """The place in its head of a pair's first (0) or second (1) element.

    Neighbours, or at a distance: that of HALF pairs which are rotated, and of the others, which follow these.
    """
    if INTERLEAVED:
        element = 2 * pair + second
    else:
        kept = pair + HALF + second * (PAIRS - HALF)
        element = tl.where(pair < HALF, pair + second * HALF, kept)
    return element


def qkv_rope_and_store(
    x: Tensor,
    weight: Weight,
    bias: Tensor | None,
    norm: Any,
    cos: Tensor,
    sin: Tensor,
    k_slot: Tensor,
    v_slot: Tensor,
    interleaved: bool,
    start: Tensor | None = None,
    per_head: bool = False,
    *,
    launch: LaunchConfig | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """x [b, t, m], at most 16 tokens in all, times weight [(h + 2g) * d, m]; then RoPE and the cache update.

    `norm`, `bias` as in `linear`; cos, sin, the slots and `start` as in `rope_and_store`; `per_head`: the rows of
    weight are q, k and v of the first head, then of the next. A packed weight that
    one launch cannot read is `linear`, then `rope_and_store`. Returns q [b, h, t, d], rotated, and the
    slots. Raises ValueError for more tokens, or for sizes that do not belong together.
    """
    b, t, m = x.shape
    _, kv_heads, num_slots, head_dim = k_slot.shape
    n = weight.shape[0]
    query_heads = n // head_dim - 2 * kv_heads
    _check(x, weight, cos, k_slot, v_slot, query_heads)
    check_vectors(n, bias=bias)
    check_norm(norm, m)
    check_int32(start=start)
    x_rows = as_rows(x)
    num_rows = b * t
    sources = launch_sources(weight)
    if len(sources) != 1:
        merged = linear(x, weight, bias, norm, launch=launch)
        q, k, v = split_heads(merged, kv_heads, head_dim, per_head=per_head)
        return rope_and_store(q, k, v, cos, sin, k_slot, v_slot, interleaved, start)
    source = sources[0]
    if isinstance(source, Tensor):
        matrix = source
        stride = matrix.stride(0)
        grid, constants = gemv_launch(
            n, m, matrix.element_size(), pairs=True, use_dot=num_rows > 1,
            aligned=is_aligned(x_rows, matrix, launch, first_row=1 if interleaved else MIN_ROWS),
            device_type=x.device.type, launch=launch,
            neighbours=neighbours_of(head_dim, cos.shape[-1], interleaved),
        )  # fmt: skip
    else:
        matrix = packed_pointers(source)
        x_rows = x_rows if num_rows > 1 else aligned(x_rows)
        stride = 0
        grid, constants = packed_launch(
            n, m, source.format.name, pairs=True, num_rows=num_rows,
            device_type=x.device.type, launch=launch,
        )  # fmt: skip
    rope = RopeTables(
        cos_ptr=cos,
        sin_ptr=sin,
        stride_batch=0 if len(cos) == 1 else cos.stride(0),
        stride_token=cos.stride(1),
    )
    slots = CacheSlots(
        k_ptr=k_slot,
        v_ptr=v_slot,
        start_ptr=start,
        stride_batch=k_slot.stride(0),
        stride_head=k_slot.stride(1),
        stride_token=0 if num_slots == 1 else k_slot.stride(2),
    )
    out = x.new_empty(b, t, query_heads, head_dim)
    _qkv_rope_and_store[grid](
        x_rows, matrix, bias, norm_pointers(norm), rope, out, slots,
        QKVShape(num_rows, num_tokens=t, query_heads=query_heads, kv_heads=kv_heads, k=m),
        LinearStrides(
            x=x_rows.stride(0),
            weight=stride,
            block=stride * (2 if interleaved else 1),
            residual=0,
            residual2=0,
            out=0,
        ),
        HEAD_DIM=head_dim, HALF=cos.shape[-1], INTERLEAVED=interleaved, PER_HEAD=per_head,
        **constants,
    )  # fmt: skip
    return out.transpose(1, 2), k_slot, v_slot


def neighbours_of(head_dim: int, half: int, interleaved: bool) -> int:
    """A number of pairs whose rows of the weight have one distance, wherever a multiple of it begins."""
    return head_dim // 2 if interleaved else gcd(half, head_dim // 2)


def _check(
    x: Tensor, weight: Weight, cos: Tensor, k_slot: Tensor, v_slot: Tensor, query_heads: int
) -> None:
    b, t, m = x.shape
    d = k_slot.shape[-1]
    if b * t > MAX_ROWS:
        raise ValueError(f"x is {list(x.shape)}: expected at most {MAX_ROWS} tokens")
    check_weight(weight, m)
    if query_heads < 1 or weight.shape[0] % d or d % 2:
        raise ValueError(f"weight is {list(weight.shape)}: expected rows for whole heads of {d}")
    alike = v_slot.shape == k_slot.shape and v_slot.stride() == k_slot.stride()
    if not alike or k_slot.stride(-1) != 1 or len(k_slot) != b:
        raise ValueError(
            f"slots are {list(k_slot.shape)} and {list(v_slot.shape)}: "
            f"expected two alike for {b} requests"
        )
    if cos.shape[1] != t or len(cos) not in (1, b) or 2 * cos.shape[-1] > d:
        raise ValueError(f"cos is {list(cos.shape)}: expected [1 or {b}, {t}, at most {d} / 2]")
