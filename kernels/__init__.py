"""Our device code, and torch's: one `KernelSet` for each way to run the operations of a decoder.

The folder stands beside `tinyllm/` in the repository, as the text of its own that it is, and is installed as
`tinyllm.kernels`. It imports nothing of the rest of tinyllm.
"""

from __future__ import annotations

from importlib.util import find_spec

import torch
from torch import Tensor

from .kernel_set import KernelSet
from .packed import matmul as matmul_in_place
from .torch_kernels import TORCH, TorchKernels
from .weights import DenseWeight, Weight

MAX_GEMV_ROWS = 16  # with more rows a matmul is bound by arithmetic
KERNEL_SETS = ("torch", "triton", "sycl", "cpu", "ipex", "onednn")


class DefaultCpuKernels(TorchKernels):
    """Torch's operations one by one, but for matmuls in float32; a runner may replace a complete decode step by native
    code.
    """

    native_step = True
    planar_blocks = False

    def matmul(
        self,
        x: Tensor,
        weight: Weight,
        bias: Tensor | None = None,
        residual: Tensor | None = None,
    ) -> Tensor:
        """Dense weights too are read by our code, unless they are strided, with the epilogue that the vendor's has."""
        in_place = isinstance(weight, DenseWeight) and weight.data.is_contiguous()
        one_epilogue = bias is None or residual is None
        if in_place and one_epilogue and x.dtype == torch.float32:
            return matmul_in_place(x, weight, bias, residual)
        return super().matmul(x, weight, bias, residual)


DEFAULT_CPU = DefaultCpuKernels()


def for_device(device: torch.device) -> KernelSet:
    """The kernel set of a kind of device: Triton on XPU and CUDA, where it is installed, else torch's operations."""
    if device.type == "cpu":
        return DEFAULT_CPU
    if device.type in ("xpu", "cuda") and find_spec("triton") is not None:
        return by_name("triton")
    return TORCH


def by_name(name: str) -> KernelSet:
    """A kernel set by its name. Raises ValueError naming those there are."""
    if name == "torch":
        return TORCH
    if name == "triton":
        from .triton import TRITON

        return TRITON
    if name == "sycl":
        from .sycl import SYCL

        return SYCL
    if name == "cpu":
        from .cpu import CPU

        return CPU
    if name == "ipex":
        from .ipex import IPEX

        return IPEX
    if name == "onednn":
        from .onednn import ONEDNN

        return ONEDNN
    raise ValueError(
        f"kernels {name!r} are unknown: expected one of {list(KERNEL_SETS)}, or a KernelSet"
    )


def pick_kernels(kernels: str | KernelSet | None, device: torch.device) -> KernelSet:
    """The set that a stage names, the set itself, or for None the one of the device."""
    if kernels is None:
        return for_device(device)
    return by_name(kernels) if isinstance(kernels, str) else kernels
