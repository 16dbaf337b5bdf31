"""Which device and number format a model lives in."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

import torch

KINDS = ("xpu", "cuda", "cpu")
DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


def available() -> list[str]:
    """The kinds of device this machine has, best first."""
    return [kind for kind in KINDS if kind == "cpu" or getattr(torch, kind).is_available()]


def best_device() -> torch.device:
    """The best device of this machine: an XPU, else a CUDA GPU, else the CPU."""
    return torch.device(available()[0])


def pick_device(device: Any) -> torch.device:
    """The device given, or the best there is. Raises ValueError for one this machine or library lacks."""
    if device is None:
        return best_device()
    try:
        chosen = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"device {device!r} is unknown: expected one of {list(KINDS)}") from error
    if chosen.type not in available():
        raise ValueError(
            f"device {str(device)!r} is not available: this machine and build of torch have {available()}"
        )
    return chosen


def pick_dtype(dtype: Any) -> torch.dtype | None:
    """A number format by its name, or None to keep the checkpoint's own. Raises ValueError for any other."""
    chosen = DTYPES.get(dtype.removeprefix("torch.")) if isinstance(dtype, str) else dtype
    if chosen not in (None, *DTYPES.values()) or (chosen is None and dtype is not None):
        raise ValueError(f"dtype {dtype!r} is not supported: expected one of {list(DTYPES)}")
    return chosen


def synchronize(device: torch.device) -> None:
    """Wait until the device has done all its work."""
    if device.type != "cpu":
        getattr(torch, device.type).synchronize(device)


def device_name(device: torch.device) -> str:
    """The name of the hardware, as its maker calls it."""
    if device.type != "cpu":
        return getattr(torch, device.type).get_device_name(device)
    return f"{cpu_model()}, {torch.get_num_threads()} threads"


def free_bytes(device: torch.device) -> int | None:
    """Memory that can still be allocated, torch's own reserve included; None where the system does not say."""
    if device.type != "cpu":
        backend = getattr(torch, device.type)
        return (
            backend.mem_get_info(device)[0]
            + backend.memory_reserved(device)
            - backend.memory_allocated(device)
        )
    return min((free for free in (_available(), _cgroup_limit()) if free is not None), default=None)


def total_bytes(device: torch.device) -> int:
    """Memory of a GPU."""
    return getattr(torch, device.type).get_device_properties(device).total_memory


def _available() -> int | None:
    """Memory that Linux could give to a new process."""
    info = Path("/proc/meminfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next(
        (1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable")), None
    )


def _cgroup_limit() -> int | None:
    """What is left of the limit of a container."""
    limit, used = (Path(f"/sys/fs/cgroup/memory.{name}") for name in ("max", "current"))
    if not limit.exists() or limit.read_text().strip() == "max":
        return None
    return max(0, int(limit.read_text()) - int(used.read_text()))


def cpu_model() -> str:
    """The name of the processor."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def random_state(device: torch.device) -> torch.Tensor:
    """The state of a device's random numbers."""
    if device.type == "cpu":
        return torch.get_rng_state()
    return getattr(torch, device.type).get_rng_state(device)


def set_random_state(state: torch.Tensor, device: torch.device) -> None:
    """Draw what was drawn after this state."""
    if device.type == "cpu":
        torch.set_rng_state(state)
    else:
        getattr(torch, device.type).set_rng_state(state, device)


def size_as_text(size: int | float) -> str:
    """Bytes as people read them."""
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"
