"""Time the first token beside transformers, on random weights: `python book/device/first_token.py --json FILE`.

The engines run in rounds; medians. A prefill's kernels run while the host launches the next ones, so what is measured
is the longer of the two.
"""

from __future__ import annotations

import argparse
import json
import statistics
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

import torch

from tinyllm import STAGES, lab
from tinyllm.bench.peers import transformers_twin
from tinyllm.lab.shapes import random_checkpoint
from tinyllm.model import load_model
from tinyllm.runtime.device import pick_device, synchronize

DTYPE = torch.bfloat16


def main() -> None:
    """Measure, print, record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", default=["llama-2-7b", "opt-6.7b"])
    parser.add_argument("--prompt", type=int, default=1024, help="tokens; %(default)s by default")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows = [measure(model, options.prompt, options.rounds) for model in options.models]
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")


def measure(shape: str, tokens: int, rounds: int) -> dict:
    """The row of one model; the first rounds, in which kernels are compiled, do not count."""
    device = pick_device(None)
    checkpoint = random_checkpoint(shape, device, DTYPE)
    model = load_model(checkpoint, STAGES["final"], device, DTYPE)
    hf = transformers_twin(model, checkpoint)
    ids = torch.randint(1000, 20000, (1, tokens), device=device)
    engines = {
        "hf": lambda: hf.generate(ids, max_new_tokens=1, do_sample=False, pad_token_id=0),
        "final": lambda: model.generate(ids, max_new_tokens=1),
    }
    times: dict[str, list[float]] = {name: [] for name in engines}
    for _ in range(rounds + 4):
        for name, run in engines.items():
            synchronize(device)
            start = perf_counter()
            run()
            synchronize(device)
            times[name].append(1e3 * (perf_counter() - start))
    row = {
        "model": shape,
        "prompt_tokens": tokens,
        "dtype": "bfloat16",
        "ms": {name: statistics.median(taken[4:]) for name, taken in times.items()},
        "device": lab.measure_machine(device).device,
        "versions": lab.versions(),
        "date": datetime.now(UTC).date().isoformat(),
    }
    print(row, flush=True)
    return row


if __name__ == "__main__":
    main()
