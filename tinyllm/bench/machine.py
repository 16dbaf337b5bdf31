"""Limits of this machine: bandwidth, launch overhead and peak arithmetic, which every measurement is compared with."""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from statistics import median
from time import perf_counter

import torch

from tinyllm.runtime.device import device_name, free_bytes, synchronize

PACKAGES = (
    "torch",
    "transformers",
    "triton",
    "triton-xpu",  # Triton of torch's XPU build, and its name before torch 2.10
    "pytorch-triton-xpu",
    "intel-sycl-rt",
)
BUFFER_BYTES = {"cpu": 1 << 30, "cuda": 4 << 30, "xpu": 4 << 30}  # far larger than every cache
MEMORY_SHARE = 1 / 8  # of a GPU's free memory: others use a card too, its desktop among them
CACHES = 8  # so many times the cache of a GPU, that nearly all of a buffer is read from memory


@dataclass(frozen=True)
class Machine:
    """A device and its measured limits: bytes per second read and copied, seconds per tiny operation."""

    device: str
    read_bandwidth: float
    copy_bandwidth: float
    launch_overhead: float


def measure_machine(device: torch.device, repeats: int = 7) -> Machine:
    """Measure the limits of a device; takes about two seconds on a laptop, and the memory of `buffer_bytes`."""
    buffer = torch.ones(buffer_bytes(device) // 4, dtype=torch.float32, device=device)
    half = buffer.numel() // 2
    read = buffer.nbytes / seconds(buffer.sum, device, repeats)
    copy = buffer.nbytes / seconds(lambda: buffer[:half].copy_(buffer[half:]), device, repeats)
    return Machine(device_name(device), read, copy, launch_overhead(device, repeats))


def buffer_bytes(device: torch.device) -> int:
    """A GiB; of a GPU 4 GiB, or a share of the free memory where that is less, and more than its cache in any case."""
    largest = BUFFER_BYTES[device.type]
    free = None if device.type == "cpu" else free_bytes(device)
    if free is None:
        return largest
    return max(CACHES * cache_bytes(device), min(largest, int(MEMORY_SHARE * free)))


def cache_bytes(device: torch.device) -> int:
    """The last-level cache of a GPU; 0 where its driver does not state it."""
    properties = getattr(torch, device.type).get_device_properties(device)
    names = ("L2_cache_size", "last_level_cache_size")
    return max(getattr(properties, name, 0) for name in names)


def launch_overhead(device: torch.device, repeats: int = 7, launches: int = 2000) -> float:
    """Seconds per operation on so little data that only the launch takes time."""
    x = torch.zeros(1, dtype=torch.float32, device=device)

    def many() -> None:
        for _ in range(launches):
            x.add_(1.0)

    return seconds(many, device, repeats) / launches


def peak_flops(
    device: torch.device, dtype: torch.dtype = torch.float32, repeats: int = 5, size: int = 2048
) -> float:
    """Floating-point operations per second of a large square matrix product: the roof of arithmetic."""
    a, b = (torch.ones(size, size, device=device, dtype=dtype) for _ in range(2))
    return 2 * size**3 / seconds(lambda: a @ b, device, repeats)


def seconds(run: Callable[[], object], device: torch.device, repeats: int) -> float:
    """Median wall time of `run`, synchronized before and after, with one run of warm-up."""
    run()
    times = []
    for _ in range(repeats):
        synchronize(device)
        start = perf_counter()
        run()
        synchronize(device)
        times.append(perf_counter() - start)
    return median(times)


def versions() -> dict[str, str]:
    """Versions of the packages that the measurements depend on, without those that are not installed."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
