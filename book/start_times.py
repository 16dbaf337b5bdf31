"""Measure how long a process takes to the first token of the default model: `python book/start_times.py [--rounds 7]`.

Every program is a process of its own, which ends after its first token; each round starts all of them, one after the
other, and a first round, which is not counted, warms the files. Processor seconds are those of all threads, and depend
less on what else the machine does than the time from start to end. The rows go to `book/results/start-cpu.json`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from time import perf_counter

import torch

from tinyllm.bench.machine import versions
from tinyllm.bench.machine_path import machine_paths
from tinyllm.checkpoint.sources import default_model_file
from tinyllm.runtime.device import device_name

RESULTS = Path(__file__).parent / "results" / "start-cpu.json"
PROMPT = "What is a KV cache?"
OURS = f"""
import tinyllm
model = tinyllm.from_pretrained(device="cpu")
model.generate(**model.tokenizer({PROMPT!r}, return_tensors="pt"), max_new_tokens=1)
"""
THEIRS = f"""
from transformers import AutoModelForCausalLM, AutoTokenizer
file = {{"gguf_file": {default_model_file().name!r}}}
model = AutoModelForCausalLM.from_pretrained({str(default_model_file().parent)!r}, **file)
tokenizer = AutoTokenizer.from_pretrained({str(default_model_file().parent)!r}, **file)
model.generate(**tokenizer({PROMPT!r}, return_tensors="pt"), max_new_tokens=1)
"""
COMMAND = ("-m", "tinyllm", "generate", PROMPT, "--max-new-tokens", "1", "--device", "cpu")
# What is started, by its name in the table.
PROGRAMS = {
    "`import torch` alone": ("-c", "import torch"),
    "`import tinyllm` alone": ("-c", "import tinyllm"),
    "`tinyllm generate`": COMMAND,
    "`final` in Python, with transformers' tokenizer": ("-c", OURS),
    "`hf` in Python, from the same file": ("-c", THEIRS),
}


@dataclass(frozen=True)
class Row:
    """Medians over `rounds` of the seconds from start to end of a process, and of its processor seconds."""

    program: str
    seconds: float
    cpu_seconds: float
    rounds: int
    device: str
    paths: list[str]
    versions: dict[str, str]
    date: str


def main() -> None:
    """Measure, record, show."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, default=RESULTS)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    rows = measure(options.rounds)
    options.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    print(table(options.json))


def measure(rounds: int) -> list[Row]:
    """A row for each program."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in PROGRAMS}
    for number in range(rounds + 1):
        for name, arguments in PROGRAMS.items():
            times = run(arguments)
            found[name] += [times] if number else []
    cpu = torch.device("cpu")
    about = (device_name(cpu), machine_paths(cpu), versions())
    date = datetime.now(UTC).date().isoformat()
    medians = {
        name: [median(values) for values in zip(*t, strict=True)] for name, t in found.items()
    }
    return [Row(name, *times, rounds, *about, date) for name, times in medians.items()]


def run(arguments: tuple[str, ...]) -> tuple[float, float]:
    """Seconds and processor seconds of one process. Raises RuntimeError where it fails."""
    start = perf_counter()
    nowhere = (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)
    command = (sys.executable, *arguments)
    process = os.posix_spawn(command[0], command, os.environ, file_actions=[nowhere])
    _, status, usage = os.wait4(process, 0)
    if status:
        raise RuntimeError(f"{' '.join(arguments)}: its status is {status}")
    return perf_counter() - start, usage.ru_utime + usage.ru_stime


def table(path: Path = RESULTS) -> str:
    """The recorded rows as Markdown."""
    rows = json.loads(path.read_text())
    about = f"{rows[0]['device']}, {rows[0]['paths'][0]}, {rows[0]['date']}"
    lines = [
        f"{about}: medians of {rows[0]['rounds']} processes.",
        "",
        "| process | seconds | processor seconds |",
        "| --- | --- | --- |",
    ]
    lines += [f"| {r['program']} | {r['seconds']:.2f} | {r['cpu_seconds']:.2f} |" for r in rows]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
