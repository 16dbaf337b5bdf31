"""The launches of a layer as squares, one row per stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tinyllm.draw.breakdown import COLOURS
from tinyllm.lab.kinds import KINDS, kind_of, short_name

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_launches(rows: Mapping[str, Sequence[str]]) -> Figure:
    """`rows[stage]` are names of operations in the order of execution; colours are their kinds."""
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch, Rectangle

    widest = max(map(len, rows.values()))
    figure = Figure(
        figsize=(1.0 + 0.235 * widest, 0.45 + 1.15 * len(rows)), layout="constrained", dpi=100
    )
    axis = figure.subplots()
    colours = dict(zip(KINDS, COLOURS.items(), strict=False))
    for y, names in enumerate(rows.values()):
        for x, name in enumerate(short_name(name.rpartition("::")[2]) for name in names):
            colour, ink = colours[kind_of(name)]
            axis.add_patch(Rectangle((x + 0.05, y), 0.9, 0.9, facecolor=colour))
            text = "attention" if "attention" in name else name
            axis.text(
                x + 0.5,
                y + 0.45,
                text,
                rotation=90,
                ha="center",
                va="center",
                fontsize=7,
                color=ink,
            )
    axis.set_yticks(
        [y + 0.45 for y in range(len(rows))], [f"{name}: {len(of)}" for name, of in rows.items()]
    )
    axis.set_xticks([])
    axis.set_xlim(0, widest)
    axis.set_ylim(len(rows), -0.05)
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
    patches = [Patch(color=colour, label=kind) for kind, (colour, _) in colours.items()]
    figure.legend(
        handles=patches, loc="outside upper center", ncols=len(patches), frameon=False, fontsize=8
    )
    return figure
