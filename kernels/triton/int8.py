"""Rounding of rows to int8 codes with a scale, bit for bit as `tinyllm.kernels.int8` rounds."""

from __future__ import annotations

import triton
import triton.language as tl

MAX_CODE = tl.constexpr(127.0)
# 1.5 * 2^23: a sum of this size is rounded to an integer.
ROUNDING = tl.constexpr(12582912.0)
MIN_SCALE = tl.constexpr(1e-30)


@triton.jit
def largest_of(x):
    """The largest magnitude of each row: [rows, 1]."""
    return tl.max(tl.abs(x), 1, keep_dims=True)


@triton.jit
def _high_half(x):
    """x in fp32 with 12 of its 24 digits: two such numbers times each other are exact."""
    return (x.to(tl.int32, bitcast=True) & -4096).to(tl.float32, bitcast=True)


@triton.jit
def _divide(x, y):
    """x / y in fp32 as torch divides, correctly rounded: a quotient, and the remainder that it leaves.

    The halves of the factors make the remainder exact. A division alone may be wrong in the last digit, and for
    `tl.div_rn` Intel's Triton calls a library, of which a kernel gets 28,000 instructions.
    """
    inverse = 1.0 / y
    quotient = x * inverse
    quotient_high = _high_half(quotient)
    quotient_low = quotient - quotient_high
    y_high = _high_half(y)
    y_low = y - y_high
    remainder = x - quotient_high * y_high
    remainder -= quotient_high * y_low
    remainder -= quotient_low * y_high
    remainder -= quotient_low * y_low
    return quotient + remainder * inverse


@triton.jit
def scale_of(largest):
    """The scales of rows with these largest magnitudes [rows, 1]."""
    return _divide(largest, tl.full(largest.shape, MAX_CODE, tl.float32))


@triton.jit
def codes_of(x, scale):
    """x / scale in int8, to nearest, ties to even; zeros where all of a row are zero, or smaller than fp32 divides."""
    quotient = _divide(x, tl.where(scale > MIN_SCALE, scale, 1.0))
    return ((quotient + ROUNDING) - ROUNDING).to(tl.int8)
