"""Put the recorded runs into the README: `python book/readme.py [--check]`.

The tables and pictures between the markers come from `book/results/*.json`; nobody types them.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import beam_memory

from tinyllm.draw.ladder import draw_ladder
from tinyllm.draw.throughput import draw_throughput
from tinyllm.measure.rows import Row, as_markdown, read_rows

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "book" / "results"
RUNS = ("ladder-cpu", "ladder-h200-llama-2-7b", "ladder-h200-tinyllama-fp32")  # in the order in which they are shown
THROUGHPUT, EXPANDABLE = "throughput-h200-llama-2-7b", "throughput-h200-llama-2-7b-expandable"
MARKERS = "<!-- recorded {}: start -->", "<!-- recorded {}: end -->"


def recorded() -> dict[str, list[Row]]:
    """The runs shown, by the name of their file."""
    return {name: read_rows(RESULTS / f"{name}.json") for name in RUNS}


def load(name: str) -> list[dict[str, Any]]:
    """The rows of one file of results."""
    return json.loads((RESULTS / f"{name}.json").read_text())


def ladder() -> str:
    """Every recorded ladder."""
    return "\n\n".join(described(name, rows) for name, rows in recorded().items())


def beams() -> str:
    """What beam search costs: throughput on a GPU, memory on a CPU, and whether the tokens are the same."""
    picture = f"![Largest batch and tokens per second of each engine](book/results/{THROUGHPUT}.png)"
    parts = [throughput(load(THROUGHPUT)), picture, expandable(load(EXPANDABLE)), memory(), identity(load("identity"))]
    return "\n\n".join(parts)


def throughput(rows: Sequence[dict[str, Any]]) -> str:
    """A table: how many requests fit, and how fast they are answered."""
    row, slowest = rows[0], rows[0]["tokens_per_s"]
    versions = ", ".join(f"{package} {number}" for package, number in row["versions"].items())
    lines = [
        f"**{row['device']}**, {row['date']}: {row['model']}, {row['dtype']}, {row['num_beams']} beams, "
        f"{row['prompt_tokens']} tokens in, {row['new_tokens']} out, each engine at its largest batch, medians of "
        f"{len(row['all_seconds'])} turns; {versions}.\n",
        "| engine | largest batch | planned | GB beside the weights | seconds per call | tokens/s | vs hf |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        cells = (row["engine"], row["largest_batch"], row["planned_batch"] or "-", f"{row['peak_bytes'] / 1e9:.1f}")
        cells += (f"{row['seconds']:.2f}", f"{row['tokens_per_s']:.0f}", f"{row['tokens_per_s'] / slowest:.2f}x")
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def expandable(rows: Sequence[dict[str, Any]]) -> str:
    """The same with an allocator that leaves fewer holes, in a sentence."""
    hf, ours = rows
    return (
        f"With `PYTORCH_ALLOC_CONF=expandable_segments:True`, which leaves fewer holes, transformers fits "
        f"{hf['largest_batch']} requests and reaches {hf['tokens_per_s']:.0f} tokens/s; `{ours['engine']}` fits "
        f"{ours['largest_batch']} and reaches {ours['tokens_per_s']:.0f}, "
        f"{ours['tokens_per_s'] / hf['tokens_per_s']:.1f}x (medians of {len(hf['all_seconds'])} turns)."
    )


def memory() -> str:
    """The table of a search on the CPU."""
    rows = [beam_memory.Row(**row) for row in load(beam_memory.FILE.stem)]
    row = rows[0]
    head = f"**{row.device}**, {row.date}: {row.model}, float32, one prompt, {row.new_tokens} tokens out."
    return f"{head}\n\n{beam_memory.as_markdown(rows)}"


def identity(rows: Sequence[dict[str, Any]]) -> str:
    """A table: in how many of the combinations of stage and batch the tokens are those of transformers."""
    stages, widths, batches, models = (
        list(dict.fromkeys(row[key] for row in rows)) for key in ("stage", "width", "batch", "model")
    )
    of = len(stages) * len(batches)
    lines = [
        f"Same tokens as transformers in float32, all beams of every prompt compared: of {of} combinations, stages "
        f"{', '.join(stages)} and batches of {' and '.join(map(str, batches))} (ragged), so many are identical:\n",
        "| model | " + " | ".join(f"width {width}" for width in widths) + " |",
        "| --- |" + " --- |" * len(widths),
    ]
    for model in models:
        found = [[row["identical"] for row in rows if (row["model"], row["width"]) == (model, w)] for w in widths]
        lines.append(f"| {model} | " + " | ".join(f"{sum(same)} of {len(same)}" for same in found) + " |")
    return "\n".join(lines)


def described(name: str, rows: list[Row]) -> str:
    """One run: what and where, the table, the picture."""
    row = rows[0]
    versions = ", ".join(f"{package} {number}" for package, number in row.versions.items())
    where = (
        f"**{row.device}**, {row.date}: {row.model}, {row.dtype}, batch {row.batch}, {row.prompt_tokens} tokens in, "
        f"{row.new_tokens} out; read bandwidth {row.read_bandwidth_gb_s:.1f} GB/s; {versions}."
    )
    picture = f"![Milliseconds and bytes per token of each stage beside the limit](book/results/{name}.png)"
    return f"{where}\n\n{as_markdown(rows)}\n\n{picture}"


SECTIONS = {"run": ladder, "beams": beams}


def updated(readme: str) -> str:
    """The README with its sections made anew. Raises ValueError where a marker is missing."""
    for name, made in SECTIONS.items():
        start, end = (marker.format(name) for marker in MARKERS)
        if start not in readme or end not in readme:
            raise ValueError(f"README.md has no section between {start!r} and {end!r}")
        readme = f"{readme.split(start)[0]}{start}\n\n{made()}\n\n{end}{readme.split(end)[1]}"
    return readme


def main() -> int:
    """Write the README and its pictures, or with --check say whether they are current."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 where the README is stale")
    check, path = parser.parse_args().check, ROOT / "README.md"
    new = updated(path.read_text())
    if check:
        return int(new != path.read_text())
    path.write_text(new)
    for name, rows in recorded().items():
        draw_ladder(rows).savefig(RESULTS / f"{name}.png")
    draw_throughput(load(THROUGHPUT)).savefig(RESULTS / f"{THROUGHPUT}.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
