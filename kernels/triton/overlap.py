"""A kernel's beginning laid over the end of the one before it, where a GPU can: CUDA, compute capability 9.0 and up.

Between two kernels that stream from memory at full bandwidth lie some microseconds in which the first has little left
to read and the second has not begun. A launch that may begin early waits itself for what came before.
"""

from __future__ import annotations

from functools import cache

import torch
import triton
import triton.language as tl

try:
    from triton.language.extra.cuda import gdc_launch_dependents, gdc_wait
except ImportError:  # a Triton without CUDA has no use for them
    gdc_launch_dependents = gdc_wait = None


@triton.jit
def begin(OVERLAP: tl.constexpr):
    """Let the next kernel begin, and wait until all before this one are done: before anything is read or written."""
    if OVERLAP:
        gdc_launch_dependents()
        gdc_wait()


def overlapped(device: torch.device) -> dict[str, bool]:
    """Keyword arguments of a launch of a kernel that calls `begin`."""
    return {"OVERLAP": True, "launch_pdl": True} if _can(device) else {"OVERLAP": False}


@cache
def _can(device: torch.device) -> bool:
    if device.type != "cuda" or gdc_wait is None or torch.version.cuda is None:
        return False
    return torch.cuda.get_device_capability(device) >= (9, 0)
