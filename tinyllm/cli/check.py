"""`tinyllm check`: is this machine ready?"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from importlib.util import find_spec

import torch

from tinyllm.cli.options import add_command
from tinyllm.runtime.device import available, pick_device


def add_to(commands) -> None:
    """Add the command to the parser."""
    add_command(
        commands,
        "check",
        "Is this machine ready? Devices, every kernel against float64, bandwidth.",
        run,
    )


def run(options: argparse.Namespace) -> int:
    """Print devices, limits and results; returns 1 where a kernel or a stage is wrong."""
    from tinyllm.bench.machine import measure_machine, versions
    from tinyllm.bench.machine_path import machine_paths
    from tinyllm.check.models import check_stages
    from tinyllm.kernels import for_device

    device = pick_device(options.device)
    print("versions ", ", ".join(f"{name} {number}" for name, number in versions().items()))
    print("devices  ", ", ".join(available()), f"(using {device})")
    machine = measure_machine(device)
    print("device   ", machine.device)
    print("path     ", "; ".join(machine_paths(device)))
    print(f"read      {machine.read_bandwidth / 1e9:.1f} GB/s")
    print(f"copy      {machine.copy_bandwidth / 1e9:.1f} GB/s, read and written")
    print(f"launch    {machine.launch_overhead * 1e6:.1f} us per operation")
    verdicts, times = check_kernels(device, machine.copy_bandwidth)
    for verdict in check_stages(device):
        verdicts.append(verdict)
        print(f"stage     {verdict}")
    print_triton(device)
    wrong = [verdict for verdict in verdicts if not verdict.right]
    if wrong:
        print(f"{len(wrong)} of {len(verdicts)} checks failed")
        return 1
    print(advice(min(times, key=times.get), for_device(device).name, times))
    print("ready")
    return 0


def print_triton(device: torch.device) -> None:
    """Print Triton's release, what it made of the kernels, and on an XPU the command for a report."""
    if device.type == "cpu" or find_spec("triton") is None:
        return
    import triton

    from tinyllm.kernels.triton.release import compiled_kernels, report_lines

    for line in report_lines(device.type, triton.__version__, compiled_kernels()):
        print(f"triton    {line}")
    if device.type == "xpu":
        print("report    python -m tinyllm report: one file, to be attached to an issue")


def advice(fastest: str, default: str, times: dict[str, float]) -> str:
    """Which kernels to use on this device, in one line."""
    shown = ", ".join(
        f"{name} {1e6 * seconds:.0f} us"
        for name, seconds in sorted(times.items(), key=lambda x: x[1])
    )
    how = (
        "what the stages use here by default"
        if fastest == default
        else f'dataclasses.replace(STAGES["final"], kernels="{fastest}")'
    )
    return f"use       {fastest}, {how} (one of each kernel: {shown})"


def check_kernels(device: torch.device, copy_bandwidth: float) -> tuple[list, dict[str, float]]:
    """Check every kernel of every set against float64 and time it; returns verdicts, and seconds per kernel.

    An operation that a set inherits from torch counts with torch's time.
    """
    from tinyllm.bench.kernel_checks import checked, kernels_on
    from tinyllm.check.backends import NAIVE, SHARED, absent

    verdicts = []
    seconds: dict[str, dict[str, float]] = {}
    for name, reason in absent(device).items():
        print(f"{name:9} not here: {reason}")
    for kernel in kernels_on(device):
        one = checked(kernel, device)
        verdicts.append(one.verdict)
        of_set = seconds.setdefault(kernel.kernels, {})
        if one.time is None:
            print(f"{kernel.kernels:9} {one.verdict}")
            continue
        share = one.time.bandwidth / copy_bandwidth
        print(
            f"{kernel.kernels:9} {one.verdict}, error {one.verdict.worst_error:.0e}, "
            f"{1e6 * one.time.seconds:.1f} us, {one.time.bandwidth / 1e9:.1f} GB/s, {share:.0%} of copy"
        )
        of_set[kernel.operation] = one.time.seconds
    seconds.pop(NAIVE.name, None)  # not a kernel set
    return verdicts, sums_of(seconds, SHARED)


def sums_of(
    seconds: Mapping[str, Mapping[str, float]], operations: Sequence[str]
) -> dict[str, float]:
    """Seconds of one call of each operation, by kernel set; operations that a set lacks are torch's.

    A set is left out where an operation was not timed at all, since it is wrong.
    """
    complete = {name: {**seconds.get("torch", {}), **own} for name, own in seconds.items()}
    return {
        name: sum(times[op] for op in operations)
        for name, times in complete.items()
        if times.keys() >= set(operations)
    }
