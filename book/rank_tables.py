"""The tables of one model over several GPUs: milliseconds per token, and the sums over ranks alone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench_tables import RESULTS

from tinyllm.bench.table import markdown

Rows = Sequence[Mapping[str, Any]]
SUMMED_BY = {"one launch": "final", "backend": "final, sums of the backend"}


def ranks(folder: Path = RESULTS) -> str:
    """Every recorded run of `book/device/tensor_parallel.py`, then of `book/device/all_reduce.py`."""
    runs = [json.loads(path.read_text()) for path in sorted(folder.glob("tensor-parallel-*.json"))]
    sums = [json.loads(path.read_text()) for path in sorted(folder.glob("all-reduce-*.json"))]
    return "\n\n".join([*map(model_table, runs), *map(sum_table, sums)])


def headline(path: Path = RESULTS / "tensor-parallel-h100.json") -> str:
    """A sentence on the largest model: greedy, with sums in one launch."""
    rows = [row for row in json.loads(path.read_text()) if row.get("summed_by") == "one launch"]
    row = max(
        (row for row in rows if row["num_beams"] == 1),
        key=lambda row: row["predicted_bytes_per_token"],
    )
    model = row["model"].removesuffix(" (random)")
    return (
        f"{model} over {row['ranks']} of them, greedy: {row['next_token_ms']:.1f} ms per token, "
        f"{row['bandwidth_share']:.0%} of what they read."
    )


def model_table(rows: Rows) -> str:
    """A line for each model, number of GPUs and way of summing."""
    rows = [row for row in rows if "next_token_ms" in row]
    alone = {
        (row["model"], row["num_beams"]): row["next_token_ms"] for row in rows if row["ranks"] == 1
    }
    lines = [
        (
            "model",
            "GPUs",
            "engine",
            "beams",
            "ms per token",
            "over one GPU",
            "of read bandwidth",
            "sums a token",
            "us a sum",
        )
    ]
    for row in rows:
        one = alone.get((row["model"], row["num_beams"]))
        is_ours = "bandwidth_share" in row
        lines.append(
            (
                row["model"].removesuffix(" (random)"),
                str(row["ranks"]),
                SUMMED_BY.get(row.get("summed_by"), "final") if is_ours else "transformers",
                str(row["num_beams"]),
                f"{row['next_token_ms']:.2f}",
                "-" if one is None else f"{one / row['next_token_ms']:.2f}x",
                f"{row['bandwidth_share']:.0%}" if is_ours else "-",
                str(row.get("sums_per_token", "-")),
                f"{row['sum_us']:.1f}" if "sum_us" in row else "-",
            )
        )
    row = rows[0]
    return (
        f"**{row['device']}**, {row['date']}: bfloat16, random weights, batch 1, "
        f"{row['prompt_tokens']} tokens in, {row['new_tokens']} out; medians of {row['repeats']} "
        f"runs, of 3 for transformers.\n\n{markdown(lines)}"
    )


def sum_table(rows: Rows) -> str:
    """A line for each size and number of GPUs, a column for each way, the residual added."""
    names = {
        "ours": "one launch",
        "torch one-shot": "torch one-shot, add",
        "torch two-shot": "torch two-shot, add",
        "backend": "NCCL, add",
    }
    cells: dict[tuple[int, str], dict[str, float]] = {}
    for row in rows:
        size = f"{row['rows']} x {row['columns']}"
        cells.setdefault((row["ranks"], size), {})[row["operation"]] = row["us"]
    lines = [("GPUs", "elements", *(f"{name}, us" for name in names.values()))]
    for (count, size), times in cells.items():
        lines.append((str(count), size, *(f"{times[name]:.1f}" for name in names)))
    row = rows[0]
    head = f"**{row['device']}**, {row['date']}: sums over GPUs with the residual added, bfloat16, in a captured graph."
    return f"{head}\n\n{markdown(lines)}"
