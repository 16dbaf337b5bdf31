"""The largest batch of each engine on a device, and its tokens per second."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tinyllm.bench.rows import Row, grouped, is_ours
from tinyllm.draw.ladder import OURS, PEER
from tinyllm.draw.latency import engines

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_throughput(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Two bars for each recorded engine: its largest batch, and its tokens per second at that batch."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 0.6 + 0.5 * len(rows)), layout="constrained")
    names = [row["engine"] for row in rows]
    colours = [OURS if is_ours(name) else PEER for name in names]
    panels = {"largest batch": "largest_batch", "tokens per second": "tokens_per_s"}
    for axes, (title, key) in zip(figure.subplots(1, 2, sharey=True), panels.items(), strict=True):
        bars = axes.barh(names, [row[key] for row in rows], color=colours)
        axes.bar_label(bars, fmt="%.0f", padding=3)
        axes.margins(x=0.15)
        axes.set_title(title, fontsize="medium")
        axes.set_xticks([])
        for side in ("top", "right", "bottom"):
            axes.spines[side].set_visible(False)
    axes.invert_yaxis()
    return figure


def draw_batches(rows: Sequence[Row]) -> Figure:
    """Tokens per second over the batch, one line per engine up to its largest batch; a panel per beam width."""
    from matplotlib.figure import Figure

    groups, looks = grouped(rows), engines(rows)
    figure = Figure(
        figsize=(0.8 + 4.2 * len(groups), 4 + 0.2 * len(looks)), layout="constrained", dpi=110
    )
    all_axes = figure.subplots(1, len(groups), squeeze=False)[0]
    for axes, group in zip(all_axes, groups, strict=True):
        _draw_group(axes, group, looks)
    all_axes[0].set_ylabel("tokens per second, prompt included")
    budget = f"{rows[0].memory_budget_bytes / 1e9:.0f} GB for each engine"
    row = rows[0]
    workload = (
        f"{row.model}, {row.dtype}, {row.prompt_tokens} tokens in, {row.new_tokens} out, {budget}"
    )
    figure.suptitle(f"{workload}\n{row.device}, {row.date}", fontsize=9)
    return figure


def _draw_group(axes, rows: Sequence[Row], looks: Mapping[str, tuple[str, str]]) -> None:
    from matplotlib.ticker import LogLocator

    for name, (colour, marker) in looks.items():
        points = sorted((row.batch, row.call_tokens_per_s) for row in rows if row.stage == name)
        if points:
            label = f"{name}: {points[-1][0]} at a time, {points[-1][1]:,.0f} tokens/s"
            axes.plot(
                *zip(*points, strict=True), color=colour, marker=marker, markersize=4, label=label
            )
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:,g}")
    axes.minorticks_off()
    axes.set_xlabel("requests in a batch")
    axes.set_title("greedy" if rows[0].num_beams == 1 else f"{rows[0].num_beams} beams", fontsize=9)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), fontsize=8, frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", linewidth=0.3)


def draw_answers(rows: Sequence[Row]) -> Figure:
    """Tokens per second of a call, and memory beside the weights, over the answers to a prompt; a row per prompt."""
    from matplotlib.figure import Figure

    prompts, looks = sorted({row.prompt_tokens for row in rows}), engines(rows)
    figure = Figure(figsize=(9.2, 0.8 + 3 * len(prompts)), layout="constrained", dpi=110)
    grid = figure.subplots(len(prompts), 2, squeeze=False)
    for tokens, (speed, memory) in zip(prompts, grid, strict=True):
        chosen = [row for row in rows if row.prompt_tokens == tokens]
        _draw_over_answers(speed, chosen, looks, lambda row: row.call_tokens_per_s)
        _draw_over_answers(memory, chosen, looks, lambda row: _gigabytes(row.peak_bytes))
        speed.set_ylabel("tokens per second, prompt included")
        memory.set_ylabel("GB beside the weights")
        speed.set_title(f"a prompt of {tokens:,} tokens, {chosen[0].new_tokens} out", fontsize=9)
    grid[0][0].legend(fontsize=8, frameon=False)
    row = rows[0]
    figure.suptitle(f"{row.model}, {row.dtype}, sampled\n{row.device}, {row.date}", fontsize=9)
    return figure


def _gigabytes(size: int | None) -> float | None:
    return None if size is None else size / 1e9


def _draw_over_answers(
    axes,
    rows: Sequence[Row],
    looks: Mapping[str, tuple[str, str]],
    figure_of: Callable[[Row], float | None],
) -> None:
    """A line for each engine, up to the most answers for which it has a row."""
    for name, (colour, marker) in looks.items():
        points = [(row.num_answers, figure_of(row)) for row in rows if row.stage == name]
        points = sorted(point for point in points if point[1] is not None)
        if points:
            answers, figures = zip(*points, strict=True)
            axes.plot(answers, figures, color=colour, marker=marker, markersize=4, label=name)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_major_formatter("{x:,g}")
    axes.minorticks_off()
    axes.set_xlabel("answers to the prompt")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", linewidth=0.3)
