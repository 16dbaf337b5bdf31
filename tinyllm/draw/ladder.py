"""The ladder as a picture: milliseconds per token of each stage, beside the limit of the machine's memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tinyllm.bench.rows import Row, ratio_to_peer, title

if TYPE_CHECKING:
    from matplotlib.figure import Figure

OURS, PEER, LIMIT, MOVED = "#0068b5", "#9aa5b1", "#d1495b", "#76b7e5"


def draw_ladder(rows: Sequence[Row]) -> Figure:
    """Bars of time and of bytes per token, one pair per engine; the limit is a line."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 1.6 + 0.55 * len(rows)), layout="constrained", dpi=110)
    times, sizes = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
    _draw_times(times, rows)
    _draw_bytes(sizes, rows)
    figure.suptitle(heading(rows), fontsize=9)
    return figure


def heading(rows: Sequence[Row]) -> str:
    """The heading of a picture, two lines: model and workload, device and date."""
    row = rows[0]
    return f"{row.model}, {row.dtype}, {title(rows)}\n{row.device}, {row.date}"


def _draw_times(axes, rows: Sequence[Row]) -> None:
    names = [row.stage for row in rows]
    colours = [PEER if row.moved_bytes_per_token is None else OURS for row in rows]
    axes.barh(names, [row.next_token_ms for row in rows], color=colours, height=0.6)
    for i, row in enumerate(rows):
        ratio = ratio_to_peer(row, rows)
        text = f" {row.next_token_ms:.1f} ms" + (f", {ratio:.2f}x hf" if ratio else "")
        axes.text(row.next_token_ms, i, text, va="center", fontsize=8)
    limit = rows[0].predicted_bytes_per_token / rows[0].read_bandwidth_gb_s / 1e6
    axes.axvline(limit, color=LIMIT, linestyle="--", linewidth=1)
    axes.text(
        limit, -0.55, f"limit {limit:.1f} ms ", color=LIMIT, fontsize=8, ha="right", va="bottom"
    )
    axes.set_xlim(0, 1.35 * max(row.next_token_ms for row in rows))
    axes.invert_yaxis()
    axes.set_xlabel("ms per next token")
    axes.spines[["top", "right"]].set_visible(False)


def _draw_bytes(axes, rows: Sequence[Row]) -> None:
    least = rows[0].predicted_bytes_per_token / 1e6
    moved = [(row.moved_bytes_per_token or 0) / 1e6 for row in rows]
    axes.barh([row.stage for row in rows], moved, color=MOVED, height=0.6)
    for i, size in enumerate(moved):
        axes.text(size, i, f" {size:.0f} MB" if size else " not counted", va="center", fontsize=8)
    axes.axvline(least, color=LIMIT, linestyle="--", linewidth=1)
    axes.set_xlim(0, 1.35 * max(least, *moved))
    axes.set_xlabel("MB moved per token")
    axes.spines[["top", "right"]].set_visible(False)
