"""Machine code as a strip from the first instruction to the last, with its loads, stores, barriers and loops."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from tinyllm.draw.ladder import LIMIT, MOVED, OURS, PEER

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from tinyllm.lab.disassembly import Loop

COLOURS = {
    "load": OURS,
    "store": LIMIT,
    "local memory": "#f2b134",
    "barrier": "black",
    "1/sqrt": "#3a9d5d",
}


def draw_code_map(length: int, kinds: Mapping[int, str], loops: Mapping[str, Loop]) -> Figure:
    """A line for each kind with a tick at each of its instructions; the loops are shaded and labelled."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 2.5), layout="constrained", dpi=100)
    axis = figure.subplots()
    for y, (kind, colour) in enumerate(COLOURS.items()):
        places = [line for line, of in kinds.items() if of == kind]
        axis.vlines(places, y - 0.4, y + 0.4, color=colour, linewidth=1.8)
    for name, loop in loops.items():
        axis.axvspan(loop.start, loop.end, color=MOVED, alpha=0.35, linewidth=0)
        axis.text((loop.start + loop.end) / 2, -0.65, name, ha="center", va="bottom", fontsize=8)
    axis.set_yticks(range(len(COLOURS)), list(COLOURS), fontsize=8)
    axis.set(xlim=(0, length), ylim=(len(COLOURS) - 0.4, -0.6))
    axis.set_xlabel("line of the machine code", fontsize=8)
    axis.tick_params(axis="x", labelsize=8)
    axis.grid(axis="y", color=PEER, alpha=0.3)
    axis.spines[["top", "right"]].set_visible(False)
    return figure
