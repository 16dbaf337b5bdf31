"""A Triton driver for the CPU: kernels are compiled by Intel's Triton, and run as OpenCL kernels on CPU tensors.

Only in a process that `compiler.environment` describes. Local memory, sub-group shuffles, barriers and atomics are
real, unlike those of the interpreter. The code is that of a CPU, whose `tl.dot` becomes multiplications, or of a GPU.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import torch
import triton
from torch import Tensor

from .. import tuning
from ..tuning import LaunchConfig
from . import compiler, gpu_functions, opencl, spirv
from .target import target_of

# Small tiles of many warps: the compiler for the CPU takes its time by the operations of one thread. Large enough that
# loops, masks, splits and several warps all run.
CPU_LAUNCHES = {
    "norm": LaunchConfig({"block": 512, "tile": 1024}, num_warps=4),
    "rope": LaunchConfig({"heads": 4}, num_warps=16),
    "rope_long_heads": LaunchConfig({"heads": 4}, num_warps=16),
    "activation": LaunchConfig({"block": 256}, num_warps=4),
    "all_reduce": LaunchConfig({"elements_of_warp": 64, "max_programs": 4}, num_warps=2),
    "linear_vector": LaunchConfig(
        {"tile_bytes": 4096, "max_rows": 4, "min_rows": 1, "min_programs": 1, "norm_tile": 8192},
        num_warps=4,
    ),
    "linear_matrix": LaunchConfig(
        {"tile_bytes": 4096, "max_rows": 16, "min_rows": 16, "min_programs": 1, "norm_tile": 8192},
        num_warps=16,
        block_loads=True,
    ),
    "unpack": LaunchConfig({"rows": 8, "block_k": 512}, num_warps=4),
    "packed_vector": LaunchConfig(
        {"code_bytes": 256, "max_rows": 4, "min_rows": 1, "min_programs": 1, "norm_tile": 8192},
        num_warps=4,
    ),
    "packed_matrix": LaunchConfig(
        {
            "code_bytes": 128,
            "max_rows": 16,
            "min_rows": 16,
            "min_columns": 16,
            "min_programs": 1,
            "norm_tile": 8192,
        },
        num_warps=16,
    ),
    "attention": LaunchConfig(
        {
            "block_n": 16,
            "block_m": 16,
            "waves": 8,
            "max_splits": 4,
            "tiles_to_halve": 4,
            "shared_bytes": 65536,
        },
        num_warps=16,
        block_loads=True,
    ),
    "prefill": LaunchConfig(
        {"block_n": 16, "block_m": 16, "shared_bytes": 65536}, num_warps=16, block_loads=True
    ),
}

# Functions of a GPU that kernels of this process call.
GPU_CALLS: set[str] = set()


def run_on_cpu(gpu: str | None = None) -> None:
    """From now on every kernel of this process is compiled, and runs on tensors of the CPU.

    With a `gpu`, what runs is the code of that GPU, as the rows of "xpu" launch it, linked with functions for its
    matrix engine and its 2D blocks: minutes for each kernel. Raises RuntimeError in a process that interprets kernels.
    """
    if os.environ.get("TRITON_INTERPRET") == "1":
        raise RuntimeError("TRITON_INTERPRET is 1: start the process with compiler.environment()")
    tuning.LAUNCHES["interpreter"] = CPU_LAUNCHES if gpu is None else tuning.LAUNCHES["xpu"]
    triton.runtime.driver.set_active(CpuDriver(gpu or "cpu"))


class Launcher:
    """One specialisation of a kernel: the types of its arguments, and the size of its work-groups."""

    def __init__(self, source: Any, metadata: Any) -> None:
        self.items = metadata.num_warps * metadata.threads_per_warp
        self.shared = metadata.shared
        self.kinds = list(flattened(tuple(source.signature.values())))

    def __call__(
        self, x: int, y: int, z: int, stream: int, kernel: opencl.Kernel, *arguments: Any
    ) -> None:
        """Run over a grid; four objects for profilers stand before the kernel's arguments."""
        given = flattened(tuple(arguments[4:]))
        pairs = zip(self.kinds, given, strict=True)
        passed = [(kind, value) for kind, value in pairs if kind != "constexpr"]
        values = [v.data_ptr() if isinstance(v, Tensor) else v for _, v in passed]
        kernel((x, y, z), self.items, [kind for kind, _ in passed], values, self.shared)


def flattened(value: Any) -> Iterator[Any]:
    """The members of tuples within tuples, in order."""
    if isinstance(value, tuple):
        for member in value:
            yield from flattened(member)
    else:
        yield value


class Utils:
    """What Triton reads from the library of a device."""

    @staticmethod
    def get_device_properties(device: int) -> dict[str, int]:
        """Generous limits: the CPU's local memory is ordinary memory."""
        return {
            "max_shared_mem": 256 * 1024,
            "multiprocessor_count": 1,
            "max_num_regs": 0,
            "warpSize": 32,
        }

    @staticmethod
    def load_binary(name: str, module: bytes, shared: int, flags: str, device: int) -> tuple:
        """The kernel twice, as module and as function; registers and spills are unknown."""
        device_of_process = opencl.cpu_of(compiler.cache_folder() / "cpu")
        calls = gpu_functions.calls_of(gpu_functions.missing_functions(module))
        GPU_CALLS.update(calls)
        kernel = device_of_process.kernel(
            spirv.for_cpu(module), name, gpu_functions.source_of(calls)
        )
        return kernel, kernel, 0, 0


class CpuDriver:
    """As much of a Triton driver as a launch needs."""

    launcher_cls = Launcher
    utils = Utils

    def __init__(self, target: str) -> None:
        self.target = target

    def get_current_device(self) -> int:
        """There is one."""
        return 0

    def get_current_stream(self, device: int) -> int:
        """A launch waits for its end: no stream is needed."""
        return 0

    def get_current_target(self) -> Any:
        """The CPU, without a matrix engine, or the GPU whose code runs."""
        return target_of(self.target)

    def get_active_torch_device(self) -> torch.device:
        """Where the tensors lie."""
        return torch.device("cpu")

    def get_device_interface(self) -> Any:
        """Torch's functions for the device."""
        return torch.cpu
