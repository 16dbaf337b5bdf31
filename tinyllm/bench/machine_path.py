"""The path of the machine that a stage takes: the instruction set of its kernels on a CPU, the kind of a GPU."""

from __future__ import annotations

import torch

from tinyllm.bench.torch_path import torch_path
from tinyllm.kernels import cpu
from tinyllm.model import Model

NATIVE = "native step"


def stage_path(model: Model) -> str:
    """Of decode steps; on a CPU torch's path, unless our kernels take them."""
    runs_ours = model.kernels.name == "cpu" or model.stage.runner.describe(model) == NATIVE
    if model.device.type == "cpu" and runs_ours:
        return kernel_path()
    return torch_path(model.device)


def kernel_path() -> str:
    """Of our CPU kernels."""
    return f"{cpu.instruction_set()} (our kernels)"


def machine_paths(device: torch.device) -> list[str]:
    """All that stages may take on a device: torch's, and on a CPU that of our kernels, where there are any."""
    has_ours = device.type == "cpu" and cpu.unavailable() is None
    return [*([kernel_path()] if has_ours else []), torch_path(device)]
