"""A feed-forward block cut over ranks: each computes on its own rows and columns, and one sum joins them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tinyllm.draw.weight_tiles import COLOURS, SHARED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HEIGHT = 4.0  # of all columns, in units of the axes
GAP = 0.5  # between two ranks
# The left edge and the width of each part of a rank.
GATE_UP, INNER, DOWN, PARTIAL = (1.6, 2.2), (4.3, 0.5), (5.3, 2.2), (8.0, 0.5)
INPUT, SUM, OUTPUT = (0.0, 0.8), 9.4, (10.2, 0.8)


def draw_halves(columns: Sequence[range], m: int) -> Figure:
    """From `x` at the left to the output at the right: a lane for each rank, with the columns of its part.

    `m` is the size of the input and of the output.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.9, 3.0), layout="constrained", dpi=140)
    axis = figure.subplots()
    scale = HEIGHT / sum(map(len, columns))
    middle = (HEIGHT + GAP * (len(columns) - 1)) / 2
    for edge, name in ((INPUT, f"x\n{m}"), (OUTPUT, f"out\n{m}")):
        _draw_box(axis, edge, middle - 0.6, 1.2, SHARED, name)
    top = 0.0
    for rank, (part, colour) in enumerate(zip(columns, COLOURS, strict=False)):
        height = scale * len(part)
        _draw_rank(axis, top, height, colour, (f"rank {rank}", len(part), m))
        _draw_arrow(axis, (INPUT[0] + INPUT[1], middle), (GATE_UP[0], top + height / 2))
        _draw_arrow(axis, (PARTIAL[0] + PARTIAL[1], top + height / 2), (SUM - 0.25, middle))
        top += height + GAP
    axis.text(SUM, middle, "+", fontsize=14, ha="center", va="center")
    axis.text(SUM, top - GAP, "one sum\nover ranks", fontsize=9, ha="center", va="bottom")
    _draw_arrow(axis, (SUM + 0.25, middle), (OUTPUT[0], middle))
    axis.set(xlim=(-0.1, OUTPUT[0] + 0.9), ylim=(top - GAP + 0.1, -0.5))
    axis.axis("off")
    return figure


def _draw_rank(
    axis: Axes, top: float, height: float, colour: str, labels: tuple[str, int, int]
) -> None:
    """One lane: its rows of the first matrix, the inner vector, its columns of the second, its partial sum."""
    name, own, m = labels
    middle = top + height / 2
    axis.text(GATE_UP[0], top - 0.08, name, fontsize=9, va="bottom")
    _draw_box(axis, GATE_UP, top, height, colour, f"gate, up\n{own} rows\nof each")
    _draw_box(axis, INNER, top, height, colour, f"inner, {own}")
    _draw_box(axis, DOWN, top, height, colour, f"down\n{own}\ncolumns")
    _draw_box(axis, PARTIAL, middle - 0.6, 1.2, colour, f"{m}")
    for left, right in ((GATE_UP, INNER), (INNER, DOWN), (DOWN, PARTIAL)):
        _draw_arrow(axis, (left[0] + left[1], middle), (right[0], middle))


def _draw_box(
    axis: Axes, edge: tuple[float, float], top: float, height: float, colour: str, name: str
) -> None:
    from matplotlib.patches import Rectangle

    left, width = edge
    axis.add_patch(Rectangle((left, top), width, height, facecolor=colour, edgecolor="#6b7280"))
    rotation = 90 if width < 1 and "\n" not in name else 0
    middle = left + width / 2, top + height / 2
    axis.text(*middle, name, fontsize=9, ha="center", va="center", rotation=rotation)


def _draw_arrow(axis: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    arrow = {"arrowstyle": "->", "color": "#5b6470", "shrinkA": 0, "shrinkB": 0}
    axis.annotate("", end, start, arrowprops=arrow)
