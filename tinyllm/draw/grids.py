"""Attention matrices as grids of squares: the weight of each key for each query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from jaxtyping import Float
from torch import Tensor

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_grids(
    grids: Mapping[str, Float[Tensor, "t total"]], rows: Sequence[str], columns: Sequence[str]
) -> Figure:
    """Grids of values from 0 (white) to 1 (dark), one below the other: a row per query, a column per key."""
    from matplotlib.figure import Figure

    size, upright = 0.26, max(map(len, columns)) < 3
    figure = Figure(
        figsize=(1.3 + size * len(columns), (0.9 + size * len(rows)) * len(grids)), dpi=100
    )
    figure.set_layout_engine("constrained")
    axes = figure.subplots(len(grids), squeeze=False)[:, 0]
    for axis, (title, grid) in zip(axes, grids.items(), strict=True):
        axis.pcolormesh(
            grid.detach().numpy(), cmap="Blues", vmin=0, vmax=1, edgecolors="#d5dbe1", linewidth=0.5
        )
        axis.set_aspect("equal")
        axis.set_title(title, fontsize=9)
        axis.set_xticks(
            [i + 0.5 for i in range(len(columns))],
            columns,
            rotation=0 if upright else 90,
            fontsize=9,
        )
        axis.set_yticks([i + 0.5 for i in range(len(rows))], rows, fontsize=9)
        axis.tick_params(length=0)
        axis.set_xlabel("keys", fontsize=9)
        axis.set_ylabel("queries", fontsize=9)
        axis.invert_yaxis()
    return figure
