"""Recorded runs of attention over both segments (`book/device/bench_attention.py`), beside other implementations."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinyllm.bench.recorded import RESULTS
from tinyllm.bench.table import aligned
from tinyllm.draw.ladder import LIMIT, OURS, PEER

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Run = Mapping[str, Any]
NAMES = {
    "ours": "one kernel",
    "two_segments": "two and a merge",
    "expanded": "expanded cache",
    "flex": "FlexAttention",
}
TIMED = ("ours", "two_segments", "expanded")  # of the table; few cells have FlexAttention
LOOKS = {
    "ours": {"color": OURS, "marker": "o"},
    "two_segments": {"color": "#f2b134", "marker": "s"},
    "expanded": {"color": PEER, "marker": "^"},
    "flex": {"color": "#3a9d5d", "marker": "D", "linestyle": "none"},
}


def attention_runs(folder: Path = RESULTS) -> list[Run]:
    """The recorded runs, `attention-*.json`, one per device."""
    return [json.loads(path.read_text()) for path in sorted(folder.glob("attention-*.json"))]


def cells(run: Run, shape: str, prompt: int, response: int) -> list[Mapping[str, Any]]:
    """Rows of one model and lengths, sorted by batch and beams. Raises LookupError where none is recorded."""
    key = (shape, prompt, response)
    found = [row for row in run["rows"] if (row["shape"], row["prompt"], row["response"]) == key]
    if not found:
        recorded = sorted({(row["shape"], row["prompt"], row["response"]) for row in run["rows"]})
        raise LookupError(f"no rows for {key}: recorded are {recorded}")
    return sorted(found, key=lambda row: (row["batch"], row["beams"]))


def slower_cells(run: Run) -> list[Mapping[str, Any]]:
    """Rows in which another implementation was faster than ours, the largest difference first."""
    best = [(row, min(us for us in row["us"].values() if us)) for row in run["rows"]]
    found = [(least / row["us"]["ours"], i) for i, (row, least) in enumerate(best)]
    return [best[i][0] for ratio, i in sorted(found) if ratio < 1]


def middle(run: Run, shape: str) -> tuple[str, int, int]:
    """The middle one of a model's recorded prompt lengths, and the middle response length of that prompt."""
    lengths = sorted(
        {(row["prompt"], row["response"]) for row in run["rows"] if row["shape"] == shape}
    )
    prompts = sorted({prompt for prompt, _ in lengths})
    responses = [response for prompt, response in lengths if prompt == prompts[len(prompts) // 2]]
    return shape, prompts[len(prompts) // 2], responses[len(responses) // 2]


def least_us(run: Run, row: Mapping[str, Any]) -> float:
    """Microseconds to read the bytes of a row at the read bandwidth of the same run."""
    return row["bytes"] / run["read_gb_s"] / 1e3


def attention_table(
    run: Run, shape: str, prompt: int, response: int, batches: Sequence[int], beams: Sequence[int]
) -> str:
    """A table of microseconds by batch and beams, with device and date; a dash where nothing was timed."""
    rows = cells(run, shape, prompt, response)
    shown = [row for row in rows if row["batch"] in batches and row["beams"] in beams]
    head = ("batch", "beams", *(NAMES[name] for name in TIMED), "of bandwidth", "splits")
    made_by = f"us on {run['device']}, {rows[0]['dtype']}, {run['date']}"
    lines = aligned([head, *(_line(run, row) for row in shown)])
    return f"{made_by}: {shape}, prompt {prompt}, response {response}\n{lines}"


def _line(run: Run, row: Mapping[str, Any]) -> tuple[str, ...]:
    us = row["us"]
    times = ("-" if us.get(name) is None else f"{us[name]:.1f}" for name in TIMED)
    share = f"{least_us(run, row) / us['ours']:.0%}"
    return (str(row["batch"]), str(row["beams"]), *times, share, str(row["splits"]))


def draw_attention_batch(run: Run, shape: str, prompt: int, response: int, batch: int) -> Figure:
    """Microseconds over the beams for one batch; the dashed line is the least time to read the bytes."""
    from matplotlib.figure import Figure

    rows = [row for row in cells(run, shape, prompt, response) if row["batch"] == batch]
    if not rows:
        raise LookupError(f"no rows of {shape} with batch {batch}")
    figure = Figure(figsize=(4.9, 3.4), layout="constrained", dpi=100)
    axis = figure.subplots()
    _draw_panel(axis, run, rows, fontsize=9)
    axis.set_ylabel("microseconds", fontsize=9)
    axis.legend(frameon=False, fontsize=9)
    axis.set_title(f"{shape}, batch {batch}: {run['device']}, {run['date']}", fontsize=9)
    return figure


def draw_attention_cells(run: Run, shape: str, prompt: int, response: int) -> Figure:
    """Microseconds over the beams, a panel per batch; the dashed line is the least time to read the bytes."""
    from matplotlib.figure import Figure

    rows = cells(run, shape, prompt, response)
    panels = [list(group) for _, group in groupby(rows, key=lambda row: row["batch"])]
    figure = Figure(figsize=(0.6 + 2.3 * len(panels), 3.1), layout="constrained", dpi=100)
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for axis, panel in zip(axes, panels, strict=True):
        _draw_panel(axis, run, panel)
    axes[0].set_ylabel("microseconds", fontsize=8)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=len(labels), frameon=False, fontsize=8
    )
    text = f"{shape}, {rows[0]['dtype']}, prompt {prompt}, response {response}: {run['device']}, {run['date']}"
    figure.suptitle(text, fontsize=9)
    return figure


def _draw_panel(axis: Axes, run: Run, rows: Sequence[Mapping[str, Any]], fontsize: int = 8) -> None:
    for name, label in NAMES.items():
        timed = [(row["beams"], row["us"].get(name)) for row in rows]
        xs, ys = [x for x, y in timed if y is not None], [y for _, y in timed if y is not None]
        axis.plot(xs, ys, markersize=4, label=label, **LOOKS[name])
    beams = [row["beams"] for row in rows]
    axis.plot(
        beams,
        [least_us(run, row) for row in rows],
        "--",
        color=LIMIT,
        linewidth=1,
        label="reading the bytes",
    )
    axis.set_ylim(bottom=0)
    axis.set_xticks(beams)
    axis.tick_params(labelsize=fontsize)
    axis.set_xlabel("beams", fontsize=fontsize)
    axis.set_title(f"batch {rows[0]['batch']}", fontsize=9)
    axis.spines[["top", "right"]].set_visible(False)
