"""`bench --plan`: the memory of each case, and the prompts that fit, before any weights are loaded."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import torch

from tinyllm.cli.bench_inputs import RANDOM_TOKENS, open_model, pick_formats
from tinyllm.cli.options import encode
from tinyllm.runtime.device import free_bytes, size_as_text
from tinyllm.stages import pick_stage

if TYPE_CHECKING:
    from tinyllm.bench.presets import BenchCase, Preset
    from tinyllm.checkpoint import Checkpoint
    from tinyllm.checkpoint.weight_formats import WeightFormat
    from tinyllm.config import DecoderConfig


class PlanRow(NamedTuple):
    """A stage under a name, its decoder, the bytes of its weights, and the device that unpacks packed ones.

    Of several ranks it is the one with most weights. `int8`: keys and values are kept in int8.
    """

    name: str
    stage: str
    config: DecoderConfig
    weights: int
    unpack_device: str | None = None
    int8: bool = False


def print_plan(
    options: argparse.Namespace, preset: Preset, device: torch.device, dtype: torch.dtype | None
) -> int:
    """Print the memory of every stage in every case and the batch that fits; no weights are loaded."""
    from tinyllm.bench.rows import INT8_KEYS
    from tinyllm.checkpoint.weight_formats import DENSE

    checkpoint = open_model(options, device, dtype)
    dtype = dtype or checkpoint.dtype
    tokens = RANDOM_TOKENS
    if checkpoint.tokenizer is not None:
        tokens = encode(checkpoint.tokenizer, options.prompt, raw=False)["input_ids"].shape[1]
    free = free_bytes(device) if options.memory_budget is None else int(options.memory_budget * 1e9)
    dense = largest_part(checkpoint, dtype, DENSE, options.ranks)
    rows = [PlanRow(name, name, *dense) for name in preset.stages]
    if preset.stages:
        last = preset.stages[-1]
        for one in pick_formats(options.weights, checkpoint, dtype):
            part = largest_part(checkpoint, dtype, one, options.ranks)
            unpack_device = None if one.is_dense(dtype) else device.type
            rows.append(PlanRow(f"{last}, {one.name}", last, *part, unpack_device))
        if options.kv_dtype is not None:
            of_last = [row for row in rows if row.stage == last]
            rows += [row._replace(name=f"{row.name}, {INT8_KEYS}", int8=True) for row in of_last]
    if options.ranks > 1:
        print(f"each of {options.ranks} devices that run the model together")
    for case in preset.cases:
        print_case(case, case.prompt_tokens or tokens, rows, dtype.itemsize, free)
    return 0


def largest_part(
    checkpoint: Checkpoint, dtype: torch.dtype, weight_format: WeightFormat, ranks: int
) -> tuple[DecoderConfig, int]:
    """The part of the rank that has most weights, and their bytes. Raises ValueError for heads that do not divide."""
    from tinyllm.checkpoint.loading import weight_bytes
    from tinyllm.checkpoint.part_weights import part_of

    config = checkpoint.family.describe(checkpoint.fields)
    found = []
    for rank in range(ranks):
        own, part = part_of(checkpoint, config, rank, ranks, dtype, weight_format)
        found.append((part, weight_bytes(own, dtype, weight_format, part)))
    return max(found, key=lambda pair: pair[1])


def print_case(
    case: BenchCase,
    tokens: int,
    rows: Sequence[PlanRow],
    size: int,
    free: int | None,
) -> None:
    """Print the plan of one case as a table."""
    from tinyllm.bench.table import aligned
    from tinyllm.generation.memory import CallShape, max_prompts, memory_need

    copies = case.num_answers or case.num_beams
    call = CallShape(
        case.batch or 1, tokens, case.new_tokens, copies=copies, beams=case.num_beams > 1
    )
    lines = [
        ("stage", "weights", "keys and values", "activations", "with weights", "prompts that fit")
    ]
    for row in rows:
        stage = pick_stage(row.stage)
        call = replace(call, int8=row.int8)
        need = memory_need(stage, row.config, call, size, row.unpack_device)
        fit = "unknown"
        if free is not None:
            left = free - row.weights
            unpack_device = row.unpack_device
            fit = str(max_prompts(stage, row.config, call, size, left, unpack_device=unpack_device))
        sizes = (row.weights, need.keys_and_values, need.activations, need.total + row.weights)
        lines.append((row.name, *map(size_as_text, sizes), fit))
    beams = f" in {call.copies} beams" if call.beams else ""
    if case.num_answers is not None:
        beams = f" for each of {call.copies} answers"
    print(f"{call.prompts} x {call.tokens} tokens, {call.new} new ones{beams}")
    print("memory is unknown" if free is None else f"memory for all of it: {size_as_text(free)}")
    print(aligned(lines))
