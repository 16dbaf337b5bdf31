"""Measure what keys and values in int8 cost in precision: `python book/kv_errors.py [--json FILE]`.

The default model in float32, with keys and values kept in float32 and in int8, on the text that `weight_errors.py`
reads: the mean Kullback-Leibler divergence of the next token's distribution, and the perplexity. Weights and
activations are float32 in both rows. The rows go to `book/results/kv-errors.json`; about a minute on two cores.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import weight_errors
from weight_errors import load, log_probabilities, windows_of_text

from tinyllm.cost.workload import Workload
from tinyllm.model import Model, restage, with_kv_dtype
from tinyllm.stages import STAGES

RESULTS = Path(__file__).parent / "results" / "kv-errors.json"


@dataclass(frozen=True)
class Row:
    """A number format of keys and values, the bytes of those of a token, and its errors, as in `weight_errors.Row`."""

    model: str
    kv_dtype: str
    token_bytes: int
    tokens: int
    divergence: float
    perplexity: float
    same_top: float
    versions: dict[str, str]
    date: str


def main() -> None:
    """Measure, record, show."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, default=RESULTS)
    path = parser.parse_args().json
    exact = restage(load(weight_errors.REFERENCE), STAGES["sdpa"])
    windows = windows_of_text(exact)
    expected = [log_probabilities(exact, window) for window in windows]
    rows = []
    for model in (exact, with_kv_dtype(exact, "int8")):
        found = weight_errors.measured(model, weight_errors.REFERENCE, windows, expected)
        rows.append(
            Row(
                model=found.model,
                kv_dtype="float32" if model.kv_dtype is None else "int8",
                token_bytes=token_bytes(model),
                tokens=found.tokens,
                divergence=found.divergence,
                perplexity=found.perplexity,
                same_top=found.same_top,
                versions=found.versions,
                date=found.date,
            )
        )
    path.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    print(as_markdown(rows))


def token_bytes(model: Model) -> int:
    """Bytes of the keys and values of one token."""
    config = model.config
    work = Workload(1, 1, 0, model.dtype.itemsize, int8=model.kv_dtype is not None)
    rows = 2 * config.num_hidden_layers * config.num_key_value_heads
    return rows * work.kv_row_bytes(config.head_dim)


def as_markdown(rows: Sequence[Row]) -> str:
    """A line for every format."""
    lines = [
        "| keys and values | bytes a token | mean KL divergence | perplexity | same most likely token |",
        "| --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        lines.append(f"| `{row.kv_dtype}` | {row.token_bytes} | {weight_errors.errors(row)} |")
    return "\n".join(lines)


def table() -> str:
    """The recorded rows, and what was measured."""
    rows = [Row(**row) for row in json.loads(RESULTS.read_text())]
    head = weight_errors.heading(rows[0], "weights and activations")
    return f"{head}\n\n{as_markdown(rows)}"


if __name__ == "__main__":
    main()
