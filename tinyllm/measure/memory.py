"""How much memory a run needs at its worst moment."""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import accumulate

import torch
from torch.profiler import ProfilerActivity, profile


def peak_bytes(run: Callable[[], object], device: torch.device) -> int:
    """The most bytes of tensors that `run` holds at once, beyond what was there before it."""
    if device.type == "cpu":
        return _traced_peak(run)
    backend = getattr(torch, device.type)
    backend.synchronize(device)
    backend.reset_peak_memory_stats(device)
    before = backend.memory_allocated(device)
    run()
    backend.synchronize(device)
    return backend.max_memory_allocated(device) - before


def _traced_peak(run: Callable[[], object]) -> int:
    """Torch keeps no account of memory on a CPU: every allocation of the run is traced and added up."""
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # or the profiler talks on standard error
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as trace:
        run()
    events = [event for event in trace.profiler.kineto_results.events() if event.name() == "[memory]"]
    changes = [event.nbytes() for event in sorted(events, key=lambda event: event.start_ns())]
    return max(accumulate(changes), default=0)
