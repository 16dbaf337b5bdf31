"""An online softmax, tile by tile, and the reduction of its splits: what attention's kernels share."""

from __future__ import annotations

import triton
import triton.language as tl

LOG2_E = tl.constexpr(1.4426950408889634)
# A scale of int8 values is max|v| / 127: of a weight times 64 of it fp16 has as many digits as of the values.
SCALE_UNIT = tl.constexpr(64.0)


@triton.jit
def online_softmax_step(
    q, k, v, mask, bias, scale, row_max, row_sum, acc,
    SOFTCAP: tl.constexpr, AS_BLOCK: tl.constexpr, v_scale=None,
):  # fmt: skip
    """One more tile of keys in an online softmax (Milakov and Gimelshein 2018): k [BLOCK_D, BLOCK_N],
    v [BLOCK_N, BLOCK_D].

    `mask` is [BLOCK_M or 1, BLOCK_N]; `scale`, one number or one of each key, and `bias` are in units of log2, for
    exp2. AS_BLOCK: k and v were loaded as blocks. `v_scale` [BLOCK_N]: the scales of int8 values, of which acc is in
    units of 1 / SCALE_UNIT.
    """
    scores = tl.dot(q, k, input_precision="ieee") * scale
    if SOFTCAP is not None:
        # tanh(x) = 1 - 2 / (exp(2x) + 1), whose exponential may be zero or infinite
        scores = (1.0 - 2.0 / (tl.exp2(scores * (2.0 / SOFTCAP)) + 1.0)) * (SOFTCAP * LOG2_E)
    scores = tl.where(mask, scores + bias, float("-inf"))

    new_max = tl.maximum(row_max, tl.max(scores, 1))
    base = tl.where(new_max == float("-inf"), 0.0, new_max)  # of a row without a key so far
    weights = tl.exp2(scores - base[:, None])
    correction = tl.exp2(row_max - base)
    scaled = weights if v_scale is None else weights * (v_scale * SCALE_UNIT)[None, :]
    cast = scaled.to(v.dtype)
    if AS_BLOCK and v.dtype == tl.float16:
        # The same, since no weight is negative. Without an operation between the cast and the matmul, Intel's
        # compiler scales all of acc before the first matrix instruction, and spills it.
        cast = tl.abs(cast)
    acc = tl.dot(cast, v, acc * correction[:, None], input_precision="ieee")
    return new_max, row_sum * correction + tl.sum(weights, 1), acc


@triton.jit
def store_partial(
    partial_ptr, counter_ptr, split, row_max, row_sum, acc, row_mask, d,
    BLOCK_M: tl.constexpr, BLOCK_D: tl.constexpr, SPLITS: tl.constexpr,
):  # fmt: skip
    """Store the softmax state of one split; returns whether it is the last to arrive."""
    row = tl.arange(0, BLOCK_M)
    acc_ptr = partial_ptr + SPLITS * BLOCK_M * 2
    tl.store(partial_ptr + (split * 2) * BLOCK_M + row, row_max, mask=row_mask)
    tl.store(partial_ptr + (split * 2 + 1) * BLOCK_M + row, row_sum, mask=row_mask)
    acc_ptrs = acc_ptr + (split * BLOCK_M + row)[:, None] * BLOCK_D + d[None, :]
    tl.store(acc_ptrs, acc, mask=row_mask[:, None])
    tl.debug_barrier()  # all threads have stored before one of them counts
    return tl.atomic_add(counter_ptr, 1, sem="acq_rel") == SPLITS - 1


@triton.jit
def reduce_partials(
    partial_ptr, row, row_mask, d,
    BLOCK_M: tl.constexpr, BLOCK_D: tl.constexpr, SPLITS: tl.constexpr,
):  # fmt: skip
    """Row sums and weighted values of some rows of a tile over all splits. No load waits for another."""
    NUM_ROWS: tl.constexpr = row.shape[0]
    row_max = tl.full([NUM_ROWS], float("-inf"), tl.float32)
    for s in tl.static_range(SPLITS):
        max_ptrs = partial_ptr + s * 2 * BLOCK_M + row
        split_max = tl.load(max_ptrs, mask=row_mask, other=0.0, cache_modifier=".cg")
        row_max = tl.maximum(row_max, split_max)

    base = tl.where(row_max == float("-inf"), 0.0, row_max)
    row_sum = tl.zeros([NUM_ROWS], tl.float32)
    acc = tl.zeros([NUM_ROWS, BLOCK_D], tl.float32)
    acc_ptrs = partial_ptr + SPLITS * BLOCK_M * 2 + row[:, None] * BLOCK_D + d[None, :]
    for s in tl.static_range(SPLITS):
        max_ptrs = partial_ptr + s * 2 * BLOCK_M + row
        sum_ptrs = max_ptrs + BLOCK_M
        split_max = tl.load(max_ptrs, mask=row_mask, other=0.0, cache_modifier=".cg")
        weight = tl.exp2(split_max - base)
        row_sum += weight * tl.load(sum_ptrs, mask=row_mask, other=0.0, cache_modifier=".cg")
        split_acc_ptrs = acc_ptrs + s * BLOCK_M * BLOCK_D
        split_acc = tl.load(split_acc_ptrs, mask=row_mask[:, None], other=0.0, cache_modifier=".cg")
        acc += weight[:, None] * split_acc
    return row_sum, acc
