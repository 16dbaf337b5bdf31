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

from .arguments import cdiv, next_power_of_2
from .norm import HEADROOM, row_statistics
from .packed_tiles import (
    WORDS_OF_VECTOR,
    codes_of_half,
    column_of,
    load_high_words,
    load_neighbours,
    load_scales,
    load_words,
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
    mean = 0.0
    inverse_std = 1.0
    if norm.bias_ptr is not None:  # a LayerNorm
        row = tl.arange(0, BLOCK_M)[:, None]
        mean, inverse_std = row_statistics(
            x_ptr, row, num_rows, stride_x, k, norm.eps, True, BLOCK_M, BLOCK_NORM
        )
    if USE_DOT:
        y, squares = _packed_dot(
            x_ptr, planes, weight_row[:, None], norm, mean, inverse_std, num_rows, k, stride_x,
            FORMAT, EVEN_K, BLOCK_M, BLOCK_N, BLOCK_K, NUM_STAGES,
        )  # fmt: skip
    else:
        y, squares = _packed_gemv(
            x_ptr, planes, weight_row[:, None], norm, mean, inverse_std, k,
            FORMAT, EVEN_K, BLOCK_N, BLOCK_K, NUM_STAGES,
        )  # fmt: skip
    if norm.weight_ptr is not None and norm.bias_ptr is None:
        inverse_rms = tl.rsqrt(squares / k + norm.eps)
        y *= (inverse_rms / HEADROOM if USE_DOT else inverse_rms)[None, :]
    return y


@triton.jit
def _packed_dot(
    x_ptr, planes, weight_row, norm, mean, inverse_std, num_rows, k, stride_x,
    FORMAT: tl.constexpr, EVEN_K: tl.constexpr, BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr,
    BLOCK_K: tl.constexpr, NUM_STAGES: tl.constexpr,
):  # fmt: skip
    """Several rows: weights in the order of x's columns, one tl.dot for each half; and the squares of rows."""
    HALVES: tl.constexpr = 1 if FORMAT == "Q8_0" else 2
    WORDS: tl.constexpr = BLOCK_K // (4 * HALVES)
    # Neighbouring vectors whose halves have one scale.
    SHARED: tl.constexpr = (FORMAT == "Q8_0" or FORMAT == "Q4_K") or FORMAT == "Q5_K"
    VECTORS_OF_SCALE: tl.constexpr = 2 if SHARED else 1
    # Counted by blocks of 32: the compiler sees that rows begin at multiples of 16 bytes.
    words_of_row = k // 32 * (8 // HALVES)
    row = tl.arange(0, BLOCK_M)[:, None]
    acc = tl.zeros([BLOCK_N, BLOCK_M], tl.float32)
    squares = tl.zeros([BLOCK_M], tl.float32)
    for first_word in tl.range(0, words_of_row, WORDS, num_stages=NUM_STAGES):
        word = first_word + tl.arange(0, WORDS)[None, :]
        vector = first_word // WORDS_OF_VECTOR
        scale = tl.arange(0, WORDS // (VECTORS_OF_SCALE * WORDS_OF_VECTOR))[None, :]
        vector += VECTORS_OF_SCALE * scale
        byte = first_word * 4 + tl.arange(0, WORDS * 4)[None, :]
        word_mask = None if EVEN_K else word < words_of_row
        vector_mask = None if EVEN_K else vector < words_of_row // WORDS_OF_VECTOR
        column_mask = byte < 4 * words_of_row
        words = load_words(planes.codes_ptr, weight_row, words_of_row, word, word_mask)
        high_words = load_high_words(planes.high_ptr, weight_row, k, word, word_mask, FORMAT)
        for HALF in tl.static_range(HALVES):
            column = column_of(byte, HALF, FORMAT)
            x = tl.load(
                x_ptr + row * stride_x + column, mask=(row < num_rows) & column_mask, other=0.0
            )
            if norm.weight_ptr is not None:
                x = x.to(tl.float32)
                gain = tl.load(norm.weight_ptr + column, mask=column_mask, other=0.0)
                gain = gain.to(tl.float32)
                if norm.bias_ptr is not None:
                    bias = tl.load(norm.bias_ptr + column, mask=column_mask, other=0.0)
                    x = (x - mean) * inverse_std * gain + bias.to(tl.float32)
                else:
                    squares += tl.sum(x * x, 1)
                    x *= gain * HEADROOM
            scale, minimum = load_scales(
                planes.scales_ptr, weight_row, k, vector, vector_mask, HALF, FORMAT
            )
            codes = codes_of_half(words, high_words, word, HALF, FORMAT)
            w = weights_of_half(
                codes, scale, minimum, x_ptr.dtype.element_ty, HALF, FORMAT, BLOCK_N, WORDS
            )
            acc = tl.dot(w, tl.trans(x.to(w.dtype)), acc, input_precision="ieee")
    return acc, squares


@triton.jit
def _packed_gemv(
    x_ptr, planes, weight_row, norm, mean, inverse_std, k,
    FORMAT: tl.constexpr, EVEN_K: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr,
    NUM_STAGES: tl.constexpr,
):  # fmt: skip
    """One row: codes times x, summed by vectors, which have one scale; and the squares of x, [1]."""
    HALVES: tl.constexpr = 1 if FORMAT == "Q8_0" else 2
    WORDS: tl.constexpr = BLOCK_K // (4 * HALVES)
    VECTORS: tl.constexpr = WORDS // WORDS_OF_VECTOR
    words_of_row = k // 32 * (8 // HALVES)
    acc = tl.zeros([BLOCK_N, VECTORS], tl.float32)
    squares = tl.zeros([1, WORDS], tl.float32)
    for first_word in tl.range(0, words_of_row, WORDS, num_stages=NUM_STAGES):
        word = first_word + tl.arange(0, WORDS)[None, :]
        vector = first_word // WORDS_OF_VECTOR + tl.arange(0, VECTORS)[None, :]
        word_mask = None if EVEN_K else word < words_of_row
        vector_mask = None if EVEN_K else vector < words_of_row // WORDS_OF_VECTOR
        # x comes first: Triton's compiler arranges registers as the last of the loads has them, here 16 bytes of codes.
        x_low, squares = _load_normalised(
            x_ptr, column_of(4 * word, 0, FORMAT), word_mask, norm, mean, inverse_std, squares
        )
        x_high = x_low
        if HALVES == 2:
            x_high, squares = _load_normalised(
                x_ptr, column_of(4 * word, 1, FORMAT), word_mask, norm, mean, inverse_std, squares
            )
        words = load_words(planes.codes_ptr, weight_row, words_of_row, word, word_mask)
        high_words = load_high_words(planes.high_ptr, weight_row, k, word, word_mask, FORMAT)
        for HALF in tl.static_range(HALVES):
            x0, x1, x2, x3 = x_high if HALF else x_low
            scale, minimum = load_scales(
                planes.scales_ptr, weight_row, k, vector, vector_mask, HALF, FORMAT
            )
            codes = codes_of_half(words, high_words, word, HALF, FORMAT)
            products = times_code(codes, x0, 0, HALF, FORMAT)
            products += times_code(codes, x1, 1, HALF, FORMAT)
            products += times_code(codes, x2, 2, HALF, FORMAT)
            products += times_code(codes, x3, 3, HALF, FORMAT)
            acc += scale * _sum_by_vectors(products, BLOCK_N, VECTORS)
            if (FORMAT == "Q4_1" or FORMAT == "Q4_K") or FORMAT == "Q5_K":
                acc += minimum * _sum_by_vectors((x0 + x1) + (x2 + x3), 1, VECTORS)
    return tl.sum(acc, 1, keep_dims=True), tl.sum(squares, 1)


@triton.jit
def _load_normalised(x_ptr, column, mask, norm, mean, inverse_std, squares):
    """Four columns of x from each of `column`, with all of its norm but the division by an RMS; and their squares."""
    x0, x1, x2, x3 = load_neighbours(x_ptr, column, mask)
    if norm.weight_ptr is not None:
        gain0, gain1, gain2, gain3 = load_neighbours(norm.weight_ptr, column, mask)
        if norm.bias_ptr is not None:
            bias0, bias1, bias2, bias3 = load_neighbours(norm.bias_ptr, column, mask)
            x0 = (x0 - mean) * inverse_std * gain0 + bias0
            x1 = (x1 - mean) * inverse_std * gain1 + bias1
            x2 = (x2 - mean) * inverse_std * gain2 + bias2
            x3 = (x3 - mean) * inverse_std * gain3 + bias3
        else:
            squares += (x0 * x0 + x1 * x1) + (x2 * x2 + x3 * x3)
            x0 *= gain0
            x1 *= gain1
            x2 *= gain2
            x3 *= gain3
    return (x0, x1, x2, x3), squares


@triton.jit
def _sum_by_vectors(x, ROWS: tl.constexpr, VECTORS: tl.constexpr):
    """Sums of the four words of vectors, [ROWS, VECTORS]."""
    return tl.sum(tl.reshape(x, (ROWS, VECTORS, WORDS_OF_VECTOR)), 2)


def packed_launch(
    n: int, k: int, format_name: str, *, pairs: bool, num_rows: int, device_type: str,
    launch: LaunchConfig | None,
) -> tuple[tuple[int], dict[str, Any]]:  # fmt: skip
    """The grid and the constants of a launch for packed rows [n, k]; `pairs` as in `gemv_launch`."""
    compute = _packed_launch if launch is None else _packed_launch.__wrapped__
    block_m = 1
    if num_rows > 1:
        min_columns = (launch or launch_for("packed_matrix", device_type)).blocks["min_columns"]
        block_m = max(min_columns, next_power_of_2(num_rows))
    return compute(n, k, format_name, pairs, block_m, device_type, launch)


@cache
def _packed_launch(
    n: int, k: int, format_name: str, pairs: bool, block_m: int, device_type: str,
    launch: LaunchConfig | None,
) -> tuple[tuple[int], dict[str, Any]]:  # fmt: skip
    use_dot = block_m > 1
    launch = launch or launch_for("packed_matrix" if use_dot else "packed_vector", device_type)
    least = max(launch.blocks["min_rows"], 2 if pairs else 1)
    block_n = max(launch.blocks["max_rows"], least)
    while block_n > least and cdiv(n, block_n) < launch.blocks["min_programs"]:
        block_n //= 2
    halves = 1 if format_name == "Q8_0" else 2
    block_k = min(halves * launch.blocks["code_bytes"], max(256, next_power_of_2(k)))
    constants = {
        "FORMAT": format_name,
        "USE_DOT": use_dot,
        "EVEN_K": k % block_k == 0,
        "BLOCK_M": block_m,
        "BLOCK_N": block_n,
        "BLOCK_K": block_k,
        "BLOCK_NORM": min(next_power_of_2(k), launch.blocks["norm_tile"] // block_m),
        "NUM_STAGES": launch.num_stages,
        "BLOCK_LOADS": False,
    }
    return (cdiv(n, block_n),), constants | launch.options
