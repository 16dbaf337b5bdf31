"""C++ kernels for the processor of this machine, built on first use.

`unavailable` gives the reason where there are none; torch's operations then do the work.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..block_formats import FORMATS
from ..packed import decode_and_multiply, decode_rows
from ..torch_kernels import TorchKernels
from ..weights import DenseWeight, PackedRows, PackedWeight, Weight
from .build import BuildError, cache_folder, instruction_set
from .checks import MAX_HEAD_DIM, MAX_ROWS
from .matmul import matmul
from .operations import (
    Kernels,
    kernels,
    linear,
    load_kernels,
    segment_attention,
    unpack,
)
from .step import DecoderWeights, DecodeStep

__all__ = [
    "CPU",
    "MAX_HEAD_DIM",
    "MAX_ROWS",
    "BuildError",
    "CpuKernels",
    "DecodeStep",
    "DecoderWeights",
    "Kernels",
    "instruction_set",
    "kernels",
    "linear",
    "matmul",
    "segment_attention",
    "unavailable",
    "unpack",
]


def unavailable() -> str | None:
    """Why the kernels cannot be used on this machine, and what helps; None where they can."""
    loaded = load_kernels(cache_folder())
    return loaded if isinstance(loaded, str) else None


class CpuKernels(TorchKernels):
    """The set of these kernels; the signatures are those of `KernelSet`."""

    name = "cpu"
    native_step = True
    planar_blocks = False

    linear = staticmethod(linear)
    segment_attention = staticmethod(segment_attention)


CPU = CpuKernels()


def _unpack_natively(
    blocks: Tensor, name: str, planar: bool, first: int, last: int, dtype: torch.dtype
) -> Tensor:
    if planar or unavailable():
        return decode_rows(blocks, name, planar, first, last, dtype)
    return unpack(PackedRows(blocks, FORMATS[name]), first, last, dtype)


def _multiply_natively(
    x: Tensor,
    parts: Sequence[Tensor],
    formats: Sequence[str],
    bias: Tensor | None,
    residual: Tensor | None,
) -> Tensor:
    if unavailable():
        return decode_and_multiply(x, parts, formats, bias, residual)
    weight = _weight_of(parts, formats)
    if 1 <= len(x) <= MAX_ROWS:
        return linear(x, weight, bias, residuals=() if residual is None else (residual,))
    return matmul(x, weight, bias, residual)


def _weight_of(parts: Sequence[Tensor], formats: Sequence[str]) -> Weight:
    if parts[0].dtype == torch.float32:
        return DenseWeight(parts[0])
    pairs = zip(parts, formats, strict=True)
    rows = tuple(PackedRows(blocks, FORMATS[name]) for blocks, name in pairs)
    return PackedWeight(rows, torch.float32)


if __name__.startswith("tinyllm."):  # as in `packed`
    ON_CPU = torch.library.Library("tinyllm", "IMPL")
    ON_CPU.impl("unpack", _unpack_natively, "CPU")
    ON_CPU.impl("matmul", _multiply_natively, "CPU")
