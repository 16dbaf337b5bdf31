"""Recorded runs of `bench` by kind: each as a table with device and date, and a picture."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from tinyllm.bench.recorded import RESULTS
from tinyllm.bench.rows import Row, as_text, by_model, grouped, models_table, read_rows, title
from tinyllm.bench.table import aligned
from tinyllm.draw.ladder import draw_ladder
from tinyllm.draw.latency import draw_latency
from tinyllm.draw.models import draw_models
from tinyllm.draw.throughput import draw_answers, draw_batches, draw_throughput
from tinyllm.draw.waterfall import draw_searches, draw_waterfall
from tinyllm.stages import STAGES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# The kinds of runs: a description, and the options of `bench` that record one.
KINDS: Mapping[str, str] = MappingProxyType(
    {
        "ladder": "--preset ladder",
        "models": "--preset latency --random SHAPE --one-copy",
        "beams": "--num-beams 4",
        "latency": "--preset latency",
        "throughput": "--preset throughput",
        "answers": "--preset answers",
    }
)


class Run(NamedTuple):
    """A recorded run: its file, its text, and its picture."""

    name: str
    text: str
    figure: Figure


def recorded_runs(kind: str, folder: Path = RESULTS) -> list[Run]:
    """The runs of a kind, `book/results/KIND-*.json`. Raises ValueError for an unknown kind."""
    if kind not in KINDS:
        raise ValueError(f"kind {kind!r} is unknown: expected one of {list(KINDS)}")
    return [
        _run(path) for path in sorted(folder.glob(f"{kind}-*.json"), key=lambda path: path.stem)
    ]


def no_run(kind: str) -> str:
    """The text for a kind without a recorded run."""
    return f"no run is recorded here yet: python -m tinyllm bench {KINDS[kind]} --json FILE records one"


def _run(path: Path) -> Run:
    found = json.loads(path.read_text())
    if "engine" in found[0]:
        return Run(path.stem, _searches(found), draw_throughput(found))
    rows = read_rows(path)
    text = _tables(rows)
    return Run(path.stem, f"{text}\n{_missing(rows)}" if _missing(rows) else text, draw_rows(rows))


def _missing(rows: Sequence[Row]) -> str:
    """A sentence with the stages that are newer than a recorded ladder."""
    absent = [name for name in STAGES if name not in {row.stage for row in rows}]
    climbed = len(grouped(rows)) == 1 and rows[0].largest_batch is None
    return f"not in this run: {', '.join(absent)}" if climbed and absent else ""


def draw_rows(rows: Sequence[Row]) -> Figure:
    """Throughput over answers or batches, models beside each other, latency over prompts and
    beams, or waterfalls."""
    if rows[0].num_answers is not None:
        return draw_answers(rows)
    if rows[0].largest_batch is not None:
        return draw_batches(rows)
    if len(by_model(rows)) > 1:
        return draw_models(rows)
    if len({row.prompt_tokens for row in rows}) > 1:
        return draw_latency(rows)
    if len(grouped(rows)) > 1:
        return draw_searches(grouped(rows))
    ours = [row for row in rows if row.moved_bytes_per_token is not None]
    return draw_waterfall(rows) if len(ours) > 1 else draw_ladder(rows)


def _tables(rows: Sequence[Row]) -> str:
    row, models = rows[0], by_model(rows)
    head = f"recorded on {row.device}, {row.dtype}, {row.date}: "
    if len(models) > 1:
        workload = f"{row.prompt_tokens} tokens in, {row.new_tokens} out, ms per next token and to the first"
        return f"{head}{len(models)} models\nbatch {row.batch}, {workload}\n{aligned(models_table(rows))}"
    head += row.model
    return "\n".join([head, *(f"{title(group)}\n{as_text(group)}" for group in grouped(rows))])


def _searches(rows: Sequence[Mapping[str, Any]]) -> str:
    """Searches for the largest batch, recorded with an earlier program than `bench`."""
    row, lines = (
        rows[0],
        [("engine", "largest batch", "GB beside the weights", "seconds per call", "tokens/s")],
    )
    for one in rows:
        figures = (
            f"{one['peak_bytes'] / 1e9:.1f}",
            f"{one['seconds']:.2f}",
            f"{one['tokens_per_s']:.1f}",
        )
        lines.append((one["engine"], str(one["largest_batch"]), *figures))
    workload = (
        f"{row['num_beams']} beams, {row['prompt_tokens']} tokens in, {row['new_tokens']} out"
    )
    where = f"recorded on {row['device']}, {row['dtype']}, {row['date']}: {row['model']}"
    return f"{where}\n{workload}\n{aligned(lines)}"
