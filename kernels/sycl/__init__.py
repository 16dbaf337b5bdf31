"""The native Intel kernels, compiled at run time by Intel's compiler.

They run on "xpu" tensors, and for tests on "cpu" tensors. `unavailable` names a package that is
missing.
"""

from __future__ import annotations

import torch

from ..torch_kernels import TorchKernels
from .activation import activate_and_multiply, bias_and_activate
from .attention import segment_attention
from .linear import MAX_ROWS, linear
from .norm import layer_norm, norm_and_add, rms_norm
from .packages import ToolchainError
from .rope import rope_and_store
from .runtime import CompileError, Runtime, runtime_of
from .unpack import unpack

__all__ = [
    "MAX_ROWS",
    "SYCL",
    "CompileError",
    "Runtime",
    "SyclKernels",
    "ToolchainError",
    "activate_and_multiply",
    "bias_and_activate",
    "layer_norm",
    "linear",
    "norm_and_add",
    "rms_norm",
    "rope_and_store",
    "runtime_of",
    "segment_attention",
    "unavailable",
    "unpack",
]


def unavailable(device: str | torch.device = "cpu") -> str | None:
    """Why the kernels cannot run on a device, and the command that helps; None where they can."""
    device = torch.device(device)
    if device.type not in ("cpu", "xpu"):
        return f"SYCL kernels run on xpu and cpu tensors, not on {device.type}"
    if device.type == "xpu" and not torch.xpu.is_available():
        return "torch finds no XPU"
    try:
        runtime_of(device)
    except (ToolchainError, RuntimeError, OSError) as error:
        return str(error)
    return None


class SyclKernels(TorchKernels):
    """The set of these kernels; the signatures are those of `KernelSet`."""

    name = "sycl"
    planar_blocks = True

    rms_norm = staticmethod(rms_norm)
    layer_norm = staticmethod(layer_norm)
    norm_and_add = staticmethod(norm_and_add)
    rope_and_store = staticmethod(rope_and_store)
    activate_and_multiply = staticmethod(activate_and_multiply)
    bias_and_activate = staticmethod(bias_and_activate)
    linear = staticmethod(linear)
    unpack = staticmethod(unpack)
    segment_attention = staticmethod(segment_attention)


SYCL = SyclKernels()
