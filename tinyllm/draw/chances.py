"""The chance of a right answer over the number of answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from tinyllm.draw.ladder import LIMIT, OURS, PEER

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_chances(chances: Mapping[str, Mapping[int, float]]) -> Figure:
    """Lines by name: `chances[name][answers]`, between 0 and 1; the numbers of answers double from tick to tick."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.9, 3.4), layout="constrained", dpi=100)
    axis = figure.subplots()
    for (name, line), colour in zip(chances.items(), (OURS, PEER, LIMIT), strict=False):
        axis.plot(list(line), list(line.values()), "o-", color=colour, label=name, markersize=4)
    ticks = sorted({answers for line in chances.values() for answers in line})
    axis.set_xscale("log", base=2)
    axis.set_xticks(ticks, [str(answers) for answers in ticks])
    axis.set_ylim(0, 1.05)
    axis.set_xlabel("answers to a question")
    axis.set_ylabel("chance that the chosen one is right")
    axis.legend(frameon=False, fontsize=9, loc="lower right")
    axis.spines[["top", "right"]].set_visible(False)
    return figure
