"""The memory of a beam search: the slots of the cache at one step, and the bytes of all steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tinyllm.draw.ladder import LIMIT, MOVED, OURS, PEER
from tinyllm.lab.beam_trace import BeamTrace, Line, Place, lines, shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PROMPT, RESPONSE, UNREAD = MOVED, "#f2b134", "#e4e7eb"
BEAMS = ("#0068b5", "#d1495b", "#3a9d5d", "#7b4ea3", "#b36b00", "#00808a", "#c23b9b", "#4d4d4d")


def draw_beam_memory(traces: BeamTrace | Sequence[BeamTrace], step: int) -> Figure:
    """A square per slot, in columns by time: blue prompt, yellow response, grey unread, white free.

    Hatched slots were copied in this step, those with a thick edge written. In a segment cache, a line in the colour of
    each beam connects the slots that it reads. Several traces are drawn one below the other.
    """
    from matplotlib.figure import Figure

    traces = [traces] if isinstance(traces, BeamTrace) else list(traces)
    laid, shared = (
        [lines(trace, step) for trace in traces],
        [_has_response(trace, step) for trace in traces],
    )
    columns = max(line.column + len(line.places) for of_one in laid for line in of_one)
    widest, rows = max(_widest(trace, step) for trace in traces), [len(of_one) for of_one in laid]
    row = 0.2 + 0.075 * widest if _stand(columns) else 0.33
    height = 0.55 * len(traces) + 0.4 * any(shared) + row * sum(rows)
    figure = Figure(figsize=(4.9, height), layout="constrained", dpi=140)
    axes = figure.subplots(len(traces), squeeze=False, height_ratios=rows)[:, 0]
    for axis, trace, of_one in zip(axes, traces, laid, strict=True):
        _draw_trace(axis, trace, step, of_one, columns)
    if any(shared):
        handles = axes[shared.index(True)].get_legend_handles_labels()
        figure.legend(
            *handles,
            loc="outside lower center",
            ncols=4,
            frameon=False,
            fontsize=9,
        )
    return figure


def _stand(columns: int) -> bool:
    """Whether the words of so many columns stand upright, to be read on a phone."""
    return columns > 7


def _has_response(trace: BeamTrace, step: int) -> bool:
    """Whether the cache has a response segment in this step."""
    return trace.steps[step].buffers[-1].name == "response"


def _draw_trace(
    axis: Axes, trace: BeamTrace, step: int, laid: Sequence[Line], columns: int
) -> None:
    centres = {}
    for y, line in enumerate(laid):
        centres |= _draw_line(axis, trace, step, line, y, 90 * _stand(columns))
    if _has_response(trace, step):
        _draw_beams(axis, trace, step, centres)
    axis.set(xlim=(-0.05, columns + 0.05), ylim=(len(laid) + 0.05, -0.05), xticks=[])
    axis.set_yticks([y + 0.5 for y in range(len(laid))], [line.name for line in laid], fontsize=9)
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
    axis.set_title(f"{trace.stage}, step {step}", fontsize=9, loc="left")


def _widest(trace: BeamTrace, step: int) -> int:
    rows = (row for buffer in trace.steps[step].buffers for row in buffer.rows)
    return max(len(shown(slot.text)) for row in rows for slot in row)


def _draw_line(
    axis: Axes, trace: BeamTrace, step: int, line: Line, y: int, rotation: int
) -> dict[Place, tuple[float, float]]:
    """Draw the squares of one line; returns their centres."""
    from matplotlib.patches import Rectangle

    centres = {}
    for x, place in enumerate(line.places, start=line.column):
        slot = trace.steps[step].slot(place)
        read = PROMPT if slot.step == 0 else RESPONSE
        colour = "white" if slot.state == "free" else read if slot.readers else UNREAD
        look = {
            "hatch": "////" if slot.state == "copied" else None,
            "edgecolor": "#8a949e",
            "linewidth": 0.6,
        }
        if slot.state == "written":
            look |= {"edgecolor": "black", "linewidth": 1.6, "zorder": 2}
        axis.add_patch(Rectangle((x + 0.04, y + 0.06), 0.92, 0.88, facecolor=colour, **look))
        where = {"ha": "center", "va": "center", "rotation": rotation, "fontsize": 9, "zorder": 4}
        text = axis.text(x + 0.5, y + 0.5, shown(slot.text), **where)
        text.set_bbox({"facecolor": colour, "edgecolor": "none", "pad": 0.6})
        centres[place] = (x + 0.5, float(y))
    return centres


def _draw_beams(
    axis: Axes, trace: BeamTrace, step: int, centres: Mapping[Place, tuple[float, float]]
) -> None:
    """Draw a line per beam through its slots of the response segment, shifted a little for each beam."""
    at = trace.steps[step]
    for beam, places in enumerate(at.visible):
        shared = [centres[place] for place in places if at.buffers[place.buffer].name == "response"]
        shift = 0.1 + 0.8 * (beam % trace.width + 0.5) / trace.width
        xs, ys = [x for x, _ in shared], [y + shift for _, y in shared]
        colour = BEAMS[beam % trace.width % len(BEAMS)]
        axis.plot(
            xs,
            ys,
            "o-",
            color=colour,
            linewidth=1.2,
            markersize=2.5,
            zorder=3,
            label=f"beam {beam}",
        )


def draw_bytes_over_steps(traces: Mapping[str, BeamTrace]) -> Figure:
    """Bytes of keys and values held, and bytes copied, over the steps of each trace."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.9, 3.8), layout="constrained", dpi=140)
    held, copied = figure.subplots(2, 1)
    for (name, trace), colour in zip(traces.items(), (PEER, OURS, LIMIT, MOVED), strict=False):
        steps = range(len(trace.steps))
        held.plot(
            steps,
            [step.held / 1e6 for step in trace.steps],
            "o-",
            color=colour,
            markersize=3,
            label=name,
        )
        copied.plot(
            steps,
            [step.copied / 1e6 for step in trace.steps],
            "o-",
            color=colour,
            markersize=3,
            label=name,
        )
    for axis, title in ((held, "MB held"), (copied, "MB copied in a step")):
        axis.set_title(title, fontsize=9, loc="left")
        axis.set_xlabel("step", fontsize=9)
        axis.set_ylim(bottom=0)
        axis.tick_params(labelsize=9)
        axis.spines[["top", "right"]].set_visible(False)
    held.legend(frameon=False, fontsize=9)
    return figure
