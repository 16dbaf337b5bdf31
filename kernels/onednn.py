"""Packed weights of 4 bits in oneDNN's matmul, which torch has for Intel GPUs: one call, whatever the number of rows.

`torch.ops.aten._weight_int4pack_mm_with_scales_and_zeros` computes x @ ((code - zero) * scale).T from words of eight
codes, scales in the number format of x (16 bits), and zero points in int8, one of each for 32 weights or more. A format
fits where that is the same as its own values: Q4_0, whose zero point is 8 and whose scales are float16, with x in
float16; the INT4 groups of GPTQ, AWQ and compressed-tensors where their scales are numbers of x's format and their zero
points integers. Q4_1 and Q4_K add a minimum, which is no multiple of the scale, and Q5_K, Q6_K and Q8_0 have more bits.

It has neither been run nor timed on a GPU yet, and is off unless a stage has `kernels="onednn"`. Its weights lie beside
the blocks, from which they are made once: blocks that change afterwards are not seen.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, Int8, Int32
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from .torch_kernels import TorchKernels
from .weights import PackedRows, PackedWeight

BITS = 4
INT4_FORMATS = ("Q4_0", "INT4_32", "INT4_64", "INT4_128")
DTYPES = (torch.float16, torch.bfloat16)
# On which devices, from how many rows of x on, and in which formats oneDNN multiplies.
CHOICE = {"xpu": (1, INT4_FORMATS)}


class Int4Rows(NamedTuple):
    """Rows of a matrix as oneDNN reads them; code j of a word is in its bits 4*j to 4*j + 3."""

    words: Int32[Tensor, "n words"]
    scales: Float[Tensor, "groups n"]
    zeros: Int8[Tensor, "groups n"]
    group: int

    def unpack(self) -> Float[Tensor, "n k"]:
        """The weights in float32."""
        shifts = torch.arange(0, 32, BITS, dtype=torch.int32, device=self.words.device)
        codes = ((self.words[..., None] >> shifts) & 15).flatten(1)
        codes = codes.unflatten(1, (-1, self.group)).float()
        centred = codes - self.zeros.t()[..., None].float()
        return (self.scales.t()[..., None].float() * centred).flatten(1)


def unsupported_reason(rows: PackedRows, dtype: torch.dtype) -> str | None:
    """Why oneDNN cannot multiply exactly these weights with x in `dtype`; None where it can."""
    if rows.format.name not in INT4_FORMATS:
        return f"{rows.format} has no scale and integer zero point for codes of {BITS} bits"
    if dtype not in DTYPES:
        return f"x is {dtype}: expected one of {list(DTYPES)}"
    fields = rows.fields
    scale = fields["scale"].view(rows.format.scale_dtype)
    if not torch.equal(scale.to(dtype).float(), scale.float()):
        return f"{rows.format} has scales that {dtype} rounds"
    if "zero" in fields:
        zero = fields["zero"].view(rows.format.scale_dtype)
        if not torch.equal(zero.to(torch.int8).to(zero.dtype), zero):
            return f"{rows.format} has zero points that are no integers of 8 bits"
    return None


def int4_rows(rows: PackedRows, dtype: torch.dtype) -> Int4Rows:
    """The same weights as oneDNN reads them. Raises ValueError for those that do not fit, with the reason."""
    if reason := unsupported_reason(rows, dtype):
        raise ValueError(reason)
    n, _ = rows.shape
    fields = rows.fields
    scale = fields["scale"].view(rows.format.scale_dtype)[..., 0]
    zeros = torch.full_like(scale, 8, dtype=torch.int8)
    if "zero" in fields:
        zeros = fields["zero"].view(rows.format.scale_dtype)[..., 0].to(torch.int8)
    codes = fields["codes"].unflatten(-1, (-1, 1, 16))
    codes = torch.cat([codes & 15, codes >> BITS], dim=-2).view(n, -1, 2)
    pairs = codes[..., 0] | codes[..., 1] << BITS
    return Int4Rows(
        words=pairs.contiguous().view(torch.int32),
        scales=scale.t().to(dtype).contiguous(),
        zeros=zeros.t().contiguous(),
        group=rows.format.elements,
    )


def int4_matmul(x: Float[Tensor, "rows k"], weight: Int4Rows) -> Float[Tensor, "rows n"]:
    """x W^T in one call of torch's operation, which is there on Intel GPUs alone."""
    return torch.ops.aten._weight_int4pack_mm_with_scales_and_zeros(
        x.contiguous(), weight.words, weight.group, weight.scales, weight.zeros
    )


class OnednnKernels(TorchKernels):
    """Torch's operations, and oneDNN's matmul for packed weights that fit it; each is arranged for it once."""

    name = "onednn"
    planar_blocks = False

    def __init__(self) -> None:
        self._arranged = WeakTensorKeyDictionary()  # for blocks, in each number format of x

    def _unpack_and_multiply(self, x: Tensor, weight: PackedWeight) -> Tensor:
        """One call for each part that fits; the others are unpacked by tiles."""
        columns = []
        for part in weight.parts:
            arranged = self._arranged_for(x, part)
            if arranged is None:
                columns.append(super()._unpack_and_multiply(x, weight._replace(parts=(part,))))
            else:
                columns.append(int4_matmul(x, arranged))
        return columns[0] if len(columns) == 1 else torch.cat(columns, dim=-1)

    def _arranged_for(self, x: Tensor, part: PackedRows) -> Int4Rows | None:
        least_rows, formats = CHOICE.get(x.device.type, (0, ()))
        if part.format.name not in formats or len(x) < least_rows:
            return None
        arranged = self._arranged.setdefault(part.blocks, {})
        if x.dtype not in arranged:
            fits = unsupported_reason(part, x.dtype) is None
            arranged[x.dtype] = int4_rows(part, x.dtype) if fits else None
        return arranged[x.dtype]


ONEDNN = OnednnKernels()
