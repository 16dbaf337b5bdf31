"""Memory of a run: its peak, and its course over time."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import accumulate

import torch
from torch.profiler import ProfilerActivity, profile

M_MMAP_THRESHOLD = -3  # of mallopt, in glibc
LEAST_MAPPED = 1 << 20  # bytes
HIGHEST_DEFAULT = 32 << 20  # glibc raises the threshold itself, up to this


@contextmanager
def mapped_tensors() -> Iterator[None]:
    """Tensors of a megabyte or more lie in memory of their own, with glibc, which they give back.

    In the heap the profiler's records come to lie between them. A tensor that is a little larger than the one before,
    as a growing cache is copied, fits into none of the gaps: 64 answers of transformers took 24 GB instead of 3.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    set_threshold = mallopt or (lambda option, value: None)
    set_threshold(M_MMAP_THRESHOLD, LEAST_MAPPED)
    try:
        yield
    finally:
        set_threshold(M_MMAP_THRESHOLD, HIGHEST_DEFAULT)


def peak_bytes(run: Callable[[], object], device: torch.device) -> int:
    """The peak of the bytes that `run` allocates in tensors."""
    if device.type == "cpu":
        return max((held for _, held in allocations(run, device)), default=0)
    backend = getattr(torch, device.type)
    backend.synchronize(device)
    backend.reset_peak_memory_stats(device)
    before = backend.memory_allocated(device)
    run()
    backend.synchronize(device)
    return backend.max_memory_allocated(device) - before


def allocations(run: Callable[[], object], device: torch.device) -> list[tuple[float, int]]:
    """Seconds since the start of `run` and bytes then held, after each allocation and release of a tensor.

    Torch has no memory statistics on a CPU, so these are sums over the profiler's trace. Raises ValueError for another
    device.
    """
    if device.type != "cpu":
        raise ValueError(
            f"memory over time on {device.type!r}: expected a CPU; peak_bytes knows other devices"
        )
    os.environ.setdefault(
        "KINETO_LOG_LEVEL", "99"
    )  # otherwise the profiler writes to standard error
    with (
        mapped_tensors(),
        profile(activities=[ProfilerActivity.CPU], profile_memory=True) as trace,
    ):
        run()
    result = trace.profiler.kineto_results
    trace.profiler = None  # a circle of references would keep the events until the next collection
    start = result.trace_start_ns()
    events = sorted(
        (e for e in result.events() if e.name() == "[memory]"), key=lambda event: event.start_ns()
    )
    seconds = [(event.start_ns() - start) / 1e9 for event in events]
    return list(zip(seconds, accumulate(event.nbytes() for event in events), strict=True))
