"""How much memory a run needs: at its worst moment, and over time."""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import accumulate

import torch
from torch.profiler import ProfilerActivity, profile


def peak_bytes(run: Callable[[], object], device: torch.device) -> int:
    """The most bytes of tensors that `run` holds at once, beyond what was there before it."""
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
    """After each allocation and release of tensors by `run`: seconds since its start, and bytes it then holds.

    Torch keeps no account of memory on a CPU: a trace of the run is added up. Raises ValueError for another device.
    """
    if device.type != "cpu":
        raise ValueError(
            f"memory over time on {device.type!r}: expected a CPU; peak_bytes knows other devices"
        )
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # or the profiler talks on standard error
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
