"""The last layer's launches in a decode step by name, and the GPU's busy time: `layer_launches.py --json FILE`.

For every stage, with random weights: the kernels of one layer in the profiler, and the milliseconds per token that the
device was busy. The milliseconds per token of `python -m tinyllm bench` also include its idle time.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import torch

from tinyllm.bench.machine import versions
from tinyllm.lab.launches import device_seconds, launches_in_layer
from tinyllm.lab.shapes import SHAPES, random_checkpoint
from tinyllm.model import Model, load_model, restage
from tinyllm.runtime.device import DTYPES, device_name, pick_device
from tinyllm.stages import STAGES


def filled(model: Model, context: int) -> Callable[[], object]:
    """A decode step of a model whose cache holds `context` tokens."""
    cache, token = model.new_cache(1), torch.ones(1, 1, dtype=torch.int64, device=model.device)
    model.step(token.expand(-1, context), None, cache)
    return lambda: model.step(token, None, cache)


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", default="llama-2-7b", choices=list(SHAPES))
    parser.add_argument("--dtype", default="bfloat16", choices=list(DTYPES))
    parser.add_argument("--context", type=int, default=1024, help="tokens in the cache")
    parser.add_argument("--json", type=Path, required=True, help="where to record")
    options = parser.parse_args()
    device, dtype = pick_device(None), DTYPES[options.dtype]
    model = load_model(
        random_checkpoint(options.shape, device, dtype), STAGES["naive"], device, dtype
    )
    models = {stage.name: restage(model, stage) for stage in STAGES.values()}
    rows = []
    for name, staged in models.items():
        step = filled(staged, options.context)
        busy = 1e3 * device_seconds(step, device)
        kernels = [kernel[:80] for kernel in launches_in_layer(staged, step)]
        print(f"{name}: {len(kernels)} launches a layer; busy {busy:.2f} ms per token")
        where = {"shape": options.shape, "dtype": options.dtype, "context": options.context}
        rows.append(
            {"stage": name}
            | where
            | {"launches": len(kernels), "busy_ms": round(busy, 3), "kernels": kernels}
        )
        rows[-1] |= {"device": device_name(device), "versions": versions()}
        rows[-1] |= {"date": datetime.now(UTC).date().isoformat()}
    options.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
