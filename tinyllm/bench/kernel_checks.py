"""Every kernel that can run on a device, compared with float64 and timed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from tinyllm.check import TABLES, Verdict, backends, check
from tinyllm.lab.kernels import KernelTime, time_kernel


@dataclass(frozen=True)
class Kernel:
    """An operation of a kernel set, the dtypes it is checked in, and its function."""

    kernels: str
    operation: str
    dtypes: tuple[torch.dtype, ...]
    function: Callable

    @property
    def runs(self) -> int:
        """Cases of the complete table, in all dtypes."""
        return len(TABLES[self.operation].cases) * len(self.dtypes)


@dataclass(frozen=True)
class CheckedKernel:
    """A verdict, and the time of a call; a wrong kernel is not timed."""

    kernel: Kernel
    verdict: Verdict
    time: KernelTime | None


def kernels_on(device: torch.device) -> list[Kernel]:
    """The operations of every kernel set, one after the other; one that a set inherits from torch is torch's."""
    return [
        Kernel(backend.name, operation, backend.dtypes, function)
        for backend in backends.backends(device)
        for operation, function in backend.functions.items()
    ]


def checked(kernel: Kernel, device: torch.device, *, sample: bool = False) -> CheckedKernel:
    """Check a kernel with its complete table, or with a sample of it, and time it in the last of its dtypes."""
    verdict = check(
        kernel.operation,
        kernel.function,
        dtypes=kernel.dtypes,
        device=device,
        int8=True,
        sample=sample,
    )
    if not verdict.right:
        return CheckedKernel(kernel, verdict, None)
    time = time_kernel(kernel.operation, kernel.function, device, kernel.dtypes[-1])
    return CheckedKernel(kernel, verdict, time)
