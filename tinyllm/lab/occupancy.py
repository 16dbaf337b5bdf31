"""How a launch fills an Intel GPU: work-groups, hardware threads and Xe-cores, from sizes alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from tinyllm.bench.table import aligned
from tinyllm.config import DecoderConfig
from tinyllm.kernels.sycl.linear import WEIGHT_ROWS, num_subgroups
from tinyllm.kernels.triton.linear import gemv_launch
from tinyllm.kernels.triton.split_plan import plan_splits
from tinyllm.kernels.triton.tuning import key_tile, launch_for
from tinyllm.lab.intel_gpus import IntelGPU

DEVICE, SIZE = "xpu", 2  # bytes of an element, in 16 bits
LANES = 16  # of a sub-group of the SYCL kernels on Max, Arc B and Lunar Lake
HEAD = ("launch", "work-groups", "threads each", "registers", "Xe-cores", "of threads", "rounds")


@dataclass(frozen=True)
class Launch:
    """One launch: its work-groups, the hardware threads of each (a sub-group is one), and registers of a thread."""

    name: str
    work_groups: int
    threads: int
    registers: int = 128


@dataclass(frozen=True)
class Occupancy:
    """What a launch fills: hardware threads at one time, Xe-cores with at least one work-group, share of all threads.

    `rounds`: how often the Xe-cores must be filled until every work-group has run; the share is that of the first.
    """

    threads: int
    xe_cores: int
    share: float
    rounds: int


def occupancy_of(launch: Launch, gpu: IntelGPU) -> Occupancy:
    """Where the work-groups of a launch fit at one time; a work-group never spans two Xe-cores.

    The groups are spread over as many Xe-cores as possible. Local memory and barriers could limit them further. Raises
    ValueError for a work-group with more threads than an Xe-core has.
    """
    kind = gpu.architecture
    threads = kind.vector_engines * kind.threads_of_engine(launch.registers)
    if launch.threads > threads:
        raise ValueError(
            f"{launch.threads} threads with {launch.registers} registers: expected at most {threads}, "
            f"those of an Xe-core of {gpu.name}; pass a smaller work-group"
        )
    at_a_time = gpu.xe_cores * (threads // launch.threads)
    resident = min(launch.work_groups, at_a_time)
    return Occupancy(
        threads=resident * launch.threads,
        xe_cores=min(launch.work_groups, gpu.xe_cores),
        share=resident * launch.threads / (gpu.xe_cores * threads),
        rounds=ceil(launch.work_groups / at_a_time),
    )


def sycl_gemv(n: int, k: int, size: int = 2) -> Launch:
    """The launch of our GEMV in SYCL for a weight [n, k] of `size` bytes an element, with sub-groups of 16."""
    groups = ceil(n / WEIGHT_ROWS)
    return Launch(f"GEMV, {n} x {k}", groups, num_subgroups(k * size, LANES))


def decode_launches(config: DecoderConfig, gpu: IntelGPU, held: int = 1024) -> list[Launch]:
    """The launches of a layer for one row in 16 bits, as our Triton kernels make them on "xpu"; first the norm alone.

    Sizes come from the table of launches and from the plan of splits, which has the number of Xe-cores; a sub-group of
    Triton is one hardware thread.
    """
    m, d, f = config.hidden_size, config.head_dim, config.intermediate_size
    g, h = config.num_key_value_heads, config.num_attention_heads
    norm = launch_for("norm", DEVICE)
    return [
        Launch("norm alone", 1, norm.num_warps, _registers(norm.grf_mode)),
        _gemv("queries, keys, values", (h + 2 * g) * d, m, pairs=True),
        _attention(config, gpu, held),
        _gemv("output projection", m, h * d),
        _gemv("gate and up", 2 * f, m, pairs=True),
        _gemv("down", m, f),
    ]


def _gemv(name: str, n: int, k: int, *, pairs: bool = False) -> Launch:
    (groups,), constants = gemv_launch(
        n, k, SIZE, pairs=pairs, use_dot=False, aligned=True, device_type=DEVICE, launch=None
    )
    return Launch(name, groups, constants["num_warps"], _registers(constants.get("grf_mode")))


def _attention(config: DecoderConfig, gpu: IntelGPU, held: int) -> Launch:
    launch, g = launch_for("attention", DEVICE), config.num_key_value_heads
    plan = plan_splits(
        1, g, rows=config.group, keys=held, block_n=key_tile(config.head_dim, SIZE, launch),
        processors=gpu.xe_cores, launch=launch,
    )  # fmt: skip
    groups = plan.splits * plan.row_blocks * g
    return Launch(
        f"attention, {plan.splits} splits", groups, launch.num_warps, _registers(launch.grf_mode)
    )


def _registers(grf_mode: str | None) -> int:
    return int(grf_mode or 128)


def occupancy_table(launches: Sequence[Launch], gpu: IntelGPU) -> str:
    """A line for each launch: its size, the Xe-cores with work, and the share of hardware threads."""
    lines = [HEAD]
    for launch in launches:
        filled = occupancy_of(launch, gpu)
        counts = (launch.work_groups, launch.threads, launch.registers)
        shown = (f"{filled.xe_cores} of {gpu.xe_cores}", f"{filled.share:.0%}", str(filled.rounds))
        lines.append((launch.name, *map(str, counts), *shown))
    return aligned(lines)
