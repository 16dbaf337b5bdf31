"""C++ kernels for the processor of this machine, built on first use.

`unavailable` gives the reason where there are none; torch's operations then do the work.
"""

from __future__ import annotations

from ..torch_kernels import TorchKernels
from .build import BuildError, cache_folder
from .operations import (
    MAX_HEAD_DIM,
    MAX_ROWS,
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
    "kernels",
    "linear",
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
    unpack = staticmethod(unpack)


CPU = CpuKernels()
