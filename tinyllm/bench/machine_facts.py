"""What a machine is: processor, memory, devices and the versions of their drivers; nothing about its owner."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass, field
from typing import Any

import torch

from tinyllm.bench.machine import Machine
from tinyllm.bench.machine_path import machine_paths
from tinyllm.bench.typed_json import plain
from tinyllm.runtime.device import KINDS, available, cpu_model, device_name

# Properties that torch has of a GPU; it has others on each kind of device. None of them names one single card.
PROPERTIES = (
    "platform_name",
    "architecture",
    "driver_version",
    "version",
    "major",
    "minor",
    "total_memory",
    "max_compute_units",
    "gpu_subslice_count",
    "gpu_eu_count",
    "multi_processor_count",
    "sub_group_sizes",
    "local_mem_size",
    "L2_cache_size",
    "has_fp16",
    "has_fp64",
)


@dataclass(frozen=True)
class DeviceFacts:
    """A GPU: its kind, its name, and properties as text."""

    kind: str
    name: str
    properties: dict[str, str]


@dataclass(frozen=True)
class MachineFacts:
    """The device that was measured with its limits, all GPUs, processor, memory, system, and runtimes of torch.

    `paths` are those of the machine that stages may take on the device.
    """

    kind: str
    device: str
    devices: list[DeviceFacts]
    cpu: str
    cores: int | None
    memory_bytes: int | None
    system: str
    runtimes: dict[str, str]
    read_gb_s: float
    copy_gb_s: float
    launch_us: float
    paths: list[str] = field(default_factory=list)


def machine_facts(device: torch.device, machine: Machine) -> MachineFacts:
    """The facts of this machine; bandwidths and launch overhead are those of `machine`."""
    return MachineFacts(
        device.type,
        plain(machine.device),
        [facts for kind in available() if kind != "cpu" for facts in _devices(kind)],
        plain(cpu_model()),
        os.cpu_count(),
        _memory(),
        plain(f"{platform.system()} {platform.release()} {platform.machine()}"),
        {kind: str(version) for kind in KINDS if (version := getattr(torch.version, kind, None))},
        machine.read_bandwidth / 1e9,
        machine.copy_bandwidth / 1e9,
        machine.launch_overhead * 1e6,
        list(map(plain, machine_paths(device))),
    )


def _devices(kind: str) -> list[DeviceFacts]:
    backend, found = getattr(torch, kind), []
    for i in range(backend.device_count()):
        device, given = torch.device(kind, i), backend.get_device_properties(i)
        found.append(DeviceFacts(kind, plain(device_name(device)), _properties(given)))
    return found


def _properties(given: Any) -> dict[str, str]:
    values = {name: getattr(given, name, None) for name in PROPERTIES}
    return {name: plain(str(value)) for name, value in values.items() if value is not None}


def _memory() -> int | None:
    """Bytes of the machine's memory; None where the system does not state them."""
    if hasattr(os, "sysconf"):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    import ctypes

    kilobytes = ctypes.c_ulonglong()
    stated = ctypes.windll.kernel32.GetPhysicallyInstalledSystemMemory(ctypes.byref(kilobytes))
    return 1024 * kilobytes.value if stated else None
