"""Rotary position embedding as a picture: the rotation of pairs of elements, and the pairs of each layout."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tinyllm.draw.ladder import OURS, PEER

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PAIRS = ("#0068b5", "#f2b134", "#d1495b", "#76b7e5")


def draw_rotation(
    speeds: Mapping[str, float], positions: int, layouts: Mapping[str, Sequence[int | None]]
) -> Figure:
    """One circle per pair with its angle at every position; below, the pair of each element (None: none) by layout.

    `speeds` are radians per position; the darker an arrow, the later its position.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.9, 3.2), layout="constrained", dpi=100)
    above, below = figure.subfigures(2, 1, height_ratios=(5, 3))
    for axis, (name, speed) in zip(above.subplots(1, len(speeds)), speeds.items(), strict=True):
        _draw_circle(axis, speed, positions)
        axis.set_title(name, fontsize=9)
    _draw_layouts(below.subplots(), layouts)
    return figure


def _draw_circle(axis: Axes, speed: float, positions: int) -> None:
    from matplotlib.patches import Circle

    axis.add_patch(Circle((0, 0), 1, fill=False, color=PEER))
    for position in range(positions):
        x, y = math.cos(speed * position), math.sin(speed * position)
        shade = 0.2 + 0.8 * position / (positions - 1)
        axis.annotate(
            "", (x, y), (0, 0), arrowprops={"arrowstyle": "->", "color": OURS, "alpha": shade}
        )
    axis.set(xlim=(-1.1, 1.1), ylim=(-1.1, 1.1), aspect="equal")
    axis.axis("off")


def _draw_layouts(axis: Axes, layouts: Mapping[str, Sequence[int | None]]) -> None:
    from matplotlib.patches import Rectangle

    for y, pairs in enumerate(layouts.values()):
        for x, pair in enumerate(pairs):
            colour = "white" if pair is None else PAIRS[pair % len(PAIRS)]
            axis.add_patch(Rectangle((x, y), 0.95, 0.8, facecolor=colour, edgecolor="#b8c0c8"))
            text = "kept" if pair is None else f"pair {pair}"
            dark = pair is not None and pair % 2 == 0
            axis.text(
                x + 0.475,
                y + 0.4,
                text,
                ha="center",
                va="center",
                fontsize=9,
                color="white" if dark else "black",
            )
    axis.set(xlim=(0, max(map(len, layouts.values()))), ylim=(len(layouts), 0), xticks=[])
    axis.set_yticks([y + 0.4 for y in range(len(layouts))], list(layouts), fontsize=9)
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
