"""`tinyllm bench`: measures stages and peers in one run, or plans their memory without allocating it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from tinyllm.cli.bench_inputs import (
    RANDOM_TOKENS,
    bench_prompt,
    different_prompts,
    open_model,
    pick_formats,
)
from tinyllm.cli.bench_options import add_options, check_files, check_numbers, resolve
from tinyllm.cli.bench_plan import print_plan
from tinyllm.cli.options import add_command, ranks_of
from tinyllm.cli.streaming import TextStreamer
from tinyllm.parallel.ranks import Ranks, device_of_rank
from tinyllm.runtime.device import free_bytes, pick_device, pick_dtype, size_as_text

if TYPE_CHECKING:
    from tinyllm.bench.presets import Preset
    from tinyllm.bench.rows import Row

PACKED_ALONE = "pass --weights q4_1 or q8_0, and no --preset throughput, which measures dense ones"


def add_to(commands) -> None:
    """Add the command to the parser."""
    command = add_command(
        commands, "bench", "Measure stages and peers side by side: same weights, same prompt.", run
    )
    add_options(command)


def run(options: argparse.Namespace) -> int:
    """Check all options, then measure or plan."""
    check_numbers(options)
    check_files(options)
    device, dtype, preset = pick_device(options.device), pick_dtype(options.dtype), resolve(options)
    if options.plan:
        return print_plan(options, preset, device, dtype)
    if options.ranks != 1:
        raise ValueError(
            f"--ranks {options.ranks} without --plan: start as many processes, "
            f"torchrun --nproc-per-node {options.ranks} -m tinyllm bench ..."
        )
    if options.stream and max(preset.beams) > 1:
        raise ValueError(
            f"--stream with --num-beams {max(preset.beams)}: beams are not final before the end"
        )
    ranks = ranks_of(options)
    if ranks.size > 1:
        preset = stages_alone(preset)
    rows = measured(options, preset, device_of_rank(device, ranks), dtype, ranks)
    if not rows:
        raise ValueError("nothing was measured: the errors of the engines are printed above")
    show(rows)
    if options.json:
        print(f"rows: {options.json}")
    if options.png and ranks.rank == 0:
        from tinyllm.draw.recorded_runs import draw_rows

        draw_rows(rows).savefig(options.png)
        print(f"picture: {options.png}")
    return 0


def stages_alone(preset: Preset) -> Preset:
    """The preset over several ranks, which run stages and no peers. Raises ValueError where nothing is left."""
    from tinyllm.bench.engines import report

    if preset.batches is None or not preset.stages:
        raise ValueError(
            "several ranks run stages together: expected --stages, and no search for a batch"
        )
    for name in preset.peers:
        report(f"{name} is left out: several ranks run stages alone")
    return preset.changed(peers=())


def measured(
    options: argparse.Namespace,
    preset: Preset,
    device: torch.device,
    dtype: torch.dtype | None,
    ranks: Ranks,
) -> list[Row]:
    """Load, measure, record."""
    from tinyllm.bench.engines import EngineSettings, report
    from tinyllm.bench.peers import absent, pick_peers, pick_pythons
    from tinyllm.bench.rows import write_rows
    from tinyllm.bench.run import BudgetedRun, run_cases

    peers, pythons = pick_peers(preset.peers), pick_pythons(options.peer_python)
    for name, reason in absent(peers, device.type, pythons).items():
        report(f"{name} is left out: {reason}")
        del peers[name]
    checkpoint = open_model(options, device, dtype)
    dtype = dtype or checkpoint.dtype
    weights = pick_formats(options.weights, checkpoint, dtype)
    packed = weights if preset.batches is not None else []
    for name in [name for name, peer in peers.items() if not (peer.dense or packed)]:
        report(f"{name} is left out: it has packed weights alone; {PACKED_ALONE}")
        del peers[name]
    settings = EngineSettings(
        checkpoint,
        device,
        dtype,
        pythons,
        weights=weights,
        ranks=ranks,
        kv_dtype=options.kv_dtype,
    )
    record = lambda rows: None  # noqa: E731
    if options.json and ranks.rank == 0:
        record = lambda rows: write_rows(rows, options.json)  # noqa: E731
    if preset.batches is None:
        budget = memory_budget(options, settings)

        def prompts(tokens):
            return different_prompts(checkpoint, tokens or RANDOM_TOKENS, options.max_batch)

        return BudgetedRun(settings, preset, prompts, budget, record, options.batch).run(peers)
    make_streamer = streamers(checkpoint.tokenizer) if options.stream else lambda engine: None
    return run_cases(
        settings,
        preset,
        peers,
        lambda case: bench_prompt(checkpoint, case, options.prompt),
        record,
        make_streamer,
    )


def memory_budget(options: argparse.Namespace, settings) -> int:
    """Bytes that each engine may hold. Raises ValueError where the weights alone need more."""
    from tinyllm.checkpoint.loading import weight_bytes
    from tinyllm.checkpoint.weight_formats import DENSE

    budget = (
        free_bytes(settings.device)
        if options.memory_budget is None
        else int(options.memory_budget * 1e9)
    )
    if budget is None:
        raise ValueError("this system does not report its free memory: pass --memory-budget GB")
    formats = [DENSE, *settings.weights]
    weights = min(weight_bytes(settings.checkpoint, settings.dtype, one) for one in formats)
    if budget <= weights:
        taken = f"the weights alone take {size_as_text(weights)}"
        raise ValueError(f"--memory-budget {budget / 1e9:g}: {taken}; expected more")
    return budget


def show(rows: Sequence[Row]) -> None:
    """Print a table for each workload."""
    from tinyllm.bench.rows import as_text, grouped, title

    for group in grouped(rows):
        print(f"\n{group[0].model}, {group[0].device}, {title(group)}")
        print(as_text(group))


def streamers(tokenizer):
    """A function that makes a streamer for an engine, which prints the answer under its name."""

    def make_streamer(engine) -> object | None:
        print(f"\n{engine.name}:", flush=True)
        return None if tokenizer is None else TextStreamer(tokenizer)

    return make_streamer
