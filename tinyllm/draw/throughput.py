"""How many requests fit on a device, and the tokens per second that this gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tinyllm.draw.ladder import OURS, PEER

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_throughput(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Two bars for each recorded engine: its largest batch, and its tokens per second at that batch."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 0.6 + 0.5 * len(rows)), layout="constrained")
    names = [row["engine"] for row in rows]
    colours = [PEER if name == "hf" else OURS for name in names]
    panels = {"largest batch": "largest_batch", "tokens per second": "tokens_per_s"}
    for axes, (title, key) in zip(figure.subplots(1, 2, sharey=True), panels.items(), strict=True):
        bars = axes.barh(names, [row[key] for row in rows], color=colours)
        axes.bar_label(bars, fmt="%.0f", padding=3)
        axes.margins(x=0.15)
        axes.set_title(title, fontsize="medium")
        axes.set_xticks([])
        for side in ("top", "right", "bottom"):
            axes.spines[side].set_visible(False)
    axes.invert_yaxis()
    return figure
