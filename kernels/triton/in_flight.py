"""Bytes of loads in flight: what each launch on "xpu" gives, and what a GPU needs, latency * bandwidth.

Computed from the rows of `tuning` for 16-bit numbers, at the sizes of Llama 2 7B; nothing is timed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .arguments import cdiv
from .tuning import LAUNCHES, LaunchConfig, weight_tile

# An assumption: none of these GPUs was measured. An H200, whose memory is faster, has 0.8 us under load.
LATENCY = 1e-6
WIDEST_LOAD = 16  # bytes of a lane
# A 2D block of 8 rows of 64 bytes, by 16 lanes. `num_stages` - 1 tiles are prefetched, and one is loaded: in the
# machine code the loop prefetches before it waits.
BLOCK_LOAD = 32
ELEMENT_SIZE = 2
TOKENS, COLUMNS, MLP_COLUMNS, HEADS = 1024, 4096, 11008, 32


@dataclass(frozen=True)
class Gpu:
    """Xe cores, and bytes per second; a core has 64 hardware threads of 128 registers, or 32 of 256."""

    name: str
    cores: int
    bandwidth: float

    @property
    def needed(self) -> float:
        """Bytes in flight that keep the memory busy."""
        return LATENCY * self.bandwidth

    def threads(self, registers: int) -> int:
        """Hardware threads of a core; each runs one sub-group."""
        return 64 * 128 // registers


GPUS = (
    Gpu("B580", 20, 456e9),
    Gpu("Arc Pro B70", 32, 608e9),
    Gpu("Max 1550, one tile", 64, 1.64e12),
)


@dataclass(frozen=True)
class Loads:
    """What the programs of a launch load before they first wait; `loads` are those of each lane."""

    kernel: str
    programs: int
    warps: int
    lanes: int
    bytes_of_load: int
    loads: int
    registers: int = 128

    @property
    def of_program(self) -> int:
        """Bytes that one program has in flight."""
        return self.warps * self.lanes * self.bytes_of_load * self.loads

    def in_flight(self, gpu: Gpu) -> int:
        """Bytes of the programs that run at a time."""
        resident = gpu.cores * (gpu.threads(self.registers) // self.warps)
        return min(self.programs, resident) * self.of_program


def loads_of(
    kernel: str,
    launch: LaunchConfig,
    programs: int,
    elements: int,
    tensors: int = 1,
    lanes: int = 32,
) -> Loads:
    """The loads of programs that read `elements` of each of `tensors`, by blocks in all stages of the loop."""
    of_lane = elements * ELEMENT_SIZE // (launch.num_warps * lanes)
    width = min(of_lane, BLOCK_LOAD if launch.block_loads else WIDEST_LOAD)
    registers = int(launch.grf_mode or 128)
    tiles = launch.num_stages if launch.block_loads else 1
    loads = tiles * tensors * (of_lane // width)
    return Loads(kernel, programs, launch.num_warps, lanes, width, loads, registers)


def launches(rows: Mapping[str, LaunchConfig] = LAUNCHES["xpu"]) -> list[Loads]:
    """Those of the kernels that memory bounds: 1,024 tokens, or one matrix of 4096 * 4096."""
    norm, activation = rows["norm"], rows["activation"]
    rows_of_norm = max(1, norm.blocks["tile"] // COLUMNS)
    found = [loads_of("norm", norm, TOKENS // rows_of_norm, rows_of_norm * COLUMNS)]
    for kernel, pairs in (("rope", 64), ("rope_long_heads", 128)):
        heads = rows[kernel].blocks["heads"]
        programs = 3 * TOKENS * cdiv(HEADS, heads)
        found.append(loads_of(kernel, rows[kernel], programs, heads * pairs, tensors=2))
    block = activation.blocks["block"]
    programs = TOKENS * cdiv(MLP_COLUMNS, block)
    found.append(loads_of("activation", activation, programs, block, tensors=2))
    for kernel, lanes in (("linear_vector", 32), ("linear_matrix", 16)):
        n, k = weight_tile(COLUMNS, COLUMNS, ELEMENT_SIZE, rows[kernel])
        found.append(loads_of(kernel, rows[kernel], cdiv(COLUMNS, n), n * k, lanes=lanes))
    packed = rows["packed_vector"]
    n = packed.blocks["max_rows"]
    elements = n * packed.blocks["code_bytes"] // ELEMENT_SIZE
    found.append(loads_of("packed_vector", packed, cdiv(COLUMNS, n), elements))
    return found


def table() -> str:
    """A row for each launch: its programs and loads, and on each GPU the bytes in flight by those needed."""
    names = " | ".join(f"{gpu.name}, {gpu.needed / 1e3:.0f} KB" for gpu in GPUS)
    heads = f"| launch | programs | warps * lanes | bytes * loads | KB a program | {names} |"
    lines = [heads, "| --- " * (heads.count("|") - 1) + "|"]
    for one in launches():
        times = " | ".join(f"{one.in_flight(gpu) / gpu.needed:.1f}" for gpu in GPUS)
        lines.append(
            f"| `{one.kernel}` | {one.programs} | {one.warps} * {one.lanes}"
            f" | {one.bytes_of_load} * {one.loads} | {one.of_program / 1024:.0f} | {times} |"
        )
    return "\n".join(lines)
