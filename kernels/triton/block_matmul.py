"""The matmul of several rows with blocks of a weight: 2D loads, straight into the registers of a matrix engine.

By pointers the rows of a pair (gate and up, or the two elements of a rotation) alternate in one tile. A block's rows
have one distance in memory: here the first rows of the pairs are a block, the second ones another, with sums each.
"""

from __future__ import annotations

import triton
import triton.language as tl

from .norm import HEADROOM, row_statistics
from .tiles import load_columns, make_block, next_columns


@triton.jit
def dot_of_blocks(
    x_ptr, weight_ptr, bias_ptr, norm, first, second, num_block_rows, num_rows, k, strides,
    STEP: tl.constexpr, PAIRS: tl.constexpr, EVEN_K: tl.constexpr, BLOCK_M: tl.constexpr, BLOCK_ROWS: tl.constexpr,
    BLOCK_K: tl.constexpr, BLOCK_NORM: tl.constexpr, NUM_STAGES: tl.constexpr,
):  # fmt: skip
    """The transposed matmul of the rows of x, normalised, with two blocks of the weight, and their biases.

    The blocks are each STEP-th row of the weight from `first` and from `second` on, of which `num_block_rows` exist.
    Returns twice [BLOCK_ROWS, BLOCK_M]; twice the first unless PAIRS.
    """
    lane = tl.arange(0, BLOCK_ROWS)
    lane_mask = lane < num_block_rows
    if bias_ptr is not None:
        bias1 = tl.load(bias_ptr + first + STEP * lane, mask=lane_mask, other=0.0).to(tl.float32)
        bias2 = bias1
        if PAIRS:
            bias2 = tl.load(bias_ptr + second + STEP * lane, mask=lane_mask, other=0.0)
            bias2 = bias2.to(tl.float32)

    row = tl.arange(0, BLOCK_M)[:, None]
    if norm.bias_ptr is not None:  # a LayerNorm
        mean, inverse_std = row_statistics(
            x_ptr, row, num_rows, strides.x, k, norm.eps, True, BLOCK_M, BLOCK_NORM
        )
    elif norm.weight_ptr is not None:  # an RMSNorm
        squares = tl.zeros([BLOCK_M], tl.float32)

    weight_stride = tl.cast(strides.weight, tl.int64)
    weights1 = make_block(
        weight_ptr + first * weight_stride, strides.block, num_block_rows, k, BLOCK_ROWS, BLOCK_K
    )
    weights2 = make_block(
        weight_ptr + second * weight_stride, strides.block, num_block_rows, k, BLOCK_ROWS, BLOCK_K
    )
    x_block = make_block(x_ptr, strides.x, num_rows, k, BLOCK_M, BLOCK_K, TRANSPOSE=True)
    y1 = tl.zeros([BLOCK_ROWS, BLOCK_M], tl.float32)
    y2 = tl.zeros([BLOCK_ROWS, BLOCK_M], tl.float32)
    for start in tl.range(0, k, BLOCK_K, num_stages=NUM_STAGES):
        w1 = load_columns(weights1, start)
        if norm.weight_ptr is None:
            x = load_columns(x_block, start, TRANSPOSE=True)
        else:
            # Intel's compiler makes a branch of a mask: rows outside of x are the last one, and not stored.
            column = start + tl.arange(0, BLOCK_K)[None, :]
            column_mask = column < k
            if not EVEN_K:
                column = tl.minimum(column, k - 1)
            x = tl.load(x_ptr + tl.minimum(row, num_rows - 1) * strides.x + column).to(tl.float32)
            gain = tl.load(norm.weight_ptr + column).to(tl.float32)
            if norm.bias_ptr is not None:
                x = (x - mean) * inverse_std * gain + tl.load(norm.bias_ptr + column).to(tl.float32)
            else:
                if not EVEN_K:
                    x = tl.where(column_mask, x, 0.0)
                squares += tl.sum(x * x, 1)
                x *= gain * HEADROOM
            x = tl.trans(x.to(w1.dtype))
        y1 = tl.dot(w1, x, y1, input_precision="ieee")
        weights1 = next_columns(weights1, BLOCK_K)
        if PAIRS:
            w2 = load_columns(weights2, start)
            y2 = tl.dot(w2, x, y2, input_precision="ieee")
            weights2 = next_columns(weights2, BLOCK_K)
        x_block = next_columns(x_block, BLOCK_K, TRANSPOSE=True)

    if norm.weight_ptr is not None and norm.bias_ptr is None:
        inverse_rms = tl.rsqrt(squares / k + norm.eps) / HEADROOM
        y1 *= inverse_rms[None, :]
        y2 *= inverse_rms[None, :]
    if bias_ptr is not None:
        y1 += bias1[:, None]
        y2 += bias2[:, None]
    return y1, y2 if PAIRS else y1
