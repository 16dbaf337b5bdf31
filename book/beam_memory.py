"""Memory and traffic of a beam search, contiguous and segment cache: `python book/beam_memory.py [--json FILE]`.

The default model, by length of the prompt and width of the search: the memory peak of a call of `generate`, and the
bytes that its last step moves, with the beam reorder before it, predicted and counted.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import product
from pathlib import Path

import torch
from tqdm import tqdm

from tinyllm.bench.machine import versions
from tinyllm.bench.peers import transformers_twin
from tinyllm.bench.timing import Engine
from tinyllm.checkpoint import open_checkpoint
from tinyllm.cost.model import pass_cost, reorder_cost
from tinyllm.cost.workload import Cost, Workload
from tinyllm.lab.counters import observe, observe_reorder
from tinyllm.lab.memory import peak_bytes
from tinyllm.model import Model, load_model, restage
from tinyllm.runtime.device import device_name
from tinyllm.stages import STAGES

CPU = torch.device("cpu")
PROMPTS, WIDTHS, NEW = (128, 512, 1024), (1, 4, 8), 32
FILE = Path(__file__).parent / "results" / "beam-memory-cpu.json"


@dataclass(frozen=True)
class Row:
    """One engine, one length of prompt, one width; sizes in bytes. The traffic of transformers is not counted."""

    engine: str
    model: str
    device: str
    prompt_tokens: int
    num_beams: int
    new_tokens: int
    peak_bytes: int
    cache_bytes_predicted: int | None
    cache_bytes_counted: int | None
    versions: dict[str, str]
    date: str


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, default=FILE)
    options = parser.parse_args()
    checkpoint = open_checkpoint()
    fused = load_model(checkpoint, STAGES["fused"], CPU, torch.float32)
    engines = [
        Engine("hf", transformers_twin(fused, checkpoint)),
        Engine("fused", fused),
        Engine("segment", restage(fused, STAGES["segment"])),
    ]
    cases = list(product(PROMPTS, WIDTHS, engines))
    rows = [measured(engine, prompt, width) for prompt, width, engine in tqdm(cases, unit="run")]
    options.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    print(as_markdown(rows))


def measured(engine: Engine, prompt: int, width: int) -> Row:
    """One call of one engine, and the counts of one step."""
    ids = torch.randint(1000, 2000, (1, prompt), generator=torch.Generator().manual_seed(0))
    ours = isinstance(engine.model, Model)
    return Row(
        engine=engine.name,
        model="SmolLM2-135M-Instruct",
        device=device_name(CPU),
        prompt_tokens=prompt,
        num_beams=width,
        new_tokens=NEW,
        peak_bytes=peak_bytes(lambda: engine.run(ids, NEW, width), CPU),
        cache_bytes_predicted=of_cache(predicted(engine.model, prompt, width)) if ours else None,
        cache_bytes_counted=of_cache(counted(engine.model, ids, width)) if ours else None,
        versions=versions(),
        date=datetime.now(UTC).date().isoformat(),
    )


def of_cache(cost: Cost) -> int:
    """Bytes of keys and values read and written; a copy counts as both."""
    return cost.kv_read + cost.kv_written + 2 * cost.kv_copied


def predicted(model: Model, prompt: int, width: int) -> Cost:
    """The predicted cost of a reorder and of the last pass."""
    steps = NEW - 2
    work = Workload(1, 1, prompt + steps, 4, copies=width, steps=steps)
    cost = pass_cost(model.stage, model.config, work)
    return cost + reorder_cost(model.stage, model.config, work) if width > 1 else cost


def counted(model: Model, ids: torch.Tensor, width: int) -> Cost:
    """The counted cost of the same."""
    cache = model.new_cache(1, width, NEW - 1)
    prompt = ids.expand(cache.rows // cache.copies, -1)
    tokens = torch.zeros(len(prompt), cache.copies, dtype=torch.int64)
    model.step(prompt, None, cache)
    for _ in range(NEW - 2):
        model.step(tokens, None, cache)
    moved = observe_reorder(cache, torch.arange(cache.rows)) if width > 1 else Cost()
    return moved + observe(model, tokens, None, cache).total


def as_markdown(rows: Sequence[Row]) -> str:
    """A line for every prompt and width: the memory peak of each engine, and the traffic of a step."""
    lines = [
        "| prompt | beams | peak MB: hf | fused | segment | K/V MB moved per step: fused | segment |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    cases = {(row.prompt_tokens, row.num_beams): {} for row in rows}
    for row in rows:
        cases[row.prompt_tokens, row.num_beams][row.engine] = row
    for (prompt, beams), by in cases.items():
        peaks = [by[name].peak_bytes for name in ("hf", "fused", "segment")]
        moved = [by[name].cache_bytes_counted for name in ("fused", "segment")]
        lines.append(
            f"| {prompt} | {beams} | "
            + " | ".join(f"{size / 1e6:.1f}" for size in (*peaks, *moved))
            + " |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
