"""The time of one operation over its size: flat where the launch limits it, a slope where the bytes do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from tinyllm.draw.ladder import LIMIT, OURS, PEER

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_two_limits(times: Mapping[int, float], overhead: float, bandwidth: float) -> Figure:
    """Seconds of an operation by the bytes it moves, with the two limits as lines: seconds, and bytes per second."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 3.6), layout="constrained", dpi=100)
    axis = figure.subplots()
    sizes = list(times)
    axis.loglog(
        sizes, [1e6 * t for t in times.values()], "o-", color=OURS, markersize=4, label="measured"
    )
    axis.axhline(1e6 * overhead, color=PEER, linestyle="--", label="one launch")
    axis.loglog(
        sizes,
        [1e6 * size / bandwidth for size in sizes],
        color=LIMIT,
        linestyle="--",
        label="bytes / bandwidth",
    )
    axis.set_ylim(0.3 * 1e6 * min(overhead, *times.values()), 3e6 * max(times.values()))
    axis.set_xlabel("bytes moved by one operation")
    axis.set_ylabel("microseconds")
    axis.legend(frameon=False, fontsize=8)
    axis.spines[["top", "right"]].set_visible(False)
    return figure
