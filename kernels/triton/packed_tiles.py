"""Tiles of packed weights: words of codes, the scales of each four words, and what they are in fp32.

A lane loads 16 bytes of codes, a vector of four words. The low halves of the bytes are weights of one group, the high
halves those of the next one (a byte of Q8_0 is one weight). In all formats the halves of one kind in a vector have one
scale and one minimum: code * scale + minimum. The layouts are those of `kernels/block_formats.py`.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

from ..packed import PLANE_ALIGNMENT
from ..weights import PackedRows

WORDS_OF_VECTOR = tl.constexpr(4)
# 2^23 as bits of fp32: with an integer in its last 23 bits it is the sum of both, without a conversion.
EXPONENT_BITS = tl.constexpr(0x4B000000)
EXPONENT = tl.constexpr(2.0**23)


class PackedPointers(NamedTuple):
    """The planes of packed rows as a kernel receives them: codes and high bits in words of 32 bits, scales in bytes."""

    codes_ptr: Tensor
    high_ptr: Tensor | None
    scales_ptr: Tensor


def aligned(x: Tensor) -> Tensor:
    """One row of x, or a vector, at an address from which several elements are loaded at a time: itself or a copy."""
    return x if x.data_ptr() % PLANE_ALIGNMENT == 0 else x.clone()


def packed_pointers(rows: PackedRows) -> PackedPointers:
    """The planes of rows whose arrangement is planar."""
    codes, *high, scales = rows.planes
    return PackedPointers(
        codes_ptr=codes.view(torch.int32),
        high_ptr=high[0].view(torch.int32) if high else None,
        scales_ptr=scales,
    )


@triton.jit
def column_of(position, HALF: tl.constexpr, FORMAT: tl.constexpr):
    """The column of the matrix that byte `position` of a row of codes holds: in its low half (HALF 0) or high one."""
    HALVES: tl.constexpr = 1 if FORMAT == "Q8_0" else 2
    LARGE: tl.constexpr = (FORMAT == "Q4_K" or FORMAT == "Q5_K") or FORMAT == "Q6_K"
    GROUP: tl.constexpr = 64 if FORMAT == "Q6_K" else (32 if LARGE else 16)
    return position // GROUP * (GROUP * HALVES) + position % GROUP + HALF * GROUP


@triton.jit
def _load(ptrs, mask, ONCE: tl.constexpr = False):
    """Numbers at addresses, zero outside of a mask where there is one. ONCE: they leave the cache first."""
    if mask is None:
        numbers = tl.load(ptrs, eviction_policy="evict_first" if ONCE else "")
    else:
        numbers = tl.load(ptrs, mask=mask, other=0, eviction_policy="evict_first" if ONCE else "")
    return numbers


@triton.jit
def load_words(ptr, row, words_of_row, word, mask):
    """Words of rows [BLOCK_N, 1] at places [1, WORDS]."""
    row_ptrs = ptr + row.to(tl.int64) * words_of_row
    words = _load(row_ptrs + word, mask, ONCE=True)
    return words.to(tl.uint32, bitcast=True)


@triton.jit
def load_high_words(high_ptr, row, k, word, mask, FORMAT: tl.constexpr):
    """The words of high bits for words of codes; the codes' own words where the format has none."""
    if (
        FORMAT == "Q5_K"
    ):  # eight words for a block's 32 words of codes, a bit for each eighth of the block
        words = load_words(high_ptr, row, k // 256 * 8, word // 32 * 8 + word % 8, mask)
    elif (
        FORMAT == "Q6_K"
    ):  # eight words for 16 words of codes, two bits for each quarter of their weights
        words = load_words(high_ptr, row, k // 256 * 16, word // 16 * 8 + word % 8, mask)
    else:
        words = tl.zeros(word.shape, tl.uint32)
    return words


@triton.jit
def codes_of_half(words, high_words, word, HALF: tl.constexpr, FORMAT: tl.constexpr):
    """Words with one code in each byte, above the low halves or the high ones; of formats of 4 bits as they are."""
    if FORMAT == "Q8_0":
        codes = words ^ 0x80808080  # signed to unsigned: plus 128
    elif FORMAT == "Q5_K":
        bit = word // 8 % 4 * 2 + HALF
        codes = ((words >> (4 * HALF)) & 0x0F0F0F0F) | (((high_words >> bit) & 0x01010101) << 4)
    elif FORMAT == "Q6_K":
        bit = word // 8 % 2 * 2 + HALF * 4
        codes = ((words >> (4 * HALF)) & 0x0F0F0F0F) | (((high_words >> bit) & 0x03030303) << 4)
    else:
        codes = words
    return codes


@triton.jit
def times_code(codes, x, BYTE: tl.constexpr, HALF: tl.constexpr, FORMAT: tl.constexpr):
    """x times the code in byte 0 to 3 of each word of `codes_of_half`, less the offset of signed codes, in fp32.

    A code becomes the last bits of 2^23. Where they have the bits for it it keeps its place, which saves a shift: it is
    PLACE times as large then, and x is divided by that.
    """
    SHORT: tl.constexpr = (FORMAT == "Q4_0" or FORMAT == "Q4_1") or FORMAT == "Q4_K"
    BITS: tl.constexpr = 4 if SHORT else (8 if FORMAT == "Q8_0" else 6)
    SIGNED: tl.constexpr = 128 if FORMAT == "Q8_0" else (32 if FORMAT == "Q6_K" else 0)
    OFFSET: tl.constexpr = 8 if FORMAT == "Q4_0" else SIGNED
    FIRST: tl.constexpr = 8 * BYTE + (4 * HALF if SHORT else 0)
    SHIFT: tl.constexpr = 0 if FIRST + BITS <= 23 else 16
    PLACE: tl.constexpr = 2 ** (FIRST - SHIFT)
    # Mask and exponent in one instruction, which takes one constant: the compiler does not see the value of the other.
    exponent_bits = tl.program_id(2).to(tl.uint32) + EXPONENT_BITS
    bits = ((codes >> SHIFT) & ((2**BITS - 1) * PLACE)) | exponent_bits
    return (bits.to(tl.float32, bitcast=True) - (EXPONENT + OFFSET * PLACE)) * (x * (1 / PLACE))


@triton.jit
def load_scales(scales_ptr, row, k, vector, mask, HALF: tl.constexpr, FORMAT: tl.constexpr):
    """Scale and minimum of the halves of vectors [1, VECTORS] in rows [BLOCK_N, 1], in fp32; zero for no minimum."""
    row = row.to(tl.int64)
    if FORMAT == "Q4_0":
        scale = _load_scale_of_block(scales_ptr + row * (k // 32 * 2), vector, mask)
        minimum = 0.0
    elif FORMAT == "Q4_1":
        both = _load_word(scales_ptr + row * (k // 32 * 4) + vector * 4, mask)
        scale, minimum = _halves_of_word(both)
    elif FORMAT == "Q8_0":
        scale = _load_scale_of_block(scales_ptr + row * (k // 32 * 2), vector // 2, mask)
        minimum = 0.0
    elif FORMAT == "Q6_K":
        block_ptrs = scales_ptr + row * (k // 256 * 18) + vector // 8 * 18
        scale_ptrs = block_ptrs + vector % 8 // 4 * 8 + HALF * 4 + vector % 4
        small = _load(scale_ptrs.to(tl.pointer_type(tl.int8)), mask)
        scale = _load_half(block_ptrs + 16, mask) * small.to(tl.float32)
        minimum = 0.0
    else:
        block_ptrs = scales_ptr + row * (k // 256 * 16) + vector // 8 * 16
        scale, minimum = _load_scale_of_6_bits(block_ptrs, vector % 8 // 2, mask, HALF)
    return scale, minimum


@triton.jit
def _load_half(ptrs, mask):
    """Numbers in fp16 that lie at addresses of bytes, in fp32."""
    return _load(ptrs.to(tl.pointer_type(tl.float16)), mask).to(tl.float32)


@triton.jit
def _load_word(ptrs, mask):
    """Words that lie at addresses of bytes."""
    return _load(ptrs.to(tl.pointer_type(tl.uint32)), mask)


@triton.jit
def _load_scale_of_block(row_ptrs, block, mask):
    """Scales in fp16, one after the other, in fp32; without a mask rows are of an even number of blocks.

    A load of two scales is wide enough for the compiler to prefetch it.
    """
    if mask is None:
        words = _load_word(row_ptrs + block // 2 * 4, mask)
        scale = _halves_of_word(words >> (block % 2 * 16).to(tl.uint32))[0]
    else:
        scale = _load_half(row_ptrs + block * 2, mask)
    return scale


@triton.jit
def _halves_of_word(word):
    """The two numbers in fp16 that lie in a word, in fp32."""
    first = word.to(tl.uint16).to(tl.float16, bitcast=True)
    second = (word >> 16).to(tl.uint16).to(tl.float16, bitcast=True)
    return first.to(tl.float32), second.to(tl.float32)


@triton.jit
def _load_scale_of_6_bits(block_ptrs, pair, mask, HALF: tl.constexpr):
    """Scale and minimum of group 2 * pair + HALF of eight groups of 32 weights, from the 16 bytes of a block.

    Four words: scale and minimum of the block; 6 bits of each of the first four scales, above each 2 bits of one of the
    last four; the same of the minimums; 4 bits of each of the last four scales, above each 4 of a minimum.
    """
    shift = (pair % 2 * 16).to(tl.uint32)
    first_scales = _load_word(block_ptrs + 4, mask) >> shift
    first_minimums = _load_word(block_ptrs + 8, mask) >> shift
    both = _load_word(block_ptrs + 12, mask) >> shift
    last_scales = (both & 0x0F0F) | ((first_scales >> 2) & 0x3030)
    last_minimums = ((both >> 4) & 0x0F0F) | ((first_minimums >> 2) & 0x3030)
    scales = tl.where(pair < 2, first_scales & 0x3F3F, last_scales)
    minimums = tl.where(pair < 2, first_minimums & 0x3F3F, last_minimums)
    scale, minimum = _halves_of_word(_load_word(block_ptrs, mask))
    return scale * _number_of_byte(scales, HALF), -minimum * _number_of_byte(minimums, HALF)


@triton.jit
def _number_of_byte(pairs, BYTE: tl.constexpr):
    """The lower (0) or the upper (1) of two bytes, in fp32."""
    return (pairs >> 8 if BYTE else pairs & 255).to(tl.float32)


@triton.jit
def load_neighbours(ptr, offset, mask):
    """Four neighbours from each offset, a multiple of 4, in fp32: of 16 bits each in one load of 64."""
    BITS: tl.constexpr = ptr.dtype.element_ty.primitive_bitwidth
    if BITS == 16:
        bits = _load((ptr + offset).to(tl.pointer_type(tl.uint64)), mask)
        x0 = _number_of_16_bits(ptr, bits)
        x1 = _number_of_16_bits(ptr, bits >> 16)
        x2 = _number_of_16_bits(ptr, bits >> 32)
        x3 = _number_of_16_bits(ptr, bits >> 48)
    else:
        x0 = _load(ptr + offset, mask)
        x1 = _load(ptr + offset + 1, mask)
        x2 = _load(ptr + offset + 2, mask)
        x3 = _load(ptr + offset + 3, mask)
    return x0, x1, x2, x3


@triton.jit
def _number_of_16_bits(ptr, bits):
    """The number in the last 16 bits, in the format of `ptr`, in fp32."""
    return bits.to(tl.uint16).to(ptr.dtype.element_ty, bitcast=True).to(tl.float32)


@triton.jit
def weights_of_half(
    codes, scale, minimum, DTYPE: tl.constexpr, HALF: tl.constexpr, FORMAT: tl.constexpr,
    ROWS: tl.constexpr, WORDS: tl.constexpr,
):  # fmt: skip
    """The weights of codes in the order of bytes, [ROWS, 4 * WORDS]; computed in fp32."""
    scale = _spread(scale, ROWS, WORDS)
    w0 = times_code(codes, scale, 0, HALF, FORMAT)
    w1 = times_code(codes, scale, 1, HALF, FORMAT)
    w2 = times_code(codes, scale, 2, HALF, FORMAT)
    w3 = times_code(codes, scale, 3, HALF, FORMAT)
    if (FORMAT == "Q4_1" or FORMAT == "Q4_K") or FORMAT == "Q5_K":
        minimum = _spread(minimum, ROWS, WORDS)
        w0 += minimum
        w1 += minimum
        w2 += minimum
        w3 += minimum
    even = tl.join(w0.to(DTYPE), w2.to(DTYPE))
    odd = tl.join(w1.to(DTYPE), w3.to(DTYPE))
    return tl.reshape(tl.join(even, odd), (ROWS, 4 * WORDS))


@triton.jit
def _spread(x, ROWS: tl.constexpr, WORDS: tl.constexpr):
    """A number of each group of words for all of its words."""
    GROUPS: tl.constexpr = x.shape[1]
    x = tl.broadcast_to(x[:, :, None], (ROWS, GROUPS, WORDS // GROUPS))
    return tl.reshape(x, (ROWS, WORDS))
