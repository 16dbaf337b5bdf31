"""Every kernel that can run on a device, compared with float64 and timed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from tinyllm.check import Verdict, backends, check
from tinyllm.lab.kernels import KernelTime, time_kernel


@dataclass(frozen=True)
class CheckedKernel:
    """An operation of a kernel set: its verdict and the time of a call; a wrong one is not timed."""

    kernels: str
    operation: str
    verdict: Verdict
    time: KernelTime | None


def checked_kernels(device: torch.device) -> Iterator[CheckedKernel]:
    """The operations of every kernel set, one after the other; one that a set inherits from torch is torch's."""
    for backend in backends.backends(device):
        for operation, function in backend.functions.items():
            verdict = check(operation, function, dtypes=backend.dtypes, device=device, int8=True)
            dtype = backend.dtypes[-1]
            time = time_kernel(operation, function, device, dtype) if verdict.right else None
            yield CheckedKernel(backend.name, operation, verdict, time)
