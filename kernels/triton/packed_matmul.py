"""The matmul of few rows with packed weights: each byte of a weight is read once, and turned into numbers on the way.

One row (a GEMV): codes times x are summed in fp32 by vectors of 16 bytes, then multiplied with the scale of the vector;
its minimum is multiplied with the sum of x. No weight is rounded. Several rows: tl.dot, with the weights rounded to the
format of x, as the same matrix is when it has been unpacked.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import triton
import triton.language as tl

from .arguments import MAX_ROWS
from .norm import HEADROOM, row_statistics
from .packed_tiles import (
    WORDS_OF_VECTOR,
    codes_of_half,
    column_of,
    load_high_words,
    load_scales,
    load_words,
    split_bytes,
    times_code,
    weights_of_half,
)
from .tuning import LaunchConfig, launch_for


@triton.jit
def packed_gemv_or_dot(
    x_ptr, planes, weight_row, norm, num_rows, k, stride_x,
    FORMAT: tl.constexpr, USE_DOT: tl.constexpr, EVEN_K: tl.constexpr, BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr, BLOCK_NORM: tl.constexpr,
    NUM_STAGES: tl.constexpr,
):  # fmt: skip
    """The transposed matmul of the rows of x, normalised, with rows `weight_row` [BLOCK_N]: [BLOCK_N, BLOCK_M].

    All these rows exist: one outside of the weight is given as the last one, and not stored.
    """
    HALVES: tl.constexpr = 1 if FORMAT == "Q8_0" else 2
    WORDS: tl.constexpr = BLOCK_K // (4 * HALVES)
    VECTORS: tl.constexpr = WORDS // WORDS_OF_VECTOR
    weight_row = weight_row[:, None]
    # Counted by blocks of 32: the compiler sees that rows begin at multiples of 16 bytes.
    words_of_row = k // 32 * (8 // HALVES)
    row = tl.arange(0, BLOCK_M)[:, None]
    mean = 0.0
    inverse_std = 1.0
    squares = tl.zeros([BLOCK_M], tl.float32)
    if norm.bias_ptr is not None:  # a LayerNorm
        mean, inverse_std = row_statistics(
            x_ptr, row, num_rows, stride_x, k, norm.eps, True, BLOCK_M, BLOCK_NORM
        )

    acc = tl.zeros([BLOCK_N, BLOCK_M if USE_DOT else VECTORS], tl.float32)
    for first_word in tl.range(0, words_of_row, WORDS, num_stages=NUM_STAGES):
        word = first_word + tl.arange(0, WORDS)[None, :]
        vector = first_word // WORDS_OF_VECTOR + tl.arange(0, VECTORS)[None, :]
        byte = first_word * 4 + tl.arange(0, WORDS * 4)[None, :]
        word_mask = None if EVEN_K else word < words_of_row
        vector_mask = None if EVEN_K else vector < words_of_row // WORDS_OF_VECTOR
        # x comes first: Triton's compiler arranges registers as the last of the loads has them, here 16 bytes of codes.
        x_low, squares = _load_x(
            x_ptr, row, column_of(byte, 0, FORMAT), byte < 4 * words_of_row, norm, mean, inverse_std, squares,
            num_rows, stride_x, USE_DOT,
        )  # fmt: skip
        x_high = x_low
        if HALVES == 2:
            x_high, squares = _load_x(
                x_ptr, row, column_of(byte, 1, FORMAT), byte < 4 * words_of_row, norm, mean, inverse_std, squares,
                num_rows, stride_x, USE_DOT,
            )  # fmt: skip
        words = load_words(planes.codes_ptr, weight_row, words_of_row, word, word_mask)
        high_words = load_high_words(planes.high_ptr, weight_row, k, word, word_mask, FORMAT)

        for HALF in tl.static_range(HALVES):
            x = x_high if HALF else x_low
            scale, minimum = load_scales(
                planes.scales_ptr, weight_row, k, vector, vector_mask, HALF, FORMAT
            )
            codes = codes_of_half(words, high_words, word, HALF, FORMAT)
            if USE_DOT:
                w0, w1, w2, w3 = weights_of_half(
                    codes, scale, minimum, HALF, FORMAT, BLOCK_N, WORDS
                )
                x0, x1, x2, x3 = split_bytes(x.to(x_ptr.dtype.element_ty), BLOCK_M, WORDS)
                acc = _add_dot(w0, x0, acc)
                acc = _add_dot(w1, x1, acc)
                acc = _add_dot(w2, x2, acc)
                acc = _add_dot(w3, x3, acc)
            else:
                acc = _add_products(codes, scale, minimum, x, acc, HALF, FORMAT, BLOCK_N, WORDS)

    y = acc if USE_DOT else tl.sum(acc, 1, keep_dims=True)
    if norm.weight_ptr is not None and norm.bias_ptr is None:
        inverse_rms = tl.rsqrt(squares / k + norm.eps)
        y *= (inverse_rms / HEADROOM if USE_DOT else inverse_rms)[None, :]
    return y


@triton.jit
def _load_x(
    x_ptr, row, column, column_mask, norm, mean, inverse_std, squares, num_rows, stride_x,
    USE_DOT: tl.constexpr,
):  # fmt: skip
    """Columns of x, with all of its norm but the division by an RMS, for which their squares are added up."""
    x_mask = (row < num_rows) & column_mask
    x = tl.load(x_ptr + row * stride_x + column, mask=x_mask, other=0.0)
    if norm.weight_ptr is not None:
        x = x.to(tl.float32)
        gain = tl.load(norm.weight_ptr + column, mask=column_mask, other=0.0).to(tl.float32)
        if norm.bias_ptr is not None:
            bias = tl.load(norm.bias_ptr + column, mask=column_mask, other=0.0).to(tl.float32)
            x = (x - mean) * inverse_std * gain + bias
        else:
            squares += tl.sum(x * x, 1)
            x *= gain * HEADROOM if USE_DOT else gain
    return x, squares


@triton.jit
def _add_dot(w, x, acc):
    """acc plus w [BLOCK_N, WORDS] times x [BLOCK_M, WORDS] transposed; w is rounded to the format of x."""
    return tl.dot(w.to(x.dtype), tl.trans(x), acc, input_precision="ieee")


@triton.jit
def _add_products(
    codes, scale, minimum, x, acc, HALF: tl.constexpr, FORMAT: tl.constexpr, BLOCK_N: tl.constexpr,
    WORDS: tl.constexpr,
):  # fmt: skip
    """acc [BLOCK_N, VECTORS] plus the halves of vectors times one row of x, [1, 4 * WORDS]."""
    VECTORS: tl.constexpr = WORDS // WORDS_OF_VECTOR
    x0, x1, x2, x3 = split_bytes(x, 1, WORDS)
    x0 = x0.to(tl.float32)
    x1 = x1.to(tl.float32)
    x2 = x2.to(tl.float32)
    x3 = x3.to(tl.float32)
    products = times_code(codes, x0, 0, HALF, FORMAT)
    products += times_code(codes, x1, 1, HALF, FORMAT)
    products += times_code(codes, x2, 2, HALF, FORMAT)
    products += times_code(codes, x3, 3, HALF, FORMAT)
    acc += scale * tl.sum(tl.reshape(products, (BLOCK_N, VECTORS, WORDS_OF_VECTOR)), 2)
    if (FORMAT == "Q4_1" or FORMAT == "Q4_K") or FORMAT == "Q5_K":
        sums = (x0 + x1) + (x2 + x3)
        acc += minimum * tl.sum(tl.reshape(sums, (1, VECTORS, WORDS_OF_VECTOR)), 2)
    return acc


def packed_launch(
    n: int, k: int, format_name: str, *, pairs: bool, use_dot: bool, device_type: str,
    launch: LaunchConfig | None,
) -> tuple[tuple[int], dict[str, Any]]:  # fmt: skip
    """The grid and the constants of a launch for packed rows [n, k]; `pairs` as in `gemv_launch`."""
    compute = _packed_launch if launch is None else _packed_launch.__wrapped__
    return compute(n, k, format_name, pairs, use_dot, device_type, launch)


@cache
def _packed_launch(
    n: int, k: int, format_name: str, pairs: bool, use_dot: bool, device_type: str,
    launch: LaunchConfig | None,
) -> tuple[tuple[int], dict[str, Any]]:  # fmt: skip
    launch = launch or launch_for("packed_matrix" if use_dot else "packed_vector", device_type)
    block_m = MAX_ROWS if use_dot else 1
    least = max(launch.blocks["min_rows"], 2 if pairs else 1)
    block_n = max(launch.blocks["max_rows"], least)
    while block_n > least and triton.cdiv(n, block_n) < launch.blocks["min_programs"]:
        block_n //= 2
    halves = 1 if format_name == "Q8_0" else 2
    block_k = min(halves * launch.blocks["code_bytes"], max(256, triton.next_power_of_2(k)))
    constants = {
        "FORMAT": format_name,
        "USE_DOT": use_dot,
        "EVEN_K": k % block_k == 0,
        "BLOCK_M": block_m,
        "BLOCK_N": block_n,
        "BLOCK_K": block_k,
        "BLOCK_NORM": min(triton.next_power_of_2(k), launch.blocks["norm_tile"] // block_m),
        "NUM_STAGES": launch.num_stages,
        "BLOCK_LOADS": False,
    }
    return (triton.cdiv(n, block_n),), constants | launch.options
