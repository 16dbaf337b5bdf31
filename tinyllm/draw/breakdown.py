"""A step by kind of operation: one stacked bar per quantity."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = {
    "#0068b5": "white",
    "#76b7e5": "black",
    "#f2b134": "black",
    "#d1495b": "white",
    "#9aa5b1": "black",
}  # ink


def draw_breakdown(bars: Mapping[str, Mapping[str, float]]) -> Figure:
    """Stacked bars of `bars[quantity][kind]`, each scaled to its sum."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.9, 1.4 + 0.45 * len(bars)), layout="constrained", dpi=100)
    axis = figure.subplots()
    kinds = list(dict.fromkeys(kind for bar in bars.values() for kind in bar))
    left = dict.fromkeys(bars, 0.0)
    for kind, (colour, ink) in zip(kinds, COLOURS.items(), strict=False):
        for name, bar in bars.items():
            share = 100 * bar.get(kind, 0) / sum(bar.values())
            axis.barh(
                name,
                share,
                left=left[name],
                color=colour,
                height=0.6,
                label=kind if name == next(iter(bars)) else None,
            )
            if share >= 8:
                axis.text(
                    left[name] + share / 2,
                    name,
                    f"{share:.0f}%",
                    ha="center",
                    va="center",
                    fontsize=9,
                    color=ink,
                )
            left[name] += share
    axis.invert_yaxis()
    axis.set_xlim(0, 100)
    axis.set_xlabel("percent", fontsize=9)
    figure.legend(loc="outside upper center", ncols=3, frameon=False, fontsize=9)
    axis.spines[["top", "right"]].set_visible(False)
    return figure
