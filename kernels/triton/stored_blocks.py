"""Packed rows in the blocks of a GGUF file, byte for byte: their matmul with few rows, and the rows as dense ones.

The kernels of `packed_matmul.py` read planes, which begin at multiples of 16 bytes. Rows of another library are read
as they lie, without a second copy. Blocks of Q4_1, Q4_K and Q5_K are loaded in words of 32 bits; those of Q4_0, Q8_0
and Q6_K, which begin at multiples of 2 bytes, in halves of words.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

from ..block_formats import BlockFormat
from ..weights import PackedRows
from .arguments import cdiv, next_power_of_2
from .packed_matmul import _sum_by_vectors, packed_launch
from .packed_tiles import (
    WORDS_OF_VECTOR,
    aligned,
    codes_of_half,
    column_of,
    load_neighbours,
    load_scales,
    times_code,
    weights_of_half,
)
from .tuning import launch_for


class BlockLayout(NamedTuple):
    """Bytes of a block; where its codes, their high bits and its scales begin; words of its codes."""

    nbytes: int
    codes: int
    high: int
    scales: int
    code_words: int


def block_layout(blocks: BlockFormat) -> BlockLayout:
    """The layout of a format with codes: its scales follow one another, as they do in a plane."""
    starts = {}
    first = 0
    for name, size in blocks.fields:
        starts[name] = first
        first += size
    return BlockLayout(
        nbytes=blocks.nbytes,
        codes=starts.pop("codes"),
        high=starts.pop("high", 0),
        scales=min(starts.values()),
        code_words=dict(blocks.fields)["codes"] // 4,
    )


@triton.jit
def _load_words(
    row_ptrs, word, mask, BLOCK_BYTES: tl.constexpr, START: tl.constexpr, WORDS: tl.constexpr
):
    """Words of a field, which begins at byte START of each block and has WORDS of them."""
    # Counted in units of what is loaded: the compiler sees neighbours, and loads several at a time.
    if BLOCK_BYTES % 4 == 0:
        ptrs = row_ptrs.to(tl.pointer_type(tl.uint32)) + word // WORDS * (BLOCK_BYTES // 4)
        words = tl.load(ptrs + START // 4 + word % WORDS, mask=mask, other=0)
    else:
        half_ptrs = row_ptrs.to(tl.pointer_type(tl.uint16)) + word // WORDS * (BLOCK_BYTES // 2)
        half_ptrs += START // 2 + word % WORDS * 2
        low = tl.load(half_ptrs, mask=mask, other=0).to(tl.uint32)
        high = tl.load(half_ptrs + 1, mask=mask, other=0).to(tl.uint32)
        words = low | high << 16
    return words


@triton.jit
def _load_codes(row_ptrs, word, mask, LAYOUT: tl.constexpr, FORMAT: tl.constexpr):
    """Words of codes, and the words with their high bits, as `load_high_words` counts them."""
    words = _load_words(row_ptrs, word, mask, LAYOUT.nbytes, LAYOUT.codes, LAYOUT.code_words)
    high_words = words
    if FORMAT == "Q5_K":
        high = word // 32 * 8 + word % 8
        high_words = _load_words(row_ptrs, high, mask, LAYOUT.nbytes, LAYOUT.high, 8)
    elif FORMAT == "Q6_K":
        high = word // 16 * 8 + word % 8
        high_words = _load_words(row_ptrs, high, mask, LAYOUT.nbytes, LAYOUT.high, 16)
    return words, high_words


@triton.jit
def _load_scales(
    row_ptrs, vector, mask, HALF: tl.constexpr, LAYOUT: tl.constexpr, FORMAT: tl.constexpr
):
    """Scale and minimum of the halves of vectors: `load_scales` of the block that each vector lies in."""
    VECTORS: tl.constexpr = LAYOUT.code_words // WORDS_OF_VECTOR
    scales_ptrs = row_ptrs + vector // VECTORS * LAYOUT.nbytes + LAYOUT.scales
    first_row = tl.zeros([1, 1], tl.int32)
    return load_scales(scales_ptrs, first_row, 0, vector % VECTORS, mask, HALF, FORMAT)


@triton.jit
def _gemv(
    x_ptr, weight_ptr, experts_ptr, out_ptr, n, k, top_k,
    LAYOUT: tl.constexpr, FORMAT: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr,
    NUM_STAGES: tl.constexpr,
):  # fmt: skip
    """BLOCK_N outputs of one row of x, or of one of the `top_k` of experts [n, k] that the row has."""
    HALVES: tl.constexpr = 1 if FORMAT == "Q8_0" else 2
    WORDS: tl.constexpr = BLOCK_K // (4 * HALVES)
    VECTORS: tl.constexpr = WORDS // WORDS_OF_VECTOR
    words_of_row = k // 32 * (8 // HALVES)
    row_bytes = words_of_row // LAYOUT.code_words * LAYOUT.nbytes
    choice = tl.program_id(0).to(tl.int64)
    x_row_ptr = x_ptr + choice // top_k * k
    output = tl.program_id(1) * BLOCK_N + tl.arange(0, BLOCK_N)[:, None]
    weight_row = tl.minimum(output, n - 1).to(tl.int64)
    if experts_ptr is not None:
        weight_row += tl.load(experts_ptr + choice).to(tl.int64) * n
    row_ptrs = weight_ptr + weight_row * row_bytes

    acc = tl.zeros([BLOCK_N, VECTORS], tl.float32)
    for first_word in tl.range(0, words_of_row, WORDS, num_stages=NUM_STAGES):
        word = first_word + tl.arange(0, WORDS)[None, :]
        vector = first_word // WORDS_OF_VECTOR + tl.arange(0, VECTORS)[None, :]
        word_mask = word < words_of_row
        vector_mask = vector < words_of_row // WORDS_OF_VECTOR
        words, high_words = _load_codes(row_ptrs, word, word_mask, LAYOUT, FORMAT)
        for HALF in tl.static_range(HALVES):
            column = column_of(4 * word, HALF, FORMAT)
            x0, x1, x2, x3 = load_neighbours(x_row_ptr, column, word_mask)
            scale, minimum = _load_scales(row_ptrs, vector, vector_mask, HALF, LAYOUT, FORMAT)
            codes = codes_of_half(words, high_words, word, HALF, FORMAT)
            products = times_code(codes, x0, 0, HALF, FORMAT)
            products += times_code(codes, x1, 1, HALF, FORMAT)
            products += times_code(codes, x2, 2, HALF, FORMAT)
            products += times_code(codes, x3, 3, HALF, FORMAT)
            acc += scale * _sum_by_vectors(products, BLOCK_N, VECTORS)
            if (FORMAT == "Q4_1" or FORMAT == "Q4_K") or FORMAT == "Q5_K":
                acc += minimum * _sum_by_vectors((x0 + x1) + (x2 + x3), 1, VECTORS)
    out_ptrs = out_ptr + choice * n + output
    tl.store(out_ptrs, tl.sum(acc, 1, keep_dims=True), mask=output < n)


@triton.jit
def _dot(
    x_ptr, weight_ptr, out_ptr, num_rows, n, k,
    LAYOUT: tl.constexpr, FORMAT: tl.constexpr, BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr,
    BLOCK_K: tl.constexpr, NUM_STAGES: tl.constexpr,
):  # fmt: skip
    """BLOCK_N outputs of all rows of x, by tl.dot."""
    HALVES: tl.constexpr = 1 if FORMAT == "Q8_0" else 2
    WORDS: tl.constexpr = BLOCK_K // (4 * HALVES)
    VECTORS: tl.constexpr = WORDS // WORDS_OF_VECTOR
    words_of_row = k // 32 * (8 // HALVES)
    row_bytes = words_of_row // LAYOUT.code_words * LAYOUT.nbytes
    row = tl.arange(0, BLOCK_M)[:, None]
    output = tl.program_id(0) * BLOCK_N + tl.arange(0, BLOCK_N)[:, None]
    row_ptrs = weight_ptr + tl.minimum(output, n - 1).to(tl.int64) * row_bytes

    acc = tl.zeros([BLOCK_N, BLOCK_M], tl.float32)
    for first_word in tl.range(0, words_of_row, WORDS, num_stages=NUM_STAGES):
        word = first_word + tl.arange(0, WORDS)[None, :]
        vector = first_word // WORDS_OF_VECTOR + tl.arange(0, VECTORS)[None, :]
        byte = first_word * 4 + tl.arange(0, WORDS * 4)[None, :]
        word_mask = word < words_of_row
        vector_mask = vector < words_of_row // WORDS_OF_VECTOR
        x_mask = (row < num_rows) & (byte < 4 * words_of_row)
        words, high_words = _load_codes(row_ptrs, word, word_mask, LAYOUT, FORMAT)
        for HALF in tl.static_range(HALVES):
            x = tl.load(x_ptr + row * k + column_of(byte, HALF, FORMAT), mask=x_mask, other=0.0)
            scale, minimum = _load_scales(row_ptrs, vector, vector_mask, HALF, LAYOUT, FORMAT)
            codes = codes_of_half(words, high_words, word, HALF, FORMAT)
            w = weights_of_half(codes, scale, minimum, x.dtype, HALF, FORMAT, BLOCK_N, WORDS)
            acc = tl.dot(w, tl.trans(x), acc, input_precision="ieee")
    row = tl.arange(0, BLOCK_M)[None, :]
    tl.store(out_ptr + row * n + output, acc, mask=(output < n) & (row < num_rows))


@triton.jit
def _unpack(
    weight_ptr, ids_ptr, out_ptr, num_rows, k,
    LAYOUT: tl.constexpr, FORMAT: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr,
):  # fmt: skip
    """BLOCK_K columns of BLOCK_N rows: those that `ids_ptr` names, or the first ones."""
    HALVES: tl.constexpr = 1 if FORMAT == "Q8_0" else 2
    WORDS: tl.constexpr = BLOCK_K // (4 * HALVES)
    VECTORS: tl.constexpr = WORDS // WORDS_OF_VECTOR
    words_of_row = k // 32 * (8 // HALVES)
    row_bytes = words_of_row // LAYOUT.code_words * LAYOUT.nbytes
    row = tl.program_id(0) * BLOCK_N + tl.arange(0, BLOCK_N)[:, None]
    row_mask = row < num_rows
    first_word = tl.program_id(1) * WORDS
    word = first_word + tl.arange(0, WORDS)[None, :]
    vector = first_word // WORDS_OF_VECTOR + tl.arange(0, VECTORS)[None, :]
    byte = first_word * 4 + tl.arange(0, WORDS * 4)[None, :]
    word_mask = row_mask & (word < words_of_row)
    vector_mask = row_mask & (vector < words_of_row // WORDS_OF_VECTOR)

    stored_row = row
    if ids_ptr is not None:
        stored_row = tl.load(ids_ptr + row, mask=row_mask, other=0)
    row_ptrs = weight_ptr + stored_row.to(tl.int64) * row_bytes
    words, high_words = _load_codes(row_ptrs, word, word_mask, LAYOUT, FORMAT)
    out_row_ptrs = out_ptr + row.to(tl.int64) * k
    for HALF in tl.static_range(HALVES):
        scale, minimum = _load_scales(row_ptrs, vector, vector_mask, HALF, LAYOUT, FORMAT)
        codes = codes_of_half(words, high_words, word, HALF, FORMAT)
        weights = weights_of_half(
            codes, scale, minimum, out_ptr.dtype.element_ty, HALF, FORMAT, BLOCK_N, WORDS
        )
        mask = row_mask & (byte < 4 * words_of_row)
        tl.store(out_row_ptrs + column_of(byte, HALF, FORMAT), weights, mask=mask)


def stored_launch(
    n: int, k: int, blocks: BlockFormat, *, num_rows: int, device_type: str
) -> dict[str, Any]:
    """The constants of a launch for rows [n, k] and `num_rows` of x: the tiles that planes of that size have."""
    launch = launch_for("packed_vector" if num_rows == 1 else "packed_matrix", device_type)
    _, tiles = packed_launch(
        n, k, blocks.name, pairs=False, num_rows=num_rows, device_type=device_type, launch=None
    )
    names = ["FORMAT", "BLOCK_N", "BLOCK_K", "NUM_STAGES"]
    names += ["BLOCK_M"] if num_rows > 1 else []
    constants = {name: tiles[name] for name in names}
    return constants | {"LAYOUT": block_layout(blocks)} | launch.options


def gemv(rows: PackedRows, x: Tensor, experts: Tensor | None = None, *, n: int) -> Tensor:
    """Every row of x [m, k] times the experts that it has, of `rows` [experts * n, k]: float32 [m, top_k, n].

    `experts` [m, top_k] are their numbers; None: there is one, of n rows. Each choice reads the bytes of an expert.
    """
    k = x.shape[1]
    top_k = 1 if experts is None else experts.shape[1]
    out = torch.empty(len(x), top_k, n, dtype=torch.float32, device=x.device)
    constants = stored_launch(n, k, rows.format, num_rows=1, device_type=x.device.type)
    if out.numel():
        _gemv[(len(x) * top_k, cdiv(n, constants["BLOCK_N"]))](
            aligned(x.contiguous()), rows.blocks,
            None if experts is None else experts.contiguous(), out, n, k, top_k, **constants,
        )  # fmt: skip
    return out


def matmul(rows: PackedRows, x: Tensor) -> Tensor:
    """x [m, k], at most 16 rows, times the rows [n, k]: float32 [m, n]; all bytes of the rows are read once."""
    n, k = rows.shape
    if len(x) <= 1:
        return gemv(rows, x, n=n)[:, 0]
    out = torch.empty(len(x), n, dtype=torch.float32, device=x.device)
    constants = stored_launch(n, k, rows.format, num_rows=len(x), device_type=x.device.type)
    _dot[(cdiv(n, constants["BLOCK_N"]),)](
        x.contiguous(), rows.blocks, out, len(x), n, k, **constants
    )
    return out


def unpack(rows: PackedRows, ids: Tensor | None, dtype: torch.dtype) -> Tensor:
    """The rows that `ids` [m] names, or all, in a number format of torch: [m, k]."""
    k = rows.shape[1]
    num_rows = rows.shape[0] if ids is None else len(ids)
    launch = launch_for("unpack", rows.blocks.device.type)
    out = torch.empty(num_rows, k, dtype=dtype, device=rows.blocks.device)
    block_n = launch.blocks["rows"]
    block_k = min(launch.blocks["block_k"], max(256, next_power_of_2(k)))
    if num_rows:
        _unpack[(cdiv(num_rows, block_n), cdiv(k, block_k))](
            rows.blocks, None if ids is None else ids.contiguous(), out, num_rows, k,
            LAYOUT=block_layout(rows.format), FORMAT=rows.format.name,
            BLOCK_N=block_n, BLOCK_K=block_k, **launch.options,
        )  # fmt: skip
    return out
