"""Weights packed in blocks: the levels that a block can store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tinyllm.draw.ladder import LIMIT, OURS, PEER

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_block(
    weights: Sequence[float], levels: Sequence[float], dense: Sequence[float] | None = None
) -> Figure:
    """The weights of a block on the levels that its codes name; `dense`, what they were before."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.9, 3.2), layout="constrained", dpi=100)
    axis = figure.subplots()
    for level in levels:
        axis.axhline(level, color=LIMIT, linewidth=0.6)
    if dense is not None:
        axis.plot(dense, "x", color=PEER, markersize=5, label="before")
    axis.plot(weights, "o", color=OURS, markersize=4, label="in the block")
    axis.set_xlabel("weight of the block")
    axis.set_ylabel("value; a line for each code")
    axis.spines[["top", "right"]].set_visible(False)
    if dense is not None:
        axis.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    return figure
