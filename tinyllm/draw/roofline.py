"""The roofline: the highest speed of an operation, by its FLOPs per byte moved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from tinyllm.bench.machine import Machine
from tinyllm.draw.ladder import LIMIT, OURS

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_roofline(
    machine: Machine, peak_flops: float, points: Mapping[str, tuple[float, float]]
) -> Figure:
    """`points` are (FLOPs per byte, FLOPs per second) by name; the roof is min(peak, intensity x bandwidth)."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.9, 3.6), layout="constrained", dpi=100)
    axis = figure.subplots()
    ridge = peak_flops / machine.read_bandwidth
    left, right = (
        0.2 * min(x for x, _ in points.values()),
        3 * max(ridge, *(x for x, _ in points.values())),
    )
    roof = [min(peak_flops, x * machine.read_bandwidth) / 1e9 for x in (left, ridge, right)]
    axis.loglog([left, ridge, right], roof, color=LIMIT)
    for name, (x, y) in points.items():
        axis.plot(x, y / 1e9, "o", color=OURS, markersize=5)
        axis.annotate(name, (x, y / 1e9), (6, -10), textcoords="offset points", fontsize=9)
    above = {"textcoords": "offset points", "color": LIMIT, "fontsize": 9, "ha": "right"}
    axis.annotate("bandwidth", (ridge / 3, roof[1] / 3), (-6, 4), **above)
    axis.annotate("peak of arithmetic", (right, roof[2]), (0, 5), **above)
    lowest = min(roof[0], *(y / 1e9 for _, y in points.values()))
    axis.set_ylim(lowest / 3, 3 * peak_flops / 1e9)  # a label is below its point
    axis.set_xlabel("FLOPs per byte moved")
    axis.set_ylabel("GFLOP/s")
    axis.spines[["top", "right"]].set_visible(False)
    return figure
