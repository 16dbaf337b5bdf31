"""Bytes per token over the context length: predictions as lines, counts as dots."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from tinyllm.draw.ladder import LIMIT, OURS, PEER

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_growth(
    predicted: Mapping[str, Mapping[int, int]], counted: Mapping[str, Mapping[int, int]]
) -> Figure:
    """Megabytes per token by context length: `predicted[part][tokens]` as lines, `counted[part][tokens]` as dots."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.9, 3.4), layout="constrained", dpi=100)
    axis = figure.subplots()
    for (part, line), colour in zip(predicted.items(), (PEER, OURS, LIMIT), strict=False):
        axis.plot(list(line), [size / 1e6 for size in line.values()], color=colour, label=part)
        dots = counted.get(part, {})
        axis.plot(
            list(dots), [size / 1e6 for size in dots.values()], "o", color=colour, markersize=5
        )
    axis.set_xlabel("tokens in the cache")
    axis.set_ylabel("MB per token")
    axis.legend(frameon=False, fontsize=9, title="lines predicted, dots counted", title_fontsize=9)
    axis.spines[["top", "right"]].set_visible(False)
    return figure
