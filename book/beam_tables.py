"""Text of the recorded beam searches: throughput on GPUs, memory on a CPU, and equal tokens."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import beam_memory
from bench_tables import RESULTS, THROUGHPUT, tables

from tinyllm.bench.rows import Row

THROUGHPUTS = (THROUGHPUT, "throughput-h200-llama-2-7b")
EXPANDABLE = "throughput-h200-llama-2-7b-expandable"


def load(name: str) -> list[dict[str, Any]]:
    """The rows of one file of results."""
    return json.loads((RESULTS / f"{name}.json").read_text())


def beams() -> str:
    """The cost of beam search: throughput on GPUs, memory on a CPU, and the comparison of tokens."""
    runs = []
    for name in THROUGHPUTS:
        runs += [
            throughput(load(name)),
            f"![Batch and tokens per second of each engine](results/{name}.png)",
        ]
    return "\n\n".join([*runs, expandable(load(EXPANDABLE)), memory(), identity(load("identity"))])


def throughput(rows: Sequence[dict[str, Any]]) -> str:
    """A table of the largest batches and their speed, from `bench --preset throughput` or an earlier program."""
    if "stage" in rows[0]:
        return tables([Row(**row) for row in rows])
    row, slowest = rows[0], rows[0]["tokens_per_s"]
    versions = ", ".join(f"{package} {number}" for package, number in row["versions"].items())
    lines = [
        f"**{row['device']}**, {row['date']}: {row['model']}, {row['dtype']}, {row['num_beams']} beams, "
        f"{row['prompt_tokens']} tokens in, {row['new_tokens']} out, each engine at its largest batch, medians of "
        f"{len(row['all_seconds'])} rounds; {versions}.\n",
        "| engine | largest batch | planned | GB beside the weights | seconds per call | tokens/s | vs hf |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        cells = (
            row["engine"],
            row["largest_batch"],
            row["planned_batch"] or "-",
            f"{row['peak_bytes'] / 1e9:.1f}",
        )
        cells += (
            f"{row['seconds']:.2f}",
            f"{row['tokens_per_s']:.0f}",
            f"{row['tokens_per_s'] / slowest:.2f}x",
        )
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def expandable(rows: Sequence[dict[str, Any]]) -> str:
    """A sentence about the same run with an allocator with less fragmentation."""
    hf, ours = rows
    return (
        f"With `PYTORCH_ALLOC_CONF=expandable_segments:True`, which reduces fragmentation, transformers fits "
        f"{hf['largest_batch']} requests and reaches {hf['tokens_per_s']:.0f} tokens/s; `{ours['engine']}` fits "
        f"{ours['largest_batch']} and reaches {ours['tokens_per_s']:.0f}, "
        f"{ours['tokens_per_s'] / hf['tokens_per_s']:.1f}x (medians of {len(hf['all_seconds'])} rounds)."
    )


def memory() -> str:
    """The table of a beam search's memory on the CPU."""
    rows = [beam_memory.Row(**row) for row in load(beam_memory.FILE.stem)]
    row = rows[0]
    head = f"**{row.device}**, {row.date}: {row.model}, float32, one prompt, {row.new_tokens} tokens out."
    return f"{head}\n\n{beam_memory.as_markdown(rows)}"


def identity(rows: Sequence[dict[str, Any]]) -> str:
    """A table with the number of combinations of stage and batch whose tokens are those of transformers."""
    stages, widths, batches, models = (
        list(dict.fromkeys(row[key] for row in rows))
        for key in ("stage", "width", "batch", "model")
    )
    of = len(stages) * len(batches)
    lines = [
        f"Same tokens as transformers in float32, all beams of every prompt compared: of {of} combinations, stages "
        f"{', '.join(stages)} and batches of {' and '.join(map(str, batches))} (ragged), those with equal tokens:\n",
        "| model | " + " | ".join(f"width {width}" for width in widths) + " |",
        "| --- |" + " --- |" * len(widths),
    ]
    for model in models:
        found = [
            [row["identical"] for row in rows if (row["model"], row["width"]) == (model, w)]
            for w in widths
        ]
        lines.append(
            f"| {model} | " + " | ".join(f"{sum(same)} of {len(same)}" for same in found) + " |"
        )
    return "\n".join(lines)
