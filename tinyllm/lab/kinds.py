"""Bytes, launches and time of a step by kind of operation."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable
from time import perf_counter

from torch.profiler import ProfilerActivity, profile

from tinyllm.lab.counters import Operation

PRODUCTS = ("mm", "addmm", "bmm", "baddbmm", "linear", "matmul", "qkv_rope_and_store")
COPIES = ("cat", "copy_", "clone", "embedding", "index_select", "gather")
KINDS = ("matrix products", "attention", "copies", "element-wise")
BETWEEN = "between kernels"


def kind_of(name: str) -> str:
    """The kind of an operation by its ATen name: matmul, attention, copy, or else element-wise."""
    plain = short_name(name)
    if plain in PRODUCTS:
        return "matrix products"
    if "scaled_dot_product" in plain:
        return "attention"
    return "copies" if plain in COPIES else "element-wise"


def short_name(name: str) -> str:
    """`aten::mul.Tensor` is `mul`."""
    return name.rpartition("::")[2].split(".")[0]


def launches_by_kind(operations: Iterable[Operation]) -> dict[str, int]:
    """Kernels of each kind."""
    counts = Counter(kind_of(operation.name) for operation in operations)
    return {kind: counts[kind] for kind in KINDS}


def bytes_by_kind(operations: Iterable[Operation]) -> dict[str, int]:
    """Bytes that kernels of each kind read and write."""
    sums = dict.fromkeys(KINDS, 0)
    for operation in operations:
        sums[kind_of(operation.name)] += sum(size for _, size in operation.reads + operation.writes)
    return sums


def seconds_by_kind(run: Callable[[], object], operations: Iterable[Operation]) -> dict[str, float]:
    """Seconds inside the kernels of each kind, by torch's profiler on a CPU; the rest of the wall time is between them.

    `operations` are those that `run` performs. Other events of the profiler (views, dispatch) count as between.
    """
    os.environ.setdefault(
        "KINETO_LOG_LEVEL", "99"
    )  # otherwise the profiler writes to standard error
    kernels = {short_name(operation.name) for operation in operations}
    with profile(activities=[ProfilerActivity.CPU]) as trace:
        start = perf_counter()
        run()
        wall = perf_counter() - start
    sums = dict.fromkeys(KINDS, 0.0)
    for event in trace.key_averages():
        if short_name(event.key) in kernels:
            sums[kind_of(event.key)] += event.self_cpu_time_total / 1e6
    return sums | {BETWEEN: max(0.0, wall - sum(sums.values()))}
