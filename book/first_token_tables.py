"""The tables of first tokens: beside transformers on GPUs, and beside other engines on a CPU."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench_tables import RESULTS, medians, versions_of

from tinyllm.bench.rows import Row, beams_of, grouped, read_rows
from tinyllm.bench.table import markdown

GPU_RUNS = "first-token-h*.json"
CPU_RUNS = "first-token-cpu*.json"


def first_tokens(folder: Path = RESULTS) -> str:
    """Every recorded run; a sentence where nothing is recorded."""
    gpu = [gpu_table(json.loads(path.read_text())) for path in sorted(folder.glob(GPU_RUNS))]
    cpu = [cpu_table(read_rows(path)) for path in sorted(folder.glob(CPU_RUNS))]
    return "\n\n".join(gpu + cpu) or "No run is recorded yet."


def gpu_table(rows: Sequence[dict[str, Any]]) -> str:
    """A line for each model and run; a ratio compares the engines of one run."""
    lines = [("model", "run", "transformers, ms", "`final`, ms", "`final` over transformers")]
    for row in rows:
        hf, final = row["ms"]["hf"], row["ms"]["final"]
        cells = (f"{hf:.1f}", f"{final:.1f}", f"{final / hf:.2f}")
        lines.append((row["model"], row["run"], *cells))
    row = rows[0]
    versions = ", ".join(f"{package} {number}" for package, number in row["versions"].items())
    return (
        f"**{row['device']}**, {row['date']}: batch 1, {row['prompt_tokens']} tokens, "
        f"{row['dtype']}; medians; {versions}.\n\n{markdown(lines)}"
    )


def cpu_table(rows: Sequence[Row]) -> str:
    """A line for each engine, a column for each length of the prompt."""
    row, groups = rows[0], grouped(rows)
    heads = [f"{group[0].prompt_tokens} tokens, {beams_of(group[0])}" for group in groups]
    lines = [("engine, first token in ms", *heads)]
    for name in dict.fromkeys(row.stage for row in rows):
        found = [next((row for row in group if row.stage == name), None) for group in groups]
        lines.append(
            (name, *("-" if one is None else f"{one.first_token_ms:.1f}" for one in found))
        )
    return (
        f"**{row.device}**, {row.date}: {row.model}, activations in {row.dtype}, batch {row.batch}; "
        f"{medians(rows)}{versions_of(rows)}.\n\n{markdown(lines)}"
    )
