"""Memory of a run: its peak, and its course over time."""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import accumulate

import torch
from torch.profiler import ProfilerActivity, profile


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
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as trace:
        run()
    result = trace.profiler.kineto_results
    trace.profiler = None  # a circle of references would keep the events until the next collection
    start = result.trace_start_ns()
    events = sorted(
        (e for e in result.events() if e.name() == "[memory]"), key=lambda event: event.start_ns()
    )
    seconds = [(event.start_ns() - start) / 1e9 for event in events]
    return list(zip(seconds, accumulate(event.nbytes() for event in events), strict=True))
