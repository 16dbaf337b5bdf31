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

    figure = Figure(figsize=(4.9, 3.4), layout="constrained", dpi=110)
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
    axis.set_xlabel("bytes moved by one operation", fontsize=9)
    axis.set_ylabel("microseconds", fontsize=9)
    axis.tick_params(labelsize=9)
    axis.legend(frameon=False, fontsize=9)
    axis.spines[["top", "right"]].set_visible(False)
    return figure
