"""Recorded runs of single kernels and of formats as text."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parents[2] / "book" / "results"
COLUMNS = {"ours_us": "ours us", "naive_us": "naive us", "compiled_us": "compiled us"}

TIME_WIDTH = 12


def recorded_kernels(
    kernels: Iterable[str], folder: Path = RESULTS
) -> dict[str, list[dict[str, Any]]]:
    """Rows that `book/device/bench_triton.py --json` wrote for these kernels, by file name."""
    names, found = set(kernels), {}
    for path in sorted(folder.glob("*.json")):
        rows = json.loads(path.read_text())
        rows = (
            [row for row in rows if row.get("kernel") in names and "ours_us" in row]
            if isinstance(rows, list)
            else []
        )
        if rows:
            found[path.name] = rows
    return found


def kernel_table(kernels: Iterable[str], folder: Path = RESULTS) -> str:
    """The rows as a table under device and date, or a sentence where nothing is recorded.

    The last column is the share of the bandwidth of a copy; `cached`: the data were in the cache.
    """
    found = recorded_kernels(kernels, folder)
    if not found:
        return "no run of these kernels on a GPU is recorded here yet"
    return "\n\n".join("\n".join(_section(rows)) for rows in found.values())


def _section(rows: list[Mapping[str, Any]]) -> list[str]:
    first = rows[0]
    names = "".join(f"{name:>{TIME_WIDTH}}" for name in COLUMNS.values())
    lines = [
        f"recorded on {first['device']}, {first['dtype']}, {first['date']}",
        f"{'kernel':21}{'shape':>19}{'rows':>6}{names}{'of copy':>8}",
    ]
    for row in rows:
        times = "".join(
            f"{row[key]:{TIME_WIDTH}.2f}" if key in row else f"{'-':>{TIME_WIDTH}}"
            for key in COLUMNS
        )
        share = f"{row['share_of_copy']:.0%}" if row.get("cold", True) else "cached"
        lines.append(f"{row['kernel']:21}{row['shape']:>19}{row['rows']:>6}{times}{share:>8}")
    return lines


def seeded_faults(path: Path = RESULTS / "seeded-faults.json") -> str:
    """Faults put into kernels on purpose: seen or missed by the interpreter, and by compiled code."""
    words = {True: "seen", False: "missed"}
    lines = [f"{'fault':14}{'kernel':26}{'interpreted':13}compiled"]
    for row in json.loads(path.read_text())["rows"]:
        kernel = row["what"].partition(":")[0]
        seen = f"{words[row['interpreted']]:13}{words[row['compiled']]}"
        lines.append(f"{row['kind']:14}{kernel:26}{seen}")
    return "\n".join(lines)


def weight_error_table(path: Path = RESULTS / "weight-errors.json") -> str:
    """What formats of weights cost in precision, beside the dense model that they were made of."""
    lines = [f"{'weights':10}{'bits':>7}{'MB':>8}{'KL divergence':>16}{'perplexity':>13}"]
    for row in json.loads(path.read_text()):
        sizes = f"{row['weights']:10}{row['bits']:7.2f}{row['nbytes'] / 1e6:8.1f}"
        lines.append(f"{sizes}{row['divergence']:16.1e}{row['perplexity']:13.3f}")
    return "\n".join(lines)
