"""Memory traffic: bytes read and written by each launch, one bar per launch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tinyllm.draw.ladder import LIMIT, MOVED

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Trip = tuple[str, float, float]


def draw_trips(groups: dict[str, Sequence[Trip]], unit: str) -> Figure:
    """Bars of `(name, read, written)` for each launch, groups one below the other; `unit` labels the axis."""
    from matplotlib.figure import Figure

    lines = [(group, *trip) for group, trips in groups.items() for trip in trips]
    places = [i + 0.7 * list(groups).index(line[0]) for i, line in enumerate(lines)]
    figure = Figure(figsize=(4.9, 0.9 + 0.28 * places[-1]), layout="constrained", dpi=100)
    axis = figure.subplots()
    reads, writes = [line[2] for line in lines], [line[3] for line in lines]
    axis.barh(places, reads, color=MOVED, height=0.7, label="read")
    axis.barh(places, writes, left=reads, color=LIMIT, height=0.7, label="written")
    axis.set_yticks(places, [f"{group}: {name}" for group, name, *_ in lines], fontsize=9)
    axis.invert_yaxis()
    axis.tick_params(axis="x", labelsize=9)
    axis.set_xlabel(unit, fontsize=9)
    figure.legend(frameon=False, fontsize=9, loc="outside upper right", ncols=2)
    axis.spines[["top", "right"]].set_visible(False)
    return figure
