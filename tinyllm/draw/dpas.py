"""The operands of one dpas: which lane of a sub-group has which element in which register."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinyllm.lab.dpas import DEPTH, LANES, ROWS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

OF_LANE, OF_STEP, BOTH, PLAIN = "#f2b134", "#8fb8e8", "#3a9d5d", "#eef0f3"
GAP = 2.6  # columns between a and the sums, rows between b and the sums


def draw_dpas(lane: int, k: int) -> Figure:
    """a [8, 16], b [16, 16] and the sums [8, 16], placed as in a matmul: b above the sums, a at their left.

    Yellow is what `lane` holds, blue what step `k` of 16 multiplies, green what is both. Raises ValueError for a lane
    or a step beyond 0 to 15.
    """
    from matplotlib.figure import Figure

    if not (0 <= lane < LANES and 0 <= k < DEPTH):
        raise ValueError(f"lane {lane}, step {k}: expected numbers from 0 to {LANES - 1}")
    figure = Figure(figsize=(4.9, 4.2), layout="constrained", dpi=100)
    axis = figure.subplots()
    right, below = DEPTH + GAP, DEPTH + GAP
    _draw_matrix(axis, (0, below), (ROWS, DEPTH), lane, lambda _, column: column == k)
    _draw_matrix(axis, (right, 0), (DEPTH, LANES), lane, lambda row, _: row == k)
    _draw_matrix(axis, (right, below), (ROWS, LANES), lane, lambda *_: False)
    _draw_registers(axis, right)
    _draw_names(axis, right, below)
    axis.set(xlim=(-2.6, right + LANES + 2.8), ylim=(below + ROWS + 3.4, -2.2))
    axis.set_aspect("equal")
    axis.axis("off")
    return figure


def _draw_matrix(axis: Axes, corner: tuple, shape: tuple, lane: int, is_in_step) -> None:
    from matplotlib.patches import Rectangle

    x, y = corner
    for row in range(shape[0]):
        for column in range(shape[1]):
            kinds = {(True, True): BOTH, (True, False): OF_LANE, (False, True): OF_STEP}
            colour = kinds.get((column == lane, is_in_step(row, column)), PLAIN)
            place = (x + column + 0.06, y + row + 0.06)
            axis.add_patch(Rectangle(place, 0.88, 0.88, facecolor=colour))


def _draw_registers(axis: Axes, x: float) -> None:
    """A frame around the two rows of b that share a register, and its number."""
    from matplotlib.patches import Rectangle

    for i in range(DEPTH // 2):
        frame = Rectangle((x, 2 * i), LANES, 2, fill=False, edgecolor="#6b7280", linewidth=0.6)
        axis.add_patch(frame)
        axis.text(x + LANES + 0.3, 2 * i + 1, f"r{i}", va="center", fontsize=9)


def _draw_names(axis: Axes, right: float, below: float) -> None:
    names = {"a: 8 rows of queries": (0, below), "b: 16 keys": (right, 0), "sums": (right, below)}
    for name, (x, y) in names.items():
        axis.text(x, y - 0.4, name, fontsize=9, va="bottom")
    for x in (0, right):
        bottom = below + ROWS + 0.3
        axis.text(x + 8, bottom + 1.2, "lane", fontsize=9, ha="center", va="top")
        for number in (0, 5, 10, 15):
            axis.text(x + number + 0.5, bottom, number, fontsize=9, ha="center", va="top")
    for row in range(0, ROWS, 7):
        axis.text(-0.3, below + row + 0.5, f"r{row}", fontsize=9, ha="right", va="center")
        axis.text(right + LANES + 0.3, below + row + 0.5, f"r{row}", fontsize=9, va="center")
