"""One model over the GPUs of a host, beside one GPU and transformers' `tp_plan="auto"`, with random weights.

    torchrun --nproc-per-node 2 book/device/tensor_parallel.py --models llama-2-7b llama-2-13b --json FILE
    torchrun --nproc-per-node 4 book/device/tensor_parallel.py --models llama-2-7b llama-2-70b --json FILE
    torchrun --nproc-per-node 4 book/device/tensor_parallel.py --models bloom-176b --layers 20 --no-peer --json FILE
    torchrun --nproc-per-node 2 book/device/tensor_parallel.py --models tinyllama-1.1b --dtype float32 --no-peer

Every rank first runs the complete model on its own GPU, where that fits, then all run it together. The tokens of all
ranks are compared. The peer reads the same random weights from a folder in --folder, which the first rank writes.
Without --json rows are printed alone. Rows are written after every model, so that an interrupted run keeps them.
"""

from __future__ import annotations

import argparse
import gc
import json
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from tempfile import gettempdir, mkdtemp
from typing import Any

import torch
import torch.distributed as dist
from whole_model import find_tinyllm

SHARD_BYTES = 4 << 30
FREE_SHARE = 0.9  # of a GPU's free memory, for weights


@dataclass
class Run:
    """The options, this rank, and the rows so far."""

    options: argparse.Namespace
    ranks: Any
    device: torch.device
    dtype: torch.dtype
    bandwidth: float  # bytes per second that this device reads
    rows: list[dict] = field(default_factory=list)

    def report(self, text: str) -> None:
        """Print on the first rank."""
        if self.ranks.rank == 0:
            print(text, file=sys.stderr, flush=True)

    def record(self, row: dict) -> None:
        """Keep a row of the first rank."""
        self.rows.append(row)
        if self.ranks.rank == 0:
            print(json.dumps(row), flush=True)
            if self.options.json:
                self.options.json.write_text(json.dumps(self.rows, indent=1) + "\n")


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--models", nargs="+", default=["llama-2-7b"], metavar="SHAPE")
    add("--layers", type=int, help="of each model the first layers alone")
    add("--dtype", default="bfloat16")
    add("--weights", default="dense", help="dense, or a format to quantise to: q8_0, q4_1")
    add("--device", help="cuda, xpu or cpu; the fastest one by default")
    add("--prompt-tokens", type=int, default=1024)
    add("--new-tokens", type=int, default=128)
    add("--beams", type=int, nargs="+", default=[1, 4])
    add("--repeats", type=int, default=5)
    add("--peer-repeats", type=int, default=3)
    add("--no-single", action="store_true", help="do not run the complete model on one GPU")
    add("--no-backend", action="store_true", help="leave out sums by NCCL or XCCL in all steps")
    add("--no-peer", action="store_true", help="leave transformers out")
    add("--folder", default=memory_folder(), help="where the peer's weights are written")
    add("--json", type=Path)
    return parser.parse_args(arguments)


def memory_folder() -> str | None:
    """A folder in memory, where the system has one."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


def prompt(run: Run, vocabulary: int) -> torch.Tensor:
    """The same token ids on every rank."""
    generator = torch.Generator("cpu").manual_seed(0)
    shape = (1, run.options.prompt_tokens)
    ids = torch.randint(vocabulary, shape, generator=generator, dtype=torch.int64, device="cpu")
    return ids.to(run.device)


def measure(run: Run, name: str, engine: Any, beams: int, repeats: int) -> tuple[dict, list]:
    """Times and tokens of an engine; all ranks call it alike."""
    from tinyllm.bench.timing import median_of

    ids = prompt(run, engine.model.config.vocab_size)
    new_tokens = run.options.new_tokens
    backend = getattr(torch, run.device.type) if run.device.type != "cpu" else None
    if backend:
        backend.reset_peak_memory_stats(run.device)
    tokens = engine.run(ids, new_tokens, beams)[0, ids.shape[1] :].tolist()
    engine.run(ids, new_tokens, beams)  # which replays what the first captured
    timings = [engine.time(ids, new_tokens, beams) for _ in range(repeats)]
    timing = median_of(timings)
    row = {
        "engine": name,
        "num_beams": beams,
        "prompt_tokens": ids.shape[1],
        "new_tokens": new_tokens,
        "first_token_ms": timing.first_token_ms,
        "next_token_ms": timing.next_token_ms,
        "next_token_ms_of_runs": [one.next_token_ms for one in timings],
        "seconds": timing.seconds,
        "repeats": repeats,
        "peak_bytes": backend.max_memory_allocated(run.device) if backend else None,
    }
    return row, tokens


def same_on_all(run: Run, tokens: list) -> bool:
    """Whether all ranks have the first one's tokens; every rank calls it."""
    found: list = [None] * run.ranks.size
    dist.all_gather_object(found, tokens)
    return all(one == found[0] for one in found)


def same_tokens(tokens: list, others: list | None) -> int | None:
    """How many tokens are the same up to the first that differs; None without others."""
    if others is None:
        return None
    pairs = zip(tokens, others, strict=True)
    return next((i for i, (one, other) in enumerate(pairs) if one != other), len(tokens))


def ours(run: Run, checkpoint: Any, ranks: Any, found: dict) -> None:
    """The final stage over `ranks`: greedy and in beams."""
    from tinyllm.bench.timing import Engine
    from tinyllm.checkpoint.weight_formats import DENSE, pick_weights
    from tinyllm.model import load_model
    from tinyllm.stages import FASTEST, pick_stage

    weights = run.options.weights
    weight_format = DENSE if weights == "dense" else pick_weights(weights, run.dtype)
    stage = pick_stage(FASTEST)
    model = load_model(checkpoint, stage, run.device, run.dtype, weight_format, ranks)
    for beams in run.options.beams:
        summed = "one launch" if getattr(model.ranks, "one_launch", None) else "backend"
        name = f"{FASTEST} on {ranks.size}"
        row, tokens = measure(run, name, Engine(name, model), beams, run.options.repeats)
        row |= {
            "model": checkpoint.name,
            "ranks": ranks.size,
            "summed_by": None if ranks.size == 1 else summed,
            "weights": weights,
            "weight_bytes": sum(p.nbytes for p in model.parameters()),
            "captures": len(model.sessions.captures),
            "capture_failures": failures(model),
            "same_on_all_ranks": same_on_all(run, tokens),
            "tokens_as_one_gpu": same_tokens(tokens, found.get(beams)),
            **bandwidth(run, model, beams, row["next_token_ms"]),
        }
        if ranks.size > 1:
            row |= reductions(run, model, beams)
        else:
            found[beams] = tokens
        run.record(row)
    del model
    release(run)


def failures(model: Any) -> list[str]:
    """Why steps were not captured."""
    from tinyllm.runtime.graph import CapturedGraph

    kept = model.sessions.kept.values()
    work = [one for session in kept for one in (session.forward, *session.steps.values())]
    return [one.failure for one in work if isinstance(one, CapturedGraph) and one.failure]


def bandwidth(run: Run, model: Any, beams: int, next_token_ms: float) -> dict:
    """What this rank's part must read for a token, in the middle of the answer, as a share of what its GPU reads."""
    from tinyllm.cost.model import least_bytes
    from tinyllm.cost.packed import packed_sizes
    from tinyllm.cost.workload import Workload

    steps = run.options.new_tokens // 2
    work = Workload(
        1,
        1,
        run.options.prompt_tokens + steps,
        run.dtype.itemsize,
        copies=beams,
        steps=steps,
        packed=packed_sizes(model),
    )
    least = least_bytes(model.config, work)
    return {
        "predicted_bytes_per_token": least,
        "read_bandwidth_gb_s": run.bandwidth / 1e9,
        "bandwidth_share": least / next_token_ms * 1e3 / run.bandwidth,
    }


def reductions(run: Run, model: Any, beams: int) -> dict:
    """Sums over ranks in a decode step, and the time of one: all of a step, in a graph where the device has graphs."""
    from tinyllm.bench.machine import seconds
    from tinyllm.cost.ranks import step_messages
    from tinyllm.runtime.graph import CapturedGraph

    messages = step_messages(model.config, beams, run.dtype.itemsize)
    x = torch.zeros(beams, model.config.hidden_size, dtype=run.dtype, device=run.device)

    def all_of_a_step() -> None:
        for _ in range(messages.sums):
            model.ranks.all_reduce(x)

    work = all_of_a_step
    if run.device.type != "cpu":
        work = CapturedGraph(all_of_a_step, run.device)
        work()
        work()
    time = median(seconds(work, run.device, 3) for _ in range(7))
    return {
        "sums_per_token": messages.sums,
        "sum_bytes": messages.bytes_of_sum,
        "sum_us": 1e6 * time / messages.sums,
        "sums_in_graph": getattr(work, "graph", None) is not None,
    }


def peer(run: Run, checkpoint: Any, found: dict) -> None:
    """transformers, eager, cut by its own plan; a reason in the place of a row where it does not load."""
    from transformers import AutoModelForCausalLM

    from tinyllm.bench.timing import Engine

    name = f"transformers on {run.ranks.size}"
    folder = run.ranks.share(write_weights(run, checkpoint) if run.ranks.rank == 0 else None)
    if folder is None:
        reason = "no folder has space for its weights"
        run.record({"engine": name, "model": checkpoint.name, "failure": reason})
        return
    try:
        plan = {"tp_plan": "auto"} if run.ranks.size > 1 else {}
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=run.dtype, **plan)
        if run.ranks.size == 1:
            model = model.to(run.device)
        for beams in run.options.beams:
            engine = Engine(name, model.eval())
            row, tokens = measure(run, name, engine, beams, run.options.peer_repeats)
            row |= {
                "model": checkpoint.name,
                "ranks": run.ranks.size,
                "same_on_all_ranks": same_on_all(run, tokens),
                "tokens_as_one_gpu": same_tokens(tokens, found.get(beams)),
            }
            run.record(row)
        del model
    except Exception as error:  # of transformers or torch: the run continues without it
        reason = f"{type(error).__name__}: {str(error)[:300]}"
        run.record({"engine": name, "model": checkpoint.name, "failure": reason})
    release(run)
    run.ranks.share(None)
    if run.ranks.rank == 0:
        shutil.rmtree(folder)


def write_weights(run: Run, checkpoint: Any) -> Path | None:
    """A folder as transformers reads it; None where none has the space."""
    from safetensors.torch import save_file

    needed = 1.05 * weight_elements(checkpoint) * run.dtype.itemsize
    places = [place for place in (run.options.folder, gettempdir()) if place is not None]
    place = next((one for one in places if shutil.disk_usage(one).free > needed), None)
    if place is None:
        return None
    run.report(f"writing weights for transformers to {place} ...")
    folder = Path(mkdtemp(prefix="tinyllm-", dir=place))
    index: dict[str, str] = {}
    for number, shard in enumerate(shards(checkpoint)):
        file = f"model-{number:05}.safetensors"
        save_file(shard, folder / file, metadata={"format": "pt"})
        index |= dict.fromkeys(shard, file)
    listing = json.dumps({"metadata": {}, "weight_map": index})
    (folder / "model.safetensors.index.json").write_text(listing)
    checkpoint.config.save_pretrained(folder)
    checkpoint.generation_config.save_pretrained(folder)
    return folder


def shards(checkpoint: Any) -> Iterator[dict[str, torch.Tensor]]:
    """All tensors on the host, some GiB at a time."""
    shard: dict[str, torch.Tensor] = {}
    for name in checkpoint.weights.shapes:
        if sum(x.nbytes for x in shard.values()) > SHARD_BYTES:
            yield shard
            shard = {}
        shard[name] = checkpoint.weights.read(name).cpu()
    yield shard


def release(run: Run) -> None:
    """Return memory to the device."""
    gc.collect()
    if run.device.type != "cpu":
        getattr(torch, run.device.type).empty_cache()


def fits_one(run: Run, checkpoint: Any) -> bool:
    """Whether the complete weights fit into the memory of every rank's device."""
    from tinyllm.runtime.device import free_bytes

    free = run.ranks.least(free_bytes(run.device)) or 0
    return weight_elements(checkpoint) * run.dtype.itemsize < FREE_SHARE * free


def weight_elements(checkpoint: Any) -> int:
    """All weights of the complete model."""
    return sum(torch.Size(shape).numel() for shape in checkpoint.weights.shapes.values())


def measure_model(run: Run, shape: str) -> None:
    """All engines on one shape."""
    from tinyllm.lab.shapes import random_checkpoint
    from tinyllm.parallel.ranks import SINGLE

    checkpoint = random_checkpoint(shape, run.device, run.dtype, run.options.layers)
    found: dict[int, list] = {}
    if run.options.no_single or not fits_one(run, checkpoint):
        run.report(f"{checkpoint.name}: not run on one device")
    else:
        run.report(f"{checkpoint.name} on one device ...")
        ours(run, checkpoint, SINGLE, found)
    if run.ranks.size > 1:
        run.report(f"{checkpoint.name} on {run.ranks.size} devices ...")
        ours(run, checkpoint, run.ranks, found)
        if not run.options.no_backend and run.device.type != "cpu":
            run.report("... summed by the backend")
            ours(run, checkpoint, replace(run.ranks, shared_memory=False), found)
    if not run.options.no_peer:
        peer(run, checkpoint, found)


def main(arguments: list[str] | None = None) -> int:
    """Measure all models."""
    options = parse(arguments)
    find_tinyllm()
    from tinyllm.bench.machine import measure_machine, versions
    from tinyllm.parallel.ranks import close_ranks, device_of_rank, pick_ranks
    from tinyllm.runtime.device import pick_device, pick_dtype

    device = pick_device(options.device)
    ranks = pick_ranks("auto", device)
    device = device_of_rank(device, ranks)
    machine = measure_machine(device)
    run = Run(options, ranks, device, pick_dtype(options.dtype), machine.read_bandwidth)
    run.record({"device": machine.device, "ranks": ranks.size, "versions": versions()})
    for shape in options.models:
        measure_model(run, shape)
    close_ranks()
    return 0


if __name__ == "__main__":
    sys.exit(main())
