"""Time a complete model with packed weights beside the dense one, on random weights, on this machine's GPU.

    python book/device/bench_packed_model.py --json rows.json [--shape llama-2-7b] [--formats Q4_1 Q4_K Q8_0]

One process, engines in rounds, medians; shares are of the read bandwidth of the same run.
"""

from __future__ import annotations

import argparse
import datetime
import json
import sys
from pathlib import Path

import torch
from bench_packed import random_rows

import tinyllm
from tinyllm import lab
from tinyllm.cost.packed import packed_sizes
from tinyllm.kernels.block_formats import FORMATS, BlockFormat
from tinyllm.kernels.weights import PackedWeight
from tinyllm.lab.shapes import random_checkpoint
from tinyllm.linear import Linear
from tinyllm.model import Model, load_model, restage
from tinyllm.ops.embedding import TokenEmbedding

DTYPE = torch.bfloat16


def packed_copy(dense: Model, one: BlockFormat) -> Model:
    """The same sizes with random blocks in the place of all matrices; the embedding in Q8_0."""
    model = restage(dense, dense.stage)
    for module in list(model.modules()):
        if isinstance(module, Linear | TokenEmbedding):
            n, k = module.storage.shape
            blocks = FORMATS["Q8_0"] if isinstance(module, TokenEmbedding) else one
            module.pack(PackedWeight((random_rows(n, k, blocks, dense.device),), DTYPE))
    return model.bind_stage_kernels()


def main() -> int:
    """Measure and print; 2 without a GPU."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="write the rows here")
    parser.add_argument("--shape", default="llama-2-7b", help="%(default)s by default")
    parser.add_argument(
        "--formats", nargs="+", choices=list(FORMATS), default=["Q4_1", "Q4_K", "Q8_0"]
    )
    parser.add_argument("--beams", nargs="+", type=int, default=[1, 4])
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    device = tinyllm.runtime.device.pick_device(None)
    if device.type == "cpu":
        print("no GPU here")
        return 2
    checkpoint = random_checkpoint(options.shape, device, DTYPE)
    dense = load_model(checkpoint, tinyllm.STAGES["final"], device, DTYPE)
    models = {"dense": dense} | {
        name: packed_copy(dense, FORMATS[name]) for name in options.formats
    }
    machine = lab.measure_machine(device)
    ids = torch.randint(3, dense.config.vocab_size, (1, 1024), device=device)
    engines = [lab.Engine(name, model) for name, model in models.items()]
    rows = []
    for beams in options.beams:
        for engine in engines:  # kernels are compiled
            engine.run(ids, 8, beams)
        timings = lab.time_in_rounds(engines, ids, 64, options.repeats, num_beams=beams)
        for name, model in models.items():
            work = lab.Workload(
                1, 1, 1024 + 32, 2, copies=beams, steps=32, packed=packed_sizes(model)
            )
            least = lab.least_bytes(dense.config, work)
            ms = timings[name].next_token_ms
            rows.append(
                {
                    "weights": name,
                    "beams": beams,
                    "next_token_ms": ms,
                    "first_token_ms": timings[name].first_token_ms,
                    "least_bytes": least,
                    "bandwidth_share": 1e3 * least / ms / machine.read_bandwidth,
                    "read_bandwidth_gb_s": machine.read_bandwidth / 1e9,
                    "shape": options.shape,
                    "device": machine.device,
                    "versions": lab.versions(),
                    "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
                }
            )
            row = rows[-1]
            print(
                f"{name:6} {beams} beams: {ms:7.3f} ms a token, {row['bandwidth_share']:.2f} of bandwidth, "
                f"first token {row['first_token_ms']:7.2f} ms",
                flush=True,
            )
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
