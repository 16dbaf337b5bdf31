"""Measure the memory of a process while it loads the default model: `python book/loading_memory.py [--json FILE]`.

Each format of weights has a process of its own, which opens the checkpoint first: what its resident memory grows by at
its peak, from there until the model is loaded, belongs to the weights. Packed weights are mapped from the file, whose
pages count as they are read. The first of three ranks reads its part alone. The rows go to
`book/results/loading-memory.json`; half a minute on two cores.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import torch

import tinyllm
from tinyllm.bench.machine import versions
from tinyllm.checkpoint import open_checkpoint
from tinyllm.checkpoint.weight_formats import pick_weights
from tinyllm.linear import storage_size
from tinyllm.model import load_model
from tinyllm.parallel.ranks import Ranks

RESULTS = Path(__file__).parent / "results" / "loading-memory.json"
FORMATS = ("stored", "float32")
RANKS = (1, 3)
MB = 1e6


@dataclass(frozen=True)
class Row:
    """Bytes: of the file, of all weights and the largest of them as they are kept, and of the growth at its peak.

    Of several ranks, what the first one keeps.
    """

    model: str
    weights: str
    ranks: int
    file_bytes: int
    weight_bytes: int
    largest_tensor_bytes: int
    peak_growth_bytes: int
    device: str
    versions: dict[str, str]
    date: str


def main() -> None:
    """Measure, record, show."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, default=RESULTS)
    parser.add_argument("--weights", choices=FORMATS, help="load once, in this process")
    parser.add_argument(
        "--ranks", type=int, default=1, help="load the part of the first of so many"
    )
    parser.add_argument("--model", help="a file or folder; the default model unless given")
    options = parser.parse_args()
    if options.weights:
        print(json.dumps(asdict(measure(options.weights, options.ranks, options.model))))
        return
    rows = [in_own_process(weights, ranks) for ranks in RANKS for weights in FORMATS]
    options.json.write_text(json.dumps(rows, indent=1) + "\n")
    print(table(options.json))


def in_own_process(weights: str, ranks: int = 1, model: str | None = None) -> dict:
    """The row of one format, as JSON has it."""
    command = [sys.executable, __file__, "--weights", weights, "--ranks", str(ranks)]
    command += ["--model", model] if model else []
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def measure(weights: str, ranks: int, model: str | None) -> Row:
    """Load the model, or the part of the first rank, in this process."""
    checkpoint = open_checkpoint(model)
    weight_format = pick_weights(weights, None)
    start = reset_peak()
    loaded = load_model(
        checkpoint,
        tinyllm.STAGES["final"],
        torch.device("cpu"),
        torch.float32,
        weight_format,
        Ranks(0, ranks),
    )
    return Row(
        model=checkpoint.name,
        weights=weights,
        ranks=ranks,
        file_bytes=Path(checkpoint.weights.file(None)).stat().st_size,
        weight_bytes=storage_size(loaded).nbytes,
        largest_tensor_bytes=max(parameter.nbytes for parameter in loaded.parameters()),
        peak_growth_bytes=resident("VmHWM") - start,
        device="CPU",
        versions=versions(),
        date=datetime.now(UTC).date().isoformat(),
    )


def reset_peak() -> int:
    """Resident bytes, from which Linux counts a new peak."""
    Path("/proc/self/clear_refs").write_text("5")
    return resident("VmRSS")


def resident(field: str) -> int:
    """One field of this process's status, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = [line for line in lines if line.startswith(f"{field}:")]
    return 1024 * int(line.split()[1])


def table(path: Path = RESULTS) -> str:
    """The recorded rows as a Markdown table."""
    rows = [
        "| weights | ranks | file, MB | in memory, MB | largest tensor, MB | peak while loading, MB |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in json.loads(path.read_text()):
        sizes = ("file_bytes", "weight_bytes", "largest_tensor_bytes", "peak_growth_bytes")
        numbers = " | ".join(f"{row[size] / MB:.0f}" for size in sizes)
        rows.append(f"| `{row['weights']}` | {row['ranks']} | {numbers} |")
    return "\n".join(rows)


if __name__ == "__main__":
    main()
