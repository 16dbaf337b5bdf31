"""The steps of notebook 03 as bars: bytes per second of each variant of a GEMV, and what limits it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tinyllm.draw.ladder import LIMIT, MOVED, OURS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from tinyllm.lab.gemv_steps import Step

BAR_HEIGHT = 0.34


def draw_gemv_steps(steps: Sequence[Step], others: Mapping[str, float], memory: float) -> Figure:
    """A bar for each step, with a mark at its predicted rate; `others` are measured rates without a prediction.

    All are bytes per second; `memory` is the bandwidth of memory, a line.
    """
    from matplotlib.figure import Figure

    names = [*(step.name for step in steps), *others]
    rates = [*(step.rate for step in steps), *others.values()]
    figure = Figure(figsize=(4.9, BAR_HEIGHT * len(names) + 0.9), layout="constrained", dpi=100)
    axes = figure.subplots()
    colours = [MOVED] * len(steps) + [OURS] * len(others)
    axes.barh(range(len(names)), [rate / 1e9 for rate in rates], color=colours, height=0.7)
    for at, step in enumerate(steps):
        axes.plot([step.predicted / 1e9] * 2, [at - 0.45, at + 0.45], color="black", linewidth=2)
    axes.axvline(memory / 1e9, color=LIMIT, linewidth=1.5, linestyle="--")
    for at, rate in enumerate(rates):
        axes.text(rate / 1e9, at, f" {rate / 1e9:.1f}", va="center", fontsize=9)
    axes.set_yticks(range(len(names)), names, fontsize=9)
    axes.tick_params(axis="x", labelsize=9)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.12 * max(*rates, memory, 1.0) / 1e9)
    axes.set_xlabel("GB/s of weights; black: predicted; dashed: memory", fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    return figure
