"""Recorded measurements: one row per engine, in JSON files, from which tables and pictures are made."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby, takewhile
from pathlib import Path

from tinyllm.bench.table import aligned, markdown
from tinyllm.stages import pick_stage


@dataclass(frozen=True)
class Row:
    """One engine on one device, one prompt length and one batch. Times in ms, sizes in bytes, rates per second.

    `predicted_bytes_per_token` are the least bytes of every implementation (weights, keys, values);
    `bandwidth_share` is computed from them. `moved_bytes_per_token` is the cost model's prediction for this stage;
    `counted_bytes_per_token` are the bytes that its operations moved. `first_difference` is the position of the first
    new token that differs from transformers' (None: all equal, or transformers was not in the run). `ready_s` is the
    time from loaded weights to the end of the first answer, with compilation, graph capture and conversion. `load_s` is
    the time until then: stages in one process load one copy of the weights; of an engine in a process of its own it
    begins with the start of that process; None for an engine that shares the weights of another.
    `num_answers` are samples of each prompt, whose tokens all count; None without samples.
    `seconds` is a complete call, prompt included; times are medians of `repeats` calls. Three fields belong to a search
    for the largest batch in a memory budget, weights included. In other fields None means not available. `weights` is
    what they are kept in: dense and a number format, or packed and formats of blocks; `bits_per_weight` are the bits
    of all weights over their number, in which tied ones count once. `ranks` are devices that run a model together, of
    which bytes and bandwidths are those of the first; None for one. `kv_dtype` is the number format of keys and values,
    where it is not `dtype`. `path` is the path of the machine that decode steps take: on a CPU the instruction set of
    their kernels, chosen at run time.
    """

    stage: str
    model: str
    device: str
    dtype: str
    batch: int
    num_beams: int
    prompt_tokens: int
    new_tokens: int
    first_token_ms: float
    next_token_ms: float
    tokens_per_s: float
    peak_bytes: int | None
    weight_bytes: int
    predicted_bytes_per_token: int
    moved_bytes_per_token: int | None
    counted_bytes_per_token: int | None
    bandwidth_gb_s: float
    bandwidth_share: float
    read_bandwidth_gb_s: float
    launches_per_layer: int | None
    predicted_launches_per_layer: int | None
    first_difference: int | None
    versions: dict[str, str]
    date: str
    ready_s: float | None = None
    seconds: float | None = None
    repeats: int | None = None
    num_answers: int | None = None
    largest_batch: int | None = None
    planned_batch: int | None = None
    memory_budget_bytes: int | None = None
    weights: str | None = None
    bits_per_weight: float | None = None
    ranks: int | None = None
    kv_dtype: str | None = None
    load_s: float | None = None
    path: str | None = None

    @property
    def case(self) -> tuple[object, ...]:
        """Model, device and workload: rows with the same are compared. A search has "largest" as its batch."""
        batch = self.batch if self.largest_batch is None else "largest"
        search = self.num_beams, self.num_answers
        return self.model, self.device, search, self.prompt_tokens, self.new_tokens, batch

    @property
    def call_tokens_per_s(self) -> float | None:
        """New tokens per second of a complete call; of beams, one sequence of each prompt counts."""
        sequences = self.batch * (self.num_answers or 1)
        return None if self.seconds is None else sequences * self.new_tokens / self.seconds


def write_rows(rows: Sequence[Row], path: Path) -> None:
    """Write rows as a JSON list."""
    path.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")


def read_rows(path: Path) -> list[Row]:
    """Read what `write_rows` wrote. Raises ValueError for a file that holds something else."""
    try:
        return [Row(**row) for row in json.loads(path.read_text())]
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{path}: not a recorded run of `python -m tinyllm bench` ({error})"
        ) from error


def ratio_to_peer(row: Row, rows: Sequence[Row], peer: str = "hf") -> float | None:
    """How many times faster per token than a peer in the same run."""
    times = [other.next_token_ms for other in rows if other.stage == peer]
    return times[0] / row.next_token_ms if times else None


INT8_KEYS = "int8 keys"  # in the name of a stage whose keys and values are int8


def is_ours(name: str) -> bool:
    """Whether an engine is a stage of ours, behind whose name formats may stand; else it is a peer."""
    try:
        return bool(pick_stage(name.partition(",")[0]))
    except ValueError:
        return False


def grouped(rows: Sequence[Row]) -> list[list[Row]]:
    """Rows grouped by workload, in the order of their first rows."""
    cases = list(dict.fromkeys(row.case for row in rows))
    ordered = sorted(rows, key=lambda row: cases.index(row.case))
    return [list(group) for _, group in groupby(ordered, key=lambda row: row.case)]


def by_model(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Rows grouped by model, in the order of their first rows."""
    return {
        name: [row for row in rows if row.model == name]
        for name in dict.fromkeys(row.model for row in rows)
    }


def beams_of(row: Row) -> str:
    """The width of the search as text."""
    return "greedy" if row.num_beams == 1 else f"{row.num_beams} beams"


def title(rows: Sequence[Row]) -> str:
    """The workload of a group as text."""
    row = rows[0]
    beams = f"{row.num_beams} beams, " if row.num_beams > 1 else ""
    if row.num_answers is not None:
        beams = f"{row.num_answers} answer{'s' * (row.num_answers > 1)}, "
    batch = f"batch {row.batch}, " if row.largest_batch is None else ""
    return f"{batch}{beams}{row.prompt_tokens} tokens in, {row.new_tokens} out"


@dataclass(frozen=True)
class Column:
    """A column of a table: its head, the cell of a row, and whether a table of these rows has the column."""

    head: str
    cell: Callable[[Row, Sequence[Row]], str]
    wanted: Callable[[Sequence[Row]], bool] = lambda rows: True


def _ratio(row: Row, rows: Sequence[Row]) -> str:
    ratio = ratio_to_peer(row, rows)
    return "-" if ratio is None else f"{ratio:.2f}x"


def _launches(row: Row, rows: Sequence[Row]) -> str:
    return f"{_or_dash(row.predicted_launches_per_layer)} / {_or_dash(row.launches_per_layer)}"


def _megabytes(row: Row, rows: Sequence[Row]) -> str:
    sizes = (row.predicted_bytes_per_token, row.moved_bytes_per_token, row.counted_bytes_per_token)
    return " / ".join(_or_dash(None if size is None else f"{size / 1e6:.1f}") for size in sizes)


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def _weights(row: Row, rows: Sequence[Row]) -> str:
    bits = row.bits_per_weight
    return _or_dash(row.weights) + (f" ({bits:.1f} bits)" if bits else "")


def _in_several_formats(rows: Sequence[Row]) -> bool:
    measured = all(row.bits_per_weight for row in rows)
    return measured and len({row.weights for row in rows}) > 1


def same_tokens(row: Row, rows: Sequence[Row]) -> str:
    """Whether a row's tokens are transformers'; a dash where transformers was not in the run."""
    if row.first_difference is not None:
        return f"differ from token {row.first_difference + 1}"
    return "yes" if any(other.stage == "hf" for other in rows) else "-"


def _or_dash(value: object) -> str:
    return "-" if value is None else str(value)


COLUMNS = (
    Column("stage", lambda row, rows: row.stage),
    Column("dtype", lambda row, rows: row.dtype, lambda rows: len({row.dtype for row in rows}) > 1),
    Column("weights", _weights, _in_several_formats),
    Column("same tokens", same_tokens),
    Column(
        "load s",
        lambda row, rows: _seconds(row.load_s),
        lambda rows: any(row.load_s is not None for row in rows),
    ),
    Column(
        "ready s",
        lambda row, rows: _seconds(row.ready_s),
        lambda rows: any(row.ready_s is not None for row in rows),
    ),
    Column(
        "ranks",
        lambda row, rows: str(row.ranks or 1),
        lambda rows: any(row.ranks is not None for row in rows),
    ),
    Column("first token ms", lambda row, rows: f"{row.first_token_ms:.1f}"),
    Column("next token ms", lambda row, rows: f"{row.next_token_ms:.2f}"),
    Column("tokens/s", lambda row, rows: f"{row.tokens_per_s:.1f}"),
    Column("vs hf", _ratio),
    Column("launches/layer pred. / counted", _launches),
    Column("MB/token least / pred. / counted", _megabytes),
    Column("GB/s", lambda row, rows: f"{row.bandwidth_gb_s:.1f}"),
    Column("of read bandwidth", lambda row, rows: f"{row.bandwidth_share:.0%}"),
)


def _batch_ratio(row: Row, rows: Sequence[Row]) -> str:
    """Tokens per second over those of transformers, each at its own largest batch."""
    peers = [other for other in rows if other.stage == "hf" and other.batch == other.largest_batch]
    if not peers or row.batch != row.largest_batch:
        return "-"
    return f"{row.call_tokens_per_s / peers[0].call_tokens_per_s:.2f}x"


SEARCH_COLUMNS = (
    *COLUMNS[:6],
    Column(
        "batch", lambda row, rows: f"{row.batch}{' (largest)' * (row.batch == row.largest_batch)}"
    ),
    Column("planned", lambda row, rows: _or_dash(row.planned_batch)),
    Column(
        "GB beside the weights",
        lambda row, rows: _or_dash(row.peak_bytes and f"{row.peak_bytes / 1e9:.1f}"),
    ),
    Column("seconds per call", lambda row, rows: f"{row.seconds:.2f}"),
    Column("tokens/s", lambda row, rows: f"{row.call_tokens_per_s:.1f}"),
    Column("vs hf", _batch_ratio),
)


def _call_ratio(row: Row, rows: Sequence[Row]) -> str:
    """Tokens per second of a complete call over those of transformers."""
    peers = [other for other in rows if other.stage == "hf"]
    return f"{peers[0].seconds / row.seconds:.2f}x" if peers else "-"


ANSWERS_COLUMNS = (
    *takewhile(lambda column: column.head != "tokens/s", COLUMNS),
    *SEARCH_COLUMNS[-4:-1],
    Column("vs hf", _call_ratio),
)


def table(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    """The head of a table and a line for each row, without columns that are empty in all rows."""
    columns = COLUMNS if rows[0].largest_batch is None else SEARCH_COLUMNS
    if rows[0].num_answers is not None:
        columns = ANSWERS_COLUMNS
    shown = [column for column in columns if column.wanted(rows)]
    return [
        tuple(c.head for c in shown),
        *(tuple(c.cell(row, rows) for c in shown) for row in rows),
    ]


def as_text(rows: Sequence[Row]) -> str:
    """A table for a terminal."""
    return aligned(table(rows))


def as_markdown(rows: Sequence[Row]) -> str:
    """A table for README and book."""
    return markdown(table(rows))


# The columns of a short table: what a stage takes, and how near it is to the limit of the memory.
SHORT = ("stage", "same tokens", "next token ms", "vs hf", "GB/s", "of read bandwidth")


def short_text(rows: Sequence[Row]) -> str:
    """The table for a page: six columns."""
    lines = table(rows)
    shown = [lines[0].index(name) for name in SHORT]
    return aligned([tuple(line[i] for i in shown) for line in lines])


def models_table(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    """Milliseconds per next token and to the first, a line for each model and beam width.

    The factor in brackets is the speedup over `hf`; `limit` is least bytes over read bandwidth.
    """
    names = list(dict.fromkeys(row.stage for row in rows))
    lines = [("model", "search", *names, "limit", *(f"first token, {name}" for name in names))]
    for group in grouped(rows):
        found = {row.stage: row for row in group}
        limit = group[0].predicted_bytes_per_token / group[0].read_bandwidth_gb_s / 1e6
        nexts = [next_token(found.get(name), group) for name in names]
        firsts = [f"{found[name].first_token_ms:.1f}" if name in found else "-" for name in names]
        lines.append((group[0].model, beams_of(group[0]), *nexts, f"{limit:.2f}", *firsts))
    return lines


def next_token(row: Row | None, rows: Sequence[Row]) -> str:
    """Milliseconds per next token, and in brackets the speedup over `hf`; a dash where the engine is missing."""
    if row is None:
        return "-"
    ratio = ratio_to_peer(row, rows)
    return f"{row.next_token_ms:.2f}" + (f" ({ratio:.2f}x)" if ratio and row.stage != "hf" else "")
