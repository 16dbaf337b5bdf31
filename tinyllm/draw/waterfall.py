"""The ladder as a waterfall: the milliseconds and bytes that each stage saves, down to the limit of memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tinyllm.bench.rows import Row, ratio_to_peer
from tinyllm.draw.ladder import LIMIT, OURS, PEER, heading

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SAVED, LOST = "#76b7a0", "#e5a676"


def draw_waterfall(rows: Sequence[Row]) -> Figure:
    """Peers as bars, then the first stage, the change of each further stage, and the last stage in full."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.9, 2 + 0.56 * (len(rows) + 1)), layout="constrained", dpi=140)
    times, sizes = figure.subplots(2, 1)
    times.set_xlabel("ms per next token", fontsize=9)
    _draw(
        times,
        rows,
        [row.next_token_ms for row in rows],
        limit_ms(rows),
        "{:,.1f} ms",
        _ratios(rows),
    )
    moved = [
        None if row.moved_bytes_per_token is None else row.moved_bytes_per_token / 1e6
        for row in rows
    ]
    sizes.set_xlabel("MB moved per token, as predicted", fontsize=9)
    _draw(
        sizes,
        rows,
        moved,
        rows[0].predicted_bytes_per_token / 1e6,
        "{:,.0f} MB",
        dict.fromkeys(range(len(rows) + 1), ""),
    )
    figure.suptitle(heading(rows), fontsize=9)
    return figure


def limit_ms(rows: Sequence[Row]) -> float:
    """Milliseconds to read the least bytes of a token at the read bandwidth of the same run."""
    return rows[0].predicted_bytes_per_token / rows[0].read_bandwidth_gb_s / 1e6


def _ratios(rows: Sequence[Row]) -> dict[int, str]:
    """The speedup over transformers, for each bar."""
    ratios = [ratio_to_peer(row, rows) for row in [*rows, rows[-1]]]
    return {i: f", {ratio:.2f}x hf" if ratio else "" for i, ratio in enumerate(ratios)}


def steps(
    rows: Sequence[Row], values: Sequence[float | None]
) -> list[tuple[str, float, float, str]]:
    """Bars as (name, start, end, colour): full bars for peers and both ends, changes for the stages between."""
    bars, before = [], None
    for row, value in zip(rows, values, strict=True):
        if row.moved_bytes_per_token is None:
            bars.append((row.stage, 0.0, value or 0.0, PEER))
            continue
        if before is None:
            bars.append((row.stage, 0.0, value, OURS))
        else:
            bars.append((row.stage, before, value, SAVED if value <= before else LOST))
        before = value
    return [*bars, ("in the end", 0.0, before or 0.0, OURS)]


def _draw(
    axes, rows: Sequence[Row], values: Sequence[float | None], limit: float, unit: str, ratios
) -> None:
    bars = steps(rows, values)
    longest = max(limit, *(max(start, end) for _, start, end, _ in bars))
    for i, (_, start, end, colour) in enumerate(bars):
        axes.barh(i, end - start, left=start, color=colour, height=0.6)
        axes.text(
            max(start, end) + 0.01 * longest,
            i,
            _text(bars[i], unit) + ratios[i],
            va="center",
            fontsize=9,
        )
        if colour in (SAVED, LOST):
            axes.plot([start, start], [i - 0.7, i - 0.3], color="#666", linewidth=0.8)
    axes.axvline(limit, color=LIMIT, linestyle="--", linewidth=1)
    axes.text(
        limit, len(bars) - 0.45, f" limit {unit.format(limit)}", color=LIMIT, fontsize=9, va="top"
    )
    axes.set_yticks(range(len(bars)), [name for name, *_ in bars])
    axes.tick_params(labelsize=9)
    axes.set_ylim(len(bars) + 0.05, -0.6)
    axes.set_xlim(0, 1.9 * longest)
    axes.spines[["top", "right"]].set_visible(False)


def _text(bar: tuple[str, float, float, str], unit: str) -> str:
    """The value at the end of a bar; for a change, preceded by its size."""
    _, start, end, colour = bar
    if colour == PEER and not end:
        return "not counted"
    if colour not in (SAVED, LOST):
        return unit.format(end)
    return f"{'+' if end > start else '−'}{unit.format(abs(end - start)).split()[0]} → {unit.format(end)}"
