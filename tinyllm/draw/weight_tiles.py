"""A matrix and a row as the programs of a GEMV load them: who loads which element, and in which of its loads."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from tinyllm.lab.trace import Trace

COLOURS = ("#78b7e5", "#ffc857", "#8fd19e", "#d9a5e0", "#f4a582", "#b8c0c8")
SHARED = "#e9edf2"
CELL = 0.235  # inches


def draw_weight_tiles(trace: Trace, matrix: str, row: str, result: str) -> Figure:
    """The matrix, with the row above it and the result beside it; a colour is a program, a number one of its loads.

    The numbers in the row count the programs that load an element. Raises ValueError for an element of the matrix that
    is not loaded exactly once.
    """
    from matplotlib.figure import Figure

    n, k = trace.shapes[matrix]
    owners = _owners(trace, matrix)
    stored = {
        element: program
        for program, name, elements, _ in _loads(trace, "store")
        if name == result
        for element in elements
    }
    figure = Figure(figsize=(CELL * (k + 4) + 0.2, CELL * (n + 4)), layout="constrained", dpi=100)
    axes = figure.subplots()
    readers = [trace.touched("load", row).count(element) for element in range(k)]
    for column, count in enumerate(readers):
        _cell(axes, column, -2, str(count), SHARED)
    for element, (program, load) in owners.items():
        _cell(axes, element % k, element // k, str(load), COLOURS[program % len(COLOURS)])
    for element, program in stored.items():
        _cell(axes, k + 1, element, "", COLOURS[program % len(COLOURS)])
    for x, y, text in ((-0.3, -1.5, row), (-0.3, n / 2, matrix)):
        axes.text(x, y, text, ha="right", va="center", fontsize=9)
    axes.text(k + 1.5, -0.3, result, ha="center", va="bottom", fontsize=9)
    axes.set_xlim(-1, k + 2.5)
    axes.set_ylim(n + 0.1, -2.2)
    axes.set_aspect("equal")
    axes.axis("off")
    return figure


def _loads(trace: Trace, kind: str) -> list[tuple[int, str, list[int], int]]:
    """The accesses of a kind: number of the program, tensor, elements, and the how-manieth of the program on it."""
    found, counts = [], dict[tuple[int, str], int]()
    for access in trace.accesses:
        if access.kind == kind:
            key = trace.programs.index(access.program), access.tensor
            counts[key] = counts.get(key, 0) + 1
            found.append((*key, access.elements, counts[key]))
    return found


def _owners(trace: Trace, matrix: str) -> dict[int, tuple[int, int]]:
    """By element of the matrix: its program, and the number of the load."""
    n, k = trace.shapes[matrix]
    if trace.touched("load", matrix) != list(range(n * k)):
        raise ValueError(f"{matrix}: expected every element to be loaded exactly once")
    return {
        element: (program, load)
        for program, name, elements, load in _loads(trace, "load")
        if name == matrix
        for element in elements
    }


def _cell(axes: Axes, x: int, y: int, text: str, colour: str) -> None:
    from matplotlib.patches import Rectangle

    axes.add_patch(Rectangle((x, y), 1, 1, facecolor=colour, edgecolor="white", linewidth=0.8))
    axes.text(x + 0.5, y + 0.53, text, ha="center", va="center", fontsize=9)
