"""The fused operations on Intel Extension for PyTorch's functions: `replace(STAGES["fused"], ops=IPEX)`.

For comparison, where that package is installed: `pip install tinyllm-xpu[ipex]`, in an environment of its own.
"""

from __future__ import annotations

from types import ModuleType

from torch import Tensor

from tinyllm.kernels import ipex
from tinyllm.ops import fused


def ipex_kernels(x: Tensor) -> ModuleType:
    """The kernel set, whatever the device."""
    return ipex


IPEX = fused(ipex_kernels)
