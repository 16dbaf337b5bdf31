"""Which kernels a kind of device runs: one small table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from types import MappingProxyType, ModuleType

from torch import Tensor

# Modules with the functions of `tinyllm.check.references`; imported when the first tensor of that device arrives.
KERNELS: Mapping[str, str] = MappingProxyType(
    {
        "cpu": "tinyllm.kernels.plain",
        "cuda": "tinyllm.kernels.triton",
        "xpu": "tinyllm.kernels.triton",
    }
)
KernelsFor = Callable[[Tensor], ModuleType]


def by_device(x: Tensor) -> ModuleType:
    """The kernel set for the device of `x`."""
    return import_module(KERNELS[x.device.type])
