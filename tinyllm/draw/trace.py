"""The blocks of a kernel lane by lane: the loads and stores of each program, and its masked lanes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinyllm.draw.ladder import LIMIT, MOVED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from tinyllm.lab.trace import Access, Trace

COLOURS = {"load": MOVED, "store": LIMIT}
INK = {"load": "black", "store": "white"}
LANE = 0.26  # inches of a lane
NAME = 1.2  # inches of a title


def draw_trace(trace: Trace) -> Figure:
    """A column per program, its loads and stores from top to bottom; numbers are elements, hatched lanes masked."""
    from matplotlib.figure import Figure

    steps = {
        program: [a for a in trace.accesses if a.program == program] for program in trace.programs
    }
    rows = max(map(len, steps.values()))
    widest = max(len(a.lanes[0]) for a in trace.accesses)
    tallest = max(len(a.lanes) for a in trace.accesses)
    width = max(LANE * widest, NAME) + 0.25
    size = (len(steps) * width, rows * (LANE * tallest + 0.3) + 0.2)
    figure = Figure(figsize=size, layout="constrained", dpi=140)
    grid = figure.subplots(rows, len(steps), squeeze=False)
    for number, (axes, accesses) in enumerate(zip(grid.T, steps.values(), strict=True)):
        for axis in axes:
            axis.axis("off")
        for step, (axis, access) in enumerate(zip(axes, accesses, strict=False)):
            draw_access(axis, access, tallest, widest)
            program = f"program {number}\n" if step == 0 else ""
            axis.set_title(f"{program}{access.kind} {access.tensor}", fontsize=9, loc="left")
    return figure


def draw_access(axis: Axes, access: Access, rows: int, columns: int) -> None:
    """One block on axes of `rows` by `columns` squares."""
    from matplotlib.patches import Rectangle

    for y, lanes in enumerate(access.lanes):
        for x, element in enumerate(lanes):
            on = element is not None
            look = (
                {"facecolor": COLOURS[access.kind]}
                if on
                else {"facecolor": "white", "hatch": "////"}
            )
            axis.add_patch(Rectangle((x, y), 1, 1, edgecolor="#b8c0c8", linewidth=0.7, **look))
            if on:
                axis.text(
                    x + 0.5,
                    y + 0.52,
                    element,
                    ha="center",
                    va="center",
                    fontsize=9,
                    color=INK[access.kind],
                )
    axis.set_xlim(-0.1, columns + 0.1)
    axis.set_ylim(rows + 0.1, -0.1)
    axis.set_aspect("equal")
