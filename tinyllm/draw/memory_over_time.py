"""Memory of a run over time: a line that rises at allocations and falls at releases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tinyllm.draw.ladder import LIMIT, OURS, PEER

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_memory_over_time(
    allocations: Sequence[tuple[float, int]], budget: int | None = None
) -> Figure:
    """Bytes held over seconds, from `tinyllm.lab.memory.allocations`; the peak is a dashed line, a budget dotted."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.9, 2.6), layout="constrained", dpi=140)
    axis = figure.subplots()
    sizes = [size / 1e6 for _, size in allocations]
    axis.step([1e3 * time for time, _ in allocations], sizes, where="post", color=OURS, linewidth=1)
    axis.axhline(max(sizes), color=LIMIT, linestyle="--", linewidth=1)
    if budget is not None:
        axis.axhline(budget / 1e6, color=PEER, linestyle=":", linewidth=1.5)
    axis.set_xlabel("ms", fontsize=9)
    axis.set_ylabel("MB held", fontsize=9)
    axis.tick_params(labelsize=9)
    axis.spines[["top", "right"]].set_visible(False)
    return figure
