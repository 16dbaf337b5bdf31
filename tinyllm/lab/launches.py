"""Kernels launched on a GPU, from the profiler; on a CPU, operations instead."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from time import perf_counter

import torch
from torch.profiler import ProfilerActivity, profile

from tinyllm.decoder import Decoder
from tinyllm.lab.counters import OperationLog
from tinyllm.runtime.device import synchronize

ACTIVITIES = {"cuda": ProfilerActivity.CUDA, "xpu": ProfilerActivity.XPU}


def launches_in_layer(model: Decoder, step: Callable[[], object]) -> list[str]:
    """Names of the last layer's launches in one run of `step`; kernels must be compiled before.

    The first layer also computes the attention masks for all layers.
    """
    seen: list[str] = []
    layer = model.layers[-1]
    stack = ExitStack()
    watch = _watch_device if model.device.type in ACTIVITIES else _watch_operations

    def before(*_: object) -> None:
        stack.enter_context(watch(model.device, seen))

    def after(*_: object) -> None:
        stack.close()

    handles = [layer.register_forward_pre_hook(before), layer.register_forward_hook(after)]
    try:
        step()
    finally:
        for handle in handles:
            handle.remove()
    return seen


def _watch_operations(device: torch.device, seen: list[str]) -> ExitStack:
    stack = ExitStack()
    log = stack.enter_context(OperationLog())
    stack.callback(lambda: seen.extend(operation.name for operation in log.operations))
    return stack


def _watch_device(device: torch.device, seen: list[str]) -> ExitStack:
    """All events on the device: kernels, and the copies and fills of its runtime."""
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")
    synchronize(device)
    stack = ExitStack()
    trace = profile(activities=[ProfilerActivity.CPU, ACTIVITIES[device.type]], acc_events=True)
    stack.callback(lambda: seen.extend(event.name for event in device_events(trace)))
    stack.enter_context(trace)
    stack.callback(lambda: synchronize(device))
    return stack


def device_events(trace: profile) -> list:
    """The events on the device in a profile."""
    cpu = torch.autograd.DeviceType.CPU
    return [
        event
        for event in trace.events()
        if event.device_type != cpu and not event.is_user_annotation
    ]


def device_seconds(run: Callable[[], object], device: torch.device) -> float:
    """Seconds that the device was busy with `run`, without the gaps between launches.

    Where the profiler records nothing on the device, they are wall time, with the gaps.
    """
    run()
    synchronize(device)
    with profile(
        activities=[ProfilerActivity.CPU, ACTIVITIES[device.type]], acc_events=True
    ) as trace:
        start = perf_counter()
        run()
        synchronize(device)
        wall = perf_counter() - start
    return sum(event.time_range.elapsed_us() for event in device_events(trace)) / 1e6 or wall
