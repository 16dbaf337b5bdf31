"""Milliseconds per token over the length of the prompt, and over the width of the beam search."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle, islice
from typing import TYPE_CHECKING

from tinyllm.bench.rows import Row, is_ours
from tinyllm.draw.ladder import LIMIT

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BLUES, GREYS = (
    ("#9ecae1", "#5ba3d0", "#2f7ebc", "#0b559f", "#08306b"),
    ("#222222", "#888888", "#b07aa1", "#c98a2b", "#59a14f"),
)
MARKERS = "osD^v<>"


def draw_latency(rows: Sequence[Row]) -> Figure:
    """A panel per beam width over prompts, and per prompt over beam widths, where there are at least two points."""
    from matplotlib.figure import Figure

    panels = _panels(rows)
    figure = Figure(figsize=(0.8 + 3.6 * len(panels), 4.2), layout="constrained", dpi=110)
    all_axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axes, (name, (label, field, chosen)) in zip(all_axes, panels.items(), strict=True):
        _draw_panel(axes, chosen, field, engines(rows))
        axes.set_title(name, fontsize=9)
        axes.set_xlabel(label)
    all_axes[0].set_ylabel("ms per next token")
    handles, labels = all_axes[0].get_legend_handles_labels()
    figure.legend(
        handles,
        labels,
        loc="outside lower center",
        ncols=max(4, 3 * len(panels)),
        fontsize=8,
        frameon=False,
    )
    row = rows[0]
    figure.suptitle(
        f"{row.model}, {row.dtype}, batch {row.batch}, {row.new_tokens} tokens out\n{row.device}, {row.date}",
        fontsize=9,
    )
    return figure


def engines(rows: Sequence[Row]) -> dict[str, tuple[str, str]]:
    """Colour and marker of each engine: shades of blue for our stages, darker for later ones."""
    names = list(dict.fromkeys(row.stage for row in rows))
    peers, ours = [n for n in names if not is_ours(n)], [n for n in names if is_ours(n)]
    blues = islice(cycle(BLUES[-len(ours) :]), len(ours))
    shades = [*GREYS[: len(peers)], *blues]
    return {
        name: (shade, MARKERS[i % len(MARKERS)])
        for i, (name, shade) in enumerate(zip(peers + ours, shades, strict=True))
    }


def _panels(rows: Sequence[Row]) -> dict[str, tuple[str, str, list[Row]]]:
    """The panels by title: label and field of the x axis, and rows."""
    prompts, widths = (
        sorted({getattr(row, field) for row in rows}) for field in ("prompt_tokens", "num_beams")
    )
    found = {}
    for width in widths if len(prompts) > 1 else ():
        name = "greedy" if width == 1 else f"{width} beams"
        found[name] = (
            "tokens in the prompt",
            "prompt_tokens",
            [row for row in rows if row.num_beams == width],
        )
    if len(widths) > 1 or not found:
        longest = [row for row in rows if row.prompt_tokens == prompts[-1]]
        found[f"a prompt of {prompts[-1]} tokens"] = ("beams", "num_beams", longest)
    return found


def _draw_panel(axes, rows: Sequence[Row], field: str, looks: dict[str, tuple[str, str]]) -> None:
    from matplotlib.ticker import LogLocator

    ticks = sorted({getattr(row, field) for row in rows})
    for name, (colour, marker) in looks.items():
        points = sorted(
            (getattr(row, field), row.next_token_ms) for row in rows if row.stage == name
        )
        axes.plot(
            *zip(*points, strict=True) if points else ([], []),
            color=colour,
            marker=marker,
            markersize=4,
            label=name,
        )
    limits = {
        getattr(row, field): row.predicted_bytes_per_token / row.read_bandwidth_gb_s / 1e6
        for row in rows
    }
    axes.plot(
        ticks, [limits[x] for x in ticks], color=LIMIT, linestyle="--", linewidth=1, label="limit"
    )
    axes.set_xscale("log", base=2)
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.minorticks_off()
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", linewidth=0.3)
