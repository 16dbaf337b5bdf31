"""Stages and peers side by side: same weights, same prompt, one run."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import torch
from torch import Tensor

from tinyllm.checkpoint import Checkpoint
from tinyllm.checkpoint.loading import load_decoder, restage
from tinyllm.config import DecoderConfig
from tinyllm.decoder import Decoder
from tinyllm.families import family_of
from tinyllm.measure.cost_model import layer_cost, least_bytes, pass_cost, reorder_cost
from tinyllm.measure.counters import observe, observe_reorder
from tinyllm.measure.launches import launches_in_layer
from tinyllm.measure.machine import Machine, measure_machine, versions
from tinyllm.measure.memory import peak_bytes
from tinyllm.measure.peers import pick_peer
from tinyllm.measure.rows import Row
from tinyllm.measure.timing import Engine, Generates, Timing, time_in_turns
from tinyllm.ops import NAIVE
from tinyllm.ops.cost import Workload
from tinyllm.stages import pick_stage

ORACLE = "hf"


@dataclass(frozen=True)
class Plan:
    """What to measure: `input_ids` `[b, t]` continued by `new_tokens` in `num_beams`, every engine `repeats` times."""

    model: str
    input_ids: Tensor
    new_tokens: int
    repeats: int
    num_beams: int = 1


def load_engines(
    checkpoint: Checkpoint, stages: Sequence[str], peers: Sequence[str], device: torch.device, dtype: torch.dtype
) -> list[Engine]:
    """All stages and peers, on one copy of the weights; peers come first. Raises ValueError for an unknown name."""
    chosen, makers = [pick_stage(stage) for stage in stages], {name: pick_peer(name) for name in peers}
    first = load_decoder(checkpoint, chosen[0], device, dtype)
    first.tokenizer, first.generation_config = checkpoint.tokenizer, checkpoint.generation_config
    decoders = [first, *(restage(first, stage) for stage in chosen[1:])]
    twins = [Engine(name, make(first, checkpoint)) for name, make in makers.items()]
    return twins + [Engine(d.stage.name, d) for d in decoders]


def bench(
    engines: Sequence[Engine], plan: Plan, listen: Callable[[Engine], object | None] = lambda engine: None
) -> list[Row]:
    """Compare tokens, then time in turns. `listen(engine)` may give a streamer for each engine's first answer."""
    asked = (plan.input_ids, plan.new_tokens, plan.num_beams)
    answers = {engine.name: engine.run(*asked, streamer=listen(engine)) for engine in engines}
    say = lambda text: print(text, file=sys.stderr, flush=True)  # noqa: E731
    say("measuring this machine's read bandwidth ...")
    machine = measure_machine(plan.input_ids.device)
    timings = time_in_turns(engines, plan.input_ids, plan.new_tokens, plan.repeats, plan.num_beams)
    say("counting memory and launches ...")
    return [make_row(engine, plan, machine, timings[engine.name], answers) for engine in engines]


def first_difference(answer: Tensor, oracle: Tensor | None, prompt_tokens: int) -> int | None:
    """Position among the new tokens of the first that differs in any sequence."""
    if oracle is None or torch.equal(answer, oracle):
        return None
    both = min(answer.shape[1], oracle.shape[1])
    wrong = (answer[:, :both] != oracle[:, :both]).any(dim=0).nonzero()
    return int(wrong[0] if len(wrong) else both) - prompt_tokens


def make_row(engine: Engine, plan: Plan, machine: Machine, timing: Timing, answers: dict[str, Tensor]) -> Row:
    """One engine's row; what only our own stages can tell is None for a peer."""
    batch, prompt = plan.input_ids.shape
    model, config = engine.model, _config(engine.model)
    steps = plan.new_tokens // 2
    work = Workload(batch, 1, prompt + steps, model.dtype.itemsize, copies=plan.num_beams, steps=steps)
    least = least_bytes(config, work)
    gb_s = least / timing.next_token_ms / 1e6
    counts = _counts(model, work) if isinstance(model, Decoder) else dict.fromkeys(COUNTS)
    return Row(
        stage=engine.name,
        model=plan.model,
        device=machine.device,
        dtype=str(model.dtype).removeprefix("torch."),
        batch=batch,
        num_beams=plan.num_beams,
        prompt_tokens=prompt,
        new_tokens=plan.new_tokens,
        first_token_ms=timing.first_token_ms,
        next_token_ms=timing.next_token_ms,
        tokens_per_s=1e3 * batch / timing.next_token_ms,
        peak_bytes=peak_bytes(
            lambda: engine.run(plan.input_ids, plan.new_tokens, plan.num_beams), plan.input_ids.device
        ),
        weight_bytes=sum(p.nbytes for p in model.parameters()),
        predicted_bytes_per_token=least,
        bandwidth_gb_s=gb_s,
        bandwidth_share=1e9 * gb_s / machine.read_bandwidth,
        read_bandwidth_gb_s=machine.read_bandwidth / 1e9,
        first_difference=first_difference(answers[engine.name], answers.get(ORACLE), prompt),
        versions=versions(),
        date=datetime.now(UTC).date().isoformat(),
        **counts,
    )


COUNTS = (
    "moved_bytes_per_token",
    "counted_bytes_per_token",
    "launches_per_layer",
    "predicted_launches_per_layer",
)


def _config(model: Generates) -> DecoderConfig:
    """The description of a model, ours or transformers'."""
    return model.config if isinstance(model, Decoder) else family_of(model.config).describe(model.config)


def _counts(model: Decoder, work: Workload) -> dict[str, int | None]:
    """The prediction for one decode step, and the same step counted; what our device code moves is not seen."""
    if model.device.type != "cpu":
        work = replace(work, kernels="ours")
    cache = model.new_cache(work.batch, work.copies, work.steps + 1)  # as `generate` reserves them
    prompt = torch.zeros(cache.rows // cache.copies, work.held - work.steps, dtype=torch.int64, device=model.device)
    token = prompt.new_zeros(len(prompt), cache.copies)
    model.step(prompt, None, cache)
    for _ in range(work.steps - 1):
        model.step(token, None, cache)
    before = replace(work, held=work.held - 1, steps=work.steps - 1)
    moved, counted = pass_cost(model.stage, model.config, before).bytes, 0
    if work.copies > 1:
        moved += reorder_cost(model.stage, model.config, before).bytes
        counted = observe_reorder(cache, torch.arange(cache.rows, device=model.device)).bytes
    counted += observe(model, token, None, cache).total.bytes  # one step early: it compiles what the next one needs
    unseen = model.device.type != "cpu" and model.stage.ops != NAIVE
    return {
        "moved_bytes_per_token": moved,
        "counted_bytes_per_token": None if unseen else counted,
        "launches_per_layer": len(launches_in_layer(model, lambda: model.step(token, None, cache))),
        "predicted_launches_per_layer": layer_cost(model.stage, model.config, work).launches,
    }
