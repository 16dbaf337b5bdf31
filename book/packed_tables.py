"""The table of engines on packed weights, from runs of `bench --weights`, and of the matrices of a token alone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench_tables import RESULTS, medians, versions_of

from tinyllm.bench.rows import Row, beams_of, grouped, next_token, read_rows, same_tokens
from tinyllm.bench.table import markdown

RUNS, MATMULS = "packed-peers-*.json", "packed-matmuls-*.json"


def packed(folder: Path = RESULTS) -> str:
    """Every recorded run, then the matrices alone; a sentence where nothing is recorded."""
    runs = [run_table(read_rows(path)) for path in sorted(folder.glob(RUNS))]
    matmuls = [matmul_table(json.loads(path.read_text())) for path in sorted(folder.glob(MATMULS))]
    return "\n\n".join([*runs, *matmuls]) or "No run is recorded yet."


def run_table(rows: Sequence[Row]) -> str:
    """Heading and table of one run: a line for each engine, columns for each width of the search."""
    row, groups = rows[0], grouped(rows)
    heads = [beams_of(group[0]) for group in groups]
    lines = [
        (
            "engine",
            "weights",
            "bits a weight",
            *(f"next token ms, {head}" for head in heads),
            *(f"of read bandwidth, {head}" for head in heads),
            *(f"first token ms, {head}" for head in heads),
            "same tokens",
        )
    ]
    for name in dict.fromkeys(row.stage for row in rows):
        lines.append(engine_line(name, groups))
    return (
        f"**{row.device}**, {row.date}: {row.model}, activations in {row.dtype}, batch "
        f"{row.batch}, {row.prompt_tokens} tokens in, {row.new_tokens} out; read bandwidth "
        f"{row.read_bandwidth_gb_s:.1f} GB/s; {medians(rows)}{versions_of(rows)}.\n\n{markdown(lines)}"
    )


def engine_line(name: str, groups: Sequence[Sequence[Row]]) -> tuple[str, ...]:
    """The cells of one engine; a dash where it does not run a width of the search."""
    found = [(next((row for row in group if row.stage == name), None), group) for group in groups]
    rows = [row for row, _ in found if row]
    equal = [same_tokens(row, group) for row, group in found if row]
    bits = "-" if rows[0].bits_per_weight is None else f"{rows[0].bits_per_weight:.2f}"
    return (
        name,
        rows[0].weights or "-",
        bits,
        *(next_token(row, group) for row, group in found),
        *("-" if row is None else f"{row.bandwidth_share:.0%}" for row, _ in found),
        *("-" if row is None else f"{row.first_token_ms:.1f}" for row, _ in found),
        f"{equal.count('yes')} of {len(equal)}",
    )


def matmul_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Heading and table of the matrices of one token."""
    row = rows[0]
    lines = [("engine", "weights", "bits a weight", "activations", "ms", "of read bandwidth")]
    for one in rows:
        bits = f"{one['bits_per_weight']:.2f}"
        cells = (one["engine"], one["weights"], bits, one["dtype"], f"{one['ms']:.1f}")
        lines.append((*cells, f"{one['share']:.0%}"))
    return (
        f"**{row['device']}**, {row['date']}: all matrices of a token of {row['model']}, random "
        f"weights, one row; read bandwidth {row['read_gb_s']:.1f} GB/s; medians of "
        f"{len(row['all_ms'])} rounds; torch {row['versions']['torch']}.\n\n{markdown(lines)}"
    )
