"""How long launches take on the device in hand, and the bandwidths to hold them against."""

from __future__ import annotations

import statistics
from collections.abc import Callable

import torch
import triton


def cache_bytes(device: torch.device) -> int:
    """Size of the last cache before memory; generous where the driver does not tell."""
    properties = getattr(torch, device.type).get_device_properties(device)
    sizes = [getattr(properties, name, 0) for name in ("L2_cache_size", "last_level_cache_size")]
    return max(sizes) or (64 << 20 if device.type == "cuda" else 512 << 20)


def replayed(sweep: Callable[[], None], device: torch.device) -> tuple[Callable[[], None], bool]:
    """`sweep` as a captured graph, and whether capturing worked; else as it is."""
    backend = getattr(torch, device.type)
    sweep()  # compile and allocate before the capture
    sweep()
    backend.synchronize()
    try:
        graph = backend.CUDAGraph() if device.type == "cuda" else backend.XPUGraph()
        with backend.graph(graph):
            sweep()
        graph.replay()
        backend.synchronize()
        return graph.replay, True
    except Exception as error:
        print(
            f"  no graph ({type(error).__name__}: {str(error)[:100]}); launched one by one instead"
        )
        return sweep, False


def milliseconds(call: Callable[[], object]) -> float:
    """The median of many calls, each after the cache was emptied."""
    return triton.testing.do_bench(call, warmup=5, rep=30, return_mode="median")


def bandwidths(device: torch.device) -> dict[str, float]:
    """GB/s of a copy, bytes read and written, and of a sum, bytes read, over 2 GiB."""
    source, size = torch.randn(1 << 29, dtype=torch.float32, device=device), 1 << 31
    target = torch.empty_like(source)
    copy = [milliseconds(lambda: target.copy_(source)) for _ in range(5)]
    read = [milliseconds(source.sum) for _ in range(5)]
    speed = {
        "copy_gb_s": 2 * size / statistics.median(copy),
        "read_gb_s": size / statistics.median(read),
    }
    return {name: bytes_a_millisecond / 1e6 for name, bytes_a_millisecond in speed.items()}
