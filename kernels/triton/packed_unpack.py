"""Rows of packed weights as dense ones, for the matmul of a prefill: their blocks are read once, n*k*s bytes written.

The weights are those of `PackedRows.unpack`, which the last of their operations rounds.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from ..packed import check_planes, has_gpu_kernel
from ..torch_kernels import TORCH
from ..weights import PackedRows
from .arguments import cdiv, next_power_of_2
from .packed_tiles import (
    WORDS_OF_VECTOR,
    codes_of_half,
    column_of,
    load_high_words,
    load_scales,
    load_words,
    packed_pointers,
    weights_of_half,
)
from .tuning import LaunchConfig, launch_for


@triton.jit
def _unpack(
    planes, out_ptr, first_row, last_row, k,
    FORMAT: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr,
):  # fmt: skip
    """BLOCK_N rows, BLOCK_K columns of them."""
    HALVES: tl.constexpr = 1 if FORMAT == "Q8_0" else 2
    WORDS: tl.constexpr = BLOCK_K // (4 * HALVES)
    VECTORS: tl.constexpr = WORDS // WORDS_OF_VECTOR
    words_of_row = k // 32 * (8 // HALVES)
    row = first_row + tl.program_id(0) * BLOCK_N + tl.arange(0, BLOCK_N)[:, None]
    row_mask = row < last_row
    first_word = tl.program_id(1) * WORDS
    word = first_word + tl.arange(0, WORDS)[None, :]
    vector = first_word // WORDS_OF_VECTOR + tl.arange(0, VECTORS)[None, :]
    byte = first_word * 4 + tl.arange(0, WORDS * 4)[None, :]
    word_mask = row_mask & (word < words_of_row)
    vector_mask = row_mask & (vector < words_of_row // WORDS_OF_VECTOR)

    words = load_words(planes.codes_ptr, row, words_of_row, word, word_mask)
    high_words = load_high_words(planes.high_ptr, row, k, word, word_mask, FORMAT)
    out_row_ptrs = out_ptr + (row - first_row).to(tl.int64) * k
    for HALF in tl.static_range(HALVES):
        scale, minimum = load_scales(planes.scales_ptr, row, k, vector, vector_mask, HALF, FORMAT)
        codes = codes_of_half(words, high_words, word, HALF, FORMAT)
        weights = weights_of_half(
            codes, scale, minimum, out_ptr.dtype.element_ty, HALF, FORMAT, BLOCK_N, WORDS
        )
        mask = row_mask & (byte < 4 * words_of_row)
        tl.store(out_row_ptrs + column_of(byte, HALF, FORMAT), weights, mask=mask)


def unpack(
    rows: PackedRows,
    first: int,
    last: int,
    dtype: torch.dtype,
    *,
    launch: LaunchConfig | None = None,
) -> Tensor:
    """Rows `first` to `last` of packed weights in a format of torch, [last - first, k].

    A format without tiles is torch's. Raises ValueError for rows that do not exist, or blocks that are not in planes.
    """
    if not has_gpu_kernel(rows):
        return TORCH.unpack(rows, first, last, dtype)
    n, k = rows.shape
    check_planes(rows, k)
    if not 0 <= first <= last <= n:
        raise ValueError(f"rows {first} to {last} of {n}: expected 0 <= first <= last <= {n}")
    launch = launch or launch_for("unpack", rows.blocks.device.type)
    out = torch.empty((last - first, k), dtype=dtype, device=rows.blocks.device)
    block_n = launch.blocks["rows"]
    block_k = min(launch.blocks["block_k"], max(256, next_power_of_2(k)))
    grid = (cdiv(last - first, block_n), cdiv(k, block_k))
    if last > first:
        _unpack[grid](
            packed_pointers(rows), out, first, last, k,
            FORMAT=rows.format.name, BLOCK_N=block_n, BLOCK_K=block_k, **launch.options,
        )  # fmt: skip
    return out
