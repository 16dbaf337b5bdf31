"""The path of the machine that torch's own kernels take; without tinyllm, for peers in other environments."""

from __future__ import annotations

import torch


def torch_path(device: torch.device) -> str:
    """The instruction set of a CPU, which torch chooses at run time, or the kind and name of a GPU."""
    if device.type != "cpu":
        return f"{device.type} ({getattr(torch, device.type).get_device_name(device)})"
    amx = " and amx" * torch.cpu._is_amx_tile_supported()
    return f"{torch.backends.cpu.get_cpu_capability().lower()}{amx} (torch)"
