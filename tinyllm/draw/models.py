"""Milliseconds per token of several models in every engine, from a recorded run: the figure of the paper."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tinyllm.bench.rows import Row, beams_of, by_model, ratio_to_peer
from tinyllm.draw.ladder import LIMIT
from tinyllm.draw.latency import engines

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_models(rows: Sequence[Row]) -> Figure:
    """One panel per beam width, one group of bars per model; a dashed line across a group is its limit."""
    from matplotlib.figure import Figure

    widths = sorted({row.num_beams for row in rows})
    figure = Figure(figsize=(9.6, 1.1 + 2.7 * len(widths)), layout="constrained", dpi=110)
    for axes, width in zip(
        figure.subplots(len(widths), 1, sharex=True, squeeze=False)[:, 0], widths, strict=True
    ):
        chosen = [row for row in rows if row.num_beams == width]
        _draw_panel(axes, chosen, {name: colour for name, (colour, _) in engines(rows).items()})
        axes.set_title(beams_of(chosen[0]), fontsize=9)
    figure.legend(
        *axes.get_legend_handles_labels(),
        loc="outside lower center",
        ncols=6,
        fontsize=8,
        frameon=False,
    )
    row = rows[0]
    workload = f"batch {row.batch}, {row.prompt_tokens} tokens in, {row.new_tokens} out"
    figure.suptitle(f"{row.dtype}, {workload}\n{row.device}, {row.date}", fontsize=9)
    return figure


def _draw_panel(axes, rows: Sequence[Row], colours: dict[str, str]) -> None:
    models = by_model(rows)
    wide = 0.8 / len(colours)
    for i, (name, colour) in enumerate(colours.items()):
        found = [
            (x, row, group)
            for x, group in enumerate(models.values())
            for row in group
            if row.stage == name
        ]
        places = [x - 0.4 + wide * (i + 0.5) for x, _, _ in found]
        axes.bar(places, [row.next_token_ms for _, row, _ in found], wide, color=colour, label=name)
        for place, (_, row, group) in zip(places, found, strict=True):
            ratio = ratio_to_peer(row, group)
            text = f"{row.next_token_ms:.1f}" + (
                f"\n{ratio:.1f}x" if ratio and row.stage != "hf" else ""
            )
            axes.text(place, row.next_token_ms, text, ha="center", va="bottom", fontsize=7)
    for x, group in enumerate(models.values()):
        limit = group[0].predicted_bytes_per_token / group[0].read_bandwidth_gb_s / 1e6
        label = "limit" if x == 0 else None
        axes.hlines(
            limit, x - 0.45, x + 0.45, color=LIMIT, linestyle="--", linewidth=1, label=label
        )
    axes.set_xticks(range(len(models)), list(models), fontsize=8)
    axes.set_ylim(0, 1.2 * max(row.next_token_ms for row in rows))
    axes.set_ylabel("ms per next token")
    axes.spines[["top", "right"]].set_visible(False)
