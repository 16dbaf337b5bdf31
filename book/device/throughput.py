"""The largest batch of a beam search that fits on this machine's GPU, for transformers and every stage; and its speed.

    python book/device/throughput.py --json rows.json [--shape llama-2-7b] [--prompt-tokens 1024] [--new-tokens 128]

Engines share one copy of random weights. The largest batch is found by trial, since transformers cannot tell: prompts
as long as the sequences will be at their end, and two tokens; the planner's word for our stages is recorded beside it.
Then every engine runs its own largest batch in turns, and medians count.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from time import perf_counter

import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tinyllm.decoder import Decoder  # noqa: E402
from tinyllm.measure.bench import load_engines  # noqa: E402
from tinyllm.measure.machine import versions  # noqa: E402
from tinyllm.measure.shapes import random_checkpoint  # noqa: E402
from tinyllm.measure.timing import Engine  # noqa: E402
from tinyllm.plan import Call, most_prompts, need  # noqa: E402
from tinyllm.runtime.device import device_name, free_bytes, pick_device, synchronize  # noqa: E402


@dataclass(frozen=True)
class Row:
    """One engine at its largest batch. Sizes in bytes, `seconds` per call; of each prompt one sequence counts."""

    engine: str
    model: str
    device: str
    dtype: str
    num_beams: int
    prompt_tokens: int
    new_tokens: int
    largest_batch: int
    planned_batch: int | None
    peak_bytes: int
    planned_bytes: int | None
    seconds: float
    tokens_per_s: float
    all_seconds: list[float]
    versions: dict[str, str]
    date: str


def main() -> None:
    """Find, measure, print and record."""
    options = arguments()
    device = pick_device(None)
    checkpoint = random_checkpoint(options.shape, device, torch.bfloat16)
    engines = load_engines(checkpoint, options.stages, options.peers, device, torch.bfloat16)
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(3, 1000, (4096, options.prompt_tokens + options.new_tokens), generator=generator).to(device)
    free, largest, planned = free_bytes(device), {}, {}
    for engine in engines[::-1]:  # ours first: where they end, the search for transformers begins
        planned[engine.name] = plan(engine, options, free)
        guess = planned[engine.name] or max(1, largest.get("fused", 8))
        largest[engine.name] = largest_batch(engine, ids, options, guess)
        print(f"{engine.name}: largest batch {largest[engine.name]}, planned {planned[engine.name]}", flush=True)
    times, peaks = {engine.name: [] for engine in engines}, {}
    for turn in range(options.repeats):
        for engine in engines if turn % 2 == 0 else engines[::-1]:
            seconds, peaks[engine.name], largest[engine.name] = timed(engine, ids, options, largest[engine.name])
            times[engine.name].append(seconds)
            print(f"turn {turn}: {engine.name} batch {largest[engine.name]} {seconds:.2f} s", flush=True)
        rows = [
            row(engine, options, largest[engine.name], planned[engine.name], peaks[engine.name], times[engine.name])
            for engine in engines
        ]
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    print(*rows, sep="\n")


def row(
    engine: Engine, options: argparse.Namespace, batch: int, planned: int | None, peak: int, seconds: list[float]
) -> Row:
    """What was found about one engine."""
    call = Call(batch, options.prompt_tokens, options.new_tokens, options.num_beams, beams=True)
    ours = isinstance(engine.model, Decoder)
    return Row(
        engine=engine.name,
        model=f"{options.shape} (random)",
        device=device_name(torch.device("cuda")),
        dtype="bfloat16",
        num_beams=options.num_beams,
        prompt_tokens=options.prompt_tokens,
        new_tokens=options.new_tokens,
        largest_batch=batch,
        planned_batch=planned,
        peak_bytes=peak,
        planned_bytes=need(engine.model.stage, engine.model.config, call, 2).total if ours else None,
        seconds=median(seconds),
        tokens_per_s=batch * options.new_tokens / median(seconds),
        all_seconds=seconds,
        versions=versions(),
        date=datetime.now(UTC).date().isoformat(),
    )


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--shape", default="llama-2-7b")
    parser.add_argument("--prompt-tokens", type=int, default=1024)
    parser.add_argument("--new-tokens", type=int, default=128)
    parser.add_argument("--num-beams", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--stages", nargs="+", default=["fused", "segment"])
    parser.add_argument("--peers", nargs="*", default=["hf"])
    return parser.parse_args()


def plan(engine: Engine, options: argparse.Namespace, free: int) -> int | None:
    """What the planner says before anything is tried; it knows our stages only."""
    if not isinstance(engine.model, Decoder):
        return None
    call = Call(1, options.prompt_tokens, options.new_tokens, options.num_beams, beams=True)
    return most_prompts(engine.model.stage, engine.model.config, call, 2, free)


def largest_batch(engine: Engine, ids: torch.Tensor, options: argparse.Namespace, guess: int) -> int:
    """The largest batch that runs, to within 2%: up from the guess while it fits, down until it does."""
    whole = options.prompt_tokens + options.new_tokens - 2
    step, batch = max(1, guess // 50), guess
    fits = lambda b: b > 0 and runs(engine, ids[:b, :whole], 2, options.num_beams)  # noqa: E731
    if not isinstance(engine.model, Decoder):
        step = max(1, guess // 25)
    elif engine.model.stage.name == "segment":  # a trial of long prompts does not hold what a long answer holds
        whole, step = options.prompt_tokens, max(1, guess // 50)
        fits = lambda b: b > 0 and runs(engine, ids[:b, :whole], options.new_tokens, options.num_beams)  # noqa: E731
    while not fits(batch):
        batch -= step
    for _ in range(4):
        if not fits(batch + step):
            break
        batch += step
    return batch


def runs(engine: Engine, ids: torch.Tensor, new_tokens: int, num_beams: int) -> bool:
    """Whether a call of this size ends well."""
    torch.cuda.empty_cache()
    try:
        engine.run(ids, new_tokens, num_beams)
        synchronize(ids.device)
    except (torch.OutOfMemoryError, MemoryError) as error:
        print(f"  {engine.name} batch {len(ids)}: {type(error).__name__}", flush=True)
        return False
    print(f"  {engine.name} batch {len(ids)}: runs", flush=True)
    return True


def timed(engine: Engine, ids: torch.Tensor, options: argparse.Namespace, batch: int) -> tuple[float, int, int]:
    """Seconds and peak bytes of a whole call, and the batch: smaller, should that of the trials not fit after all."""
    while True:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        try:
            synchronize(ids.device)
            start = perf_counter()
            engine.run(ids[:batch, : options.prompt_tokens], options.new_tokens, options.num_beams)
            synchronize(ids.device)
            return perf_counter() - start, torch.cuda.max_memory_allocated() - before, batch
        except (torch.OutOfMemoryError, MemoryError):
            batch -= 1


if __name__ == "__main__":
    main()
