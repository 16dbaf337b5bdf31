"""How often a launch loads each key of a prompt and of a response, from its trace."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

from tinyllm.draw.ladder import LIMIT, MOVED
from tinyllm.lab.trace import Trace

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NEVER = "#e4e7eb"


def loads(trace: Trace, tensor: str) -> list[int]:
    """How often each slot of the first request and head of a tensor `[b, g, n, d]` is loaded."""
    *_, n, d = trace.shapes[tensor]
    times = Counter(trace.touched("load", tensor))
    return [times[slot * d] for slot in range(n)]


def draw_reads(traces: Mapping[str, Trace], width: int) -> Figure:
    """A square per slot with its number of loads, one panel per launch: grey never, blue once, red more often.

    The first row is the prompt, the others are the `width` sequences of the response; columns are time. The tensors of
    the traces are named `prompt_k` and `response_k`.
    """
    from matplotlib.figure import Figure

    first = next(iter(traces.values()))
    columns = first.shapes["prompt_k"][2] + first.shapes["response_k"][2] // width
    size = (1.1 + 0.27 * columns * len(traces), 0.6 + 0.27 * (1 + width))
    figure = Figure(figsize=size, layout="constrained", dpi=100)
    axes = figure.subplots(1, len(traces), squeeze=False, sharey=True)[0]
    for axis, (name, trace) in zip(axes, traces.items(), strict=True):
        _draw_launch(axis, trace, width)
        axis.set_title(name, fontsize=9, loc="left")
        axis.set(xlim=(-0.1, columns + 0.1), ylim=(width + 1.1, -0.1), xticks=[])
    names = ["prompt", *(f"response {i}" for i in range(width))]
    axes[0].set_yticks([y + 0.5 for y in range(width + 1)], names, fontsize=9)
    return figure


def _draw_launch(axis: Axes, trace: Trace, width: int) -> None:
    from matplotlib.patches import Rectangle

    prompt, response = (loads(trace, tensor) for tensor in ("prompt_k", "response_k"))
    squares = [(x, 0, times) for x, times in enumerate(prompt)]
    squares += [
        (len(prompt) + slot // width, 1 + slot % width, times)
        for slot, times in enumerate(response)
    ]
    for x, y, times in squares:
        colour = (NEVER, MOVED)[times] if times < 2 else LIMIT
        axis.add_patch(Rectangle((x + 0.05, y + 0.05), 0.9, 0.9, facecolor=colour))
        if times:
            ink = "white" if times > 1 else "black"
            axis.text(x + 0.5, y + 0.52, times, ha="center", va="center", fontsize=9, color=ink)
    axis.set_aspect("equal")
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
