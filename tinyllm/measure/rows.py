"""A measurement as it is recorded: one row per engine, in JSON files that tables and pictures are made from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tinyllm.measure.table import aligned


@dataclass(frozen=True)
class Row:
    """One engine on one device, one prompt length and one batch. Times in ms, sizes in bytes, rates per second.

    `predicted_bytes_per_token` is what no implementation avoids (weights, keys, values), and what
    `bandwidth_share` is computed from; `moved_bytes_per_token` is what the cost model predicts for this stage
    and `counted_bytes_per_token` what its operations moved. `first_difference` is the position of the first new
    token that differs from transformers' (None: all equal, or transformers did not run beside it). Elsewhere None
    stands for what an engine cannot be asked.
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
    peak_bytes: int
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


def write_rows(rows: Sequence[Row], path: Path) -> None:
    """Write rows as a JSON list."""
    path.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")


def read_rows(path: Path) -> list[Row]:
    """Read what `write_rows` wrote. Raises ValueError for a file that holds something else."""
    try:
        return [Row(**row) for row in json.loads(path.read_text())]
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: not a recorded run of `python -m tinyllm bench` ({error})") from error


def ratio_to_peer(row: Row, rows: Sequence[Row], peer: str = "hf") -> float | None:
    """How many times faster per token than a peer in the same run."""
    times = [other.next_token_ms for other in rows if other.stage == peer]
    return times[0] / row.next_token_ms if times else None


HEADER = (
    "stage",
    "same tokens",
    "first token ms",
    "next token ms",
    "tokens/s",
    "vs hf",
    "launches/layer pred. / counted",
    "MB/token least / pred. / counted",
    "GB/s",
    "of read bandwidth",
)


def cells(row: Row, rows: Sequence[Row]) -> tuple[str, ...]:
    """A row as it is shown, in the order of `HEADER`."""
    ratio = ratio_to_peer(row, rows)
    launches = f"{_or_dash(row.predicted_launches_per_layer)} / {_or_dash(row.launches_per_layer)}"
    sizes = (row.predicted_bytes_per_token, row.moved_bytes_per_token, row.counted_bytes_per_token)
    return (
        row.stage,
        _same_tokens(row, rows),
        f"{row.first_token_ms:.1f}",
        f"{row.next_token_ms:.2f}",
        f"{row.tokens_per_s:.1f}",
        "-" if ratio is None else f"{ratio:.2f}x",
        launches,
        " / ".join(_or_dash(None if size is None else f"{size / 1e6:.1f}") for size in sizes),
        f"{row.bandwidth_gb_s:.1f}",
        f"{row.bandwidth_share:.0%}",
    )


def _same_tokens(row: Row, rows: Sequence[Row]) -> str:
    """Whether a row's tokens are transformers'; a dash where transformers did not run beside it."""
    if row.first_difference is not None:
        return f"differ from token {row.first_difference + 1}"
    return "yes" if any(other.stage == "hf" for other in rows) else "-"


def _or_dash(value: object) -> str:
    return "-" if value is None else str(value)


def as_text(rows: Sequence[Row]) -> str:
    """A table for a terminal."""
    return aligned([HEADER, *(cells(row, rows) for row in rows)])


def as_markdown(rows: Sequence[Row]) -> str:
    """A table for README and book."""
    lines = [HEADER, ("---",) * len(HEADER), *(cells(row, rows) for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
