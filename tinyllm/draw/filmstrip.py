"""Online softmax as a filmstrip: scores, weights and accumulator, one frame per tile."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING

from tinyllm.draw.ladder import LIMIT, OURS, PEER
from tinyllm.lab.softmax_trace import SoftmaxTrace, before, span

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BEFORE = "#5f6b76"
ACROSS = 8  # elements of the accumulator in a row of squares


def weights_so_far(trace: SoftmaxTrace, number: int) -> list[float]:
    """The weight of every key up to a step, relative to its maximum: before and after rescaling."""
    weights: list[float] = []
    for step in trace.steps[: number + 1]:
        weights = [weight * float(step.rescale) for weight in weights] + step.weights[0].tolist()
    return weights


def draw_filmstrip(trace: SoftmaxTrace) -> Figure:
    """A row per tile: scores and their maximum, the weights, and the accumulator.

    Blue is the new tile, grey are earlier keys; hollow bars are the weights before this tile.
    """
    from matplotlib.figure import Figure

    count = len(trace.steps)
    figure = Figure(figsize=(4.9, 0.4 + 1.3 * count), layout="constrained", dpi=140)
    grid = figure.subplots(count, 3, squeeze=False, sharey="col", width_ratios=(3, 3, 2))
    for number, axes in enumerate(grid):
        _draw_frame(axes, trace, number)
        axes[0].set_ylabel(f"tile {number}", fontsize=9)
    for axis, name in zip(grid[0], ("scores", "weights", "accumulator"), strict=True):
        axis.set_title(name, fontsize=9)
    return figure


def draw_frame(trace: SoftmaxTrace, number: int) -> Figure:
    """One tile of the filmstrip, with the names of the keys."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.9, 5.4), layout="constrained", dpi=140)
    axes = figure.subplots(3, 1)
    _draw_frame(axes, trace, number)
    for axis, name in zip(axes, ("scores", "weights", "accumulator"), strict=True):
        axis.set_title(f"{name}, tile {number}", fontsize=9, loc="left")
    for axis in axes[:2]:
        axis.set_xticks(
            range(len(trace.keys)), [key.strip() for key in trace.keys], rotation=90, fontsize=9
        )
    return figure


def _draw_frame(axes: Sequence[Axes], trace: SoftmaxTrace, number: int) -> None:
    _draw_scores(axes[0], trace, number)
    _draw_weights(axes[1], trace, number)
    _draw_accumulator(axes[2], trace, number)
    for axis in axes[:2]:
        axis.set_xlim(-0.7, len(trace.keys) - 0.3)
        axis.set_xticks([])
        axis.tick_params(labelsize=9, length=2)
        axis.spines[["top", "right"]].set_visible(False)


def _colours(trace: SoftmaxTrace, number: int) -> list[str]:
    keys = span(trace, number)
    return [OURS if i in keys else PEER for i in range(keys.stop)]


def _draw_scores(axis: Axes, trace: SoftmaxTrace, number: int) -> None:
    scores = list(chain(*(step.scores[0].tolist() for step in trace.steps)))
    seen, keys, high = span(trace, number).stop, len(trace.keys), max(scores)
    low = min(scores) - 0.06 * (high - min(scores) + 1)  # so that the lowest score has a bar
    axis.bar(
        range(seen),
        [score - low for score in scores[:seen]],
        0.8,
        low,
        color=_colours(trace, number),
    )
    top, old = float(trace.steps[number].state.maximum), float(before(trace, number).maximum)
    if number and top > old:
        axis.hlines(old, -0.7, keys - 0.3, color=BEFORE, linewidth=1, linestyle="dotted")
    axis.hlines(top, -0.7, keys - 0.3, color=LIMIT, linewidth=1.4)
    axis.set_ylim(low, high + 0.28 * (high - low))
    axis.text(
        -0.5, top + 0.03 * (high - low), f"max {top:.2f}", fontsize=9, color=LIMIT, va="bottom"
    )


def _draw_weights(axis: Axes, trace: SoftmaxTrace, number: int) -> None:
    now = weights_so_far(trace, number)
    was = weights_so_far(trace, number - 1) if number else []
    axis.bar(
        range(len(was)), was, 0.8, fill=False, edgecolor=BEFORE, linewidth=0.8, linestyle="dotted"
    )
    axis.bar(range(len(now)), now, 0.8, color=_colours(trace, number))
    total = float(trace.steps[number].state.denominator)
    axis.set_ylim(0, 1.3)
    axis.set_yticks([0, 1])
    axis.text(-0.5, 1.08, f"sum {total:.2f}", fontsize=9, va="bottom")


def _draw_accumulator(axis: Axes, trace: SoftmaxTrace, number: int) -> None:
    """Draw the accumulator's elements row by row: red negative, blue positive, on one scale for all steps."""
    largest = max(float(step.state.accumulator.abs().max()) for step in trace.steps)
    rows = trace.steps[number].state.accumulator[0].view(-1, ACROSS).numpy()
    axis.imshow(rows, cmap="RdBu", vmin=-largest, vmax=largest, interpolation="nearest")
    axis.set(xticks=[], yticks=[])
    axis.spines[:].set_color("#b8c0c8")
