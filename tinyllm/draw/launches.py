"""The launches of a layer as squares, one row per stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tinyllm.draw.breakdown import COLOURS
from tinyllm.lab.kinds import KINDS, kind_of, short_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


WRAP = 18  # squares of a line
SQUARE = 0.215  # inches
HEIGHT = 1.5  # of a line, in inches


def draw_launches(rows: Mapping[str, Sequence[str]]) -> Figure:
    """`rows[stage]` are names of operations in the order of execution; colours are their kinds.

    A stage continues on the next line after 18 operations.
    """
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    lines = {
        stage: [names[start : start + WRAP] for start in range(0, len(names), WRAP)]
        for stage, names in rows.items()
    }
    number = sum(map(len, lines.values()))
    size = (1.0 + SQUARE * WRAP, 0.7 + HEIGHT * number)
    figure = Figure(figsize=size, layout="constrained", dpi=100)
    axis = figure.subplots()
    colours = dict(zip(KINDS, COLOURS.items(), strict=False))
    firsts, y = [], 0
    for of_stage in lines.values():
        firsts.append(y)
        for names in of_stage:
            _draw_line(axis, names, y, colours)
            y += 1
    labels = [f"{stage}: {len(names)}" for stage, names in rows.items()]
    axis.set_yticks([first + 0.45 for first in firsts], labels)
    axis.set_xticks([])
    axis.set_xlim(0, WRAP)
    axis.set_ylim(number, -0.05)
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
    patches = [Patch(color=colour, label=kind) for kind, (colour, _) in colours.items()]
    figure.legend(handles=patches, loc="outside upper center", ncols=2, frameon=False, fontsize=9)
    return figure


def _draw_line(
    axis: Axes, names: Sequence[str], y: int, colours: Mapping[str, tuple[str, str]]
) -> None:
    """One line of squares with the names of the operations."""
    from matplotlib.patches import Rectangle

    for x, name in enumerate(names):
        short = short_name(name.rpartition("::")[2])
        colour, ink = colours[kind_of(short)]
        axis.add_patch(Rectangle((x + 0.05, y), 0.9, 0.9, facecolor=colour))
        text = "attention" if "attention" in short else short
        style = {"rotation": 90, "ha": "center", "va": "center", "fontsize": 9, "color": ink}
        axis.text(x + 0.5, y + 0.45, text, **style)
