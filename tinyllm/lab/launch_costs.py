"""What a launch costs the host on Intel's GPUs, from public sources. Nothing here was measured by this project."""

from __future__ import annotations

from dataclasses import dataclass

from tinyllm.bench.table import aligned

GITHUB = "https://github.com"


@dataclass(frozen=True)
class LaunchCost:
    """Microseconds of the host for each kernel, what was timed, where it was published, and when."""

    name: str
    what: str
    microseconds: float
    source: str
    date: str


# Of 10 kernels in 20.768 us, and of a graph of 10 kernels in 29.481 us
LAUNCH_COSTS = (
    LaunchCost(
        "queue", "SYCL in C++, kernel by kernel", 20.768 / 10,
        f"{GITHUB}/intel/llvm/pull/17898", "2025-04",
    ),
    LaunchCost(
        "graph", "SYCL graph of 10 kernels", 29.481 / 10,
        f"{GITHUB}/intel/llvm/pull/17853", "2025-04",
    ),
    LaunchCost(
        "Triton", "a Triton kernel, from Python", 22.987,
        f"{GITHUB}/intel/intel-xpu-backend-for-triton/pull/7695", "2026-08",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class GraphGain:
    """Milliseconds of a decode step without and with a graph, as published."""

    what: str
    eager_ms: float
    graph_ms: float
    source: str

    def __str__(self) -> str:
        return f"{self.what}: {self.eager_ms} ms, with XPUGraph {self.graph_ms} ms\n{self.source}"


XPU_GRAPH = GraphGain(
    "Llama-3.2-3B, batch 1, SGLang, Arc Pro B60",
    18.0,
    13.0,
    f"{GITHUB}/sgl-project/sglang/pull/25853",
)


def launch_cost(name: str) -> LaunchCost:
    """The published cost of "queue", "graph" or "Triton". Raises ValueError for another name."""
    found = {cost.name: cost for cost in LAUNCH_COSTS}
    if name not in found:
        raise ValueError(f"launch cost {name!r}: expected one of {list(found)}")
    return found[name]


def launch_costs_as_text() -> str:
    """A table of the costs, with their sources below it."""
    lines = [
        (f"[{i}]", cost.what, f"{cost.microseconds:.1f}", cost.date)
        for i, cost in enumerate(LAUNCH_COSTS, start=1)
    ]
    table = aligned([("", "what", "us per kernel", "published"), *lines])
    sources = (f"[{i}] {cost.source}" for i, cost in enumerate(LAUNCH_COSTS, start=1))
    return "\n".join([table, *sources])
