"""Keys and values in eight bits: a row of one head and one token is int8 codes and one float32 scale.

The scale is the largest magnitude of the row, over 127; a code is `x / scale`, rounded to nearest, ties to even. What
attention uses is `code * scale`. Every set of kernels rounds in this way, so that all store the same.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Float32, Int8
from torch import Tensor

MAX_CODE = 127
MIN_SCALE = 2.0**-126  # a divisor for rows of zeros: the smallest normal float32


def quantize(
    x: Float[Tensor, "*rows d"],
) -> tuple[Int8[Tensor, "*rows d"], Float32[Tensor, "*rows"]]:
    """The codes and the scales of rows, which are computed in float32; a row of zeros has scale 0."""
    x = x.float()
    scale = x.abs().amax(dim=-1) / MAX_CODE
    codes = x / scale.clamp(min=MIN_SCALE)[..., None]
    return codes.round_().to(torch.int8), scale


def dequantize(
    codes: Int8[Tensor, "*rows d"], scale: Float32[Tensor, "*rows"], dtype: torch.dtype
) -> Float[Tensor, "*rows d"]:
    """`code * scale`, computed in float32 and rounded to `dtype`."""
    return (codes * scale[..., None]).to(dtype)
