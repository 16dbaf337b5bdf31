"""Stages and peers side by side: same weights, same prompt, one run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from time import perf_counter
from typing import Any

import torch
from torch import Tensor

from tinyllm.bench.engines import report
from tinyllm.bench.machine import Machine, measure_machine
from tinyllm.bench.rows import Row
from tinyllm.bench.timing import Measurable, Timing, run_or_raise, time_in_rounds
from tinyllm.cost.model import layer_cost, least_bytes, pass_cost, reorder_cost, weight_elements
from tinyllm.cost.workload import Workload
from tinyllm.lab.counters import observe, observe_reorder
from tinyllm.lab.launches import launches_in_layer
from tinyllm.model import Model
from tinyllm.ops import NAIVE

ORACLE = "hf"


@dataclass(frozen=True)
class Plan:
    """A measurement: every engine continues `input_ids` `[b, t]` by `new_tokens` in `num_beams`, `repeats` times.

    `num_answers`: samples of each prompt instead; None: none.
    """

    model: str
    input_ids: Tensor
    new_tokens: int
    repeats: int
    num_beams: int = 1
    num_answers: int | None = None


@dataclass(frozen=True)
class FirstRun:
    """The first call of an engine, before it is timed: tokens, seconds until they are ready, peak memory, counts."""

    answer: Tensor
    ready_s: float
    peak_bytes: int | None
    counts: Mapping[str, int | None]


def bench(
    engines: Sequence[Measurable],
    plan: Plan,
    make_streamer: Callable[[Measurable], object | None] = lambda engine: None,
    *,
    machine: Machine | None = None,
    attempt: Callable[[Measurable, Callable[[], Any]], Any] = run_or_raise,
    record: Callable[[list[Row]], object] = lambda rows: None,
) -> list[Row]:
    """Compare the tokens of all engines, then time them in rounds; one row per engine.

    `make_streamer(engine)` returns a streamer for the engine's first answer, or None. `attempt(engine, act)` returns
    the result of `act`, or None for an engine that failed, which is then left out. `record` receives the rows after
    every round, so that an interrupted run keeps them.
    """
    first_runs = {
        engine.name: attempt(engine, partial(first_answer, engine, plan, make_streamer))
        for engine in engines
    }
    if machine is None:
        report("measuring this machine's read bandwidth ...")
        machine = measure_machine(plan.input_ids.device)
    report("counting memory and launches ...")
    for engine in engines:
        if first_runs[engine.name]:
            first_runs[engine.name] = attempt(
                engine, partial(with_counts, engine, plan, first_runs[engine.name])
            )
    oracle = first_runs[ORACLE].answer if first_runs.get(ORACLE) else None

    def rows(timings: Mapping[str, Timing], repeats: int) -> list[Row]:
        timed = [engine for engine in engines if engine.name in timings]
        return [
            make_row(e, plan, machine, timings[e.name], first_runs[e.name], oracle, repeats)
            for e in timed
        ]

    rounds: list[list[Row]] = []

    def after_round(timings: Mapping[str, Timing]) -> None:
        rounds.append(rows(timings, len(rounds) + 1))
        record(rounds[-1])

    time_in_rounds(
        [engine for engine in engines if first_runs[engine.name]],
        plan.input_ids,
        plan.new_tokens,
        plan.repeats,
        num_beams=plan.num_beams,
        num_answers=plan.num_answers,
        attempt=attempt,
        after_round=after_round,
    )
    return rounds[-1]


def first_answer(
    engine: Measurable, plan: Plan, make_streamer: Callable[[Measurable], object | None]
) -> FirstRun:
    """The first call of an engine; compilation and graph capture are part of its time."""
    start = perf_counter()
    answer = engine.run(
        plan.input_ids,
        plan.new_tokens,
        plan.num_beams,
        num_answers=plan.num_answers,
        streamer=make_streamer(engine),
    )
    return FirstRun(answer, engine.prepare_s + perf_counter() - start, None, dict.fromkeys(COUNTS))


def with_counts(engine: Measurable, plan: Plan, first_run: FirstRun) -> FirstRun:
    """The same with peak memory, bytes and launches; a peer has no counts: they stay None."""
    peak = engine.peak_bytes(
        plan.input_ids, plan.new_tokens, plan.num_beams, num_answers=plan.num_answers
    )
    model = getattr(engine, "model", None)
    is_counted = isinstance(model, Model) and model.ranks.size == 1
    counts = _counts(model, workload(engine, plan)) if is_counted else first_run.counts
    return replace(first_run, peak_bytes=peak, counts=counts)


def first_difference(answer: Tensor, oracle: Tensor | None, prompt_tokens: int) -> int | None:
    """Position, among the new tokens, of the first one that differs in any sequence; None where all are equal."""
    if oracle is None or torch.equal(answer, oracle):
        return None
    both = min(answer.shape[1], oracle.shape[1])
    wrong = (answer[:, :both] != oracle[:, :both]).any(dim=0).nonzero()
    return int(wrong[0] if len(wrong) else both) - prompt_tokens


def workload(engine: Measurable, plan: Plan) -> Workload:
    """The decode step in the middle of an answer."""
    (batch, prompt), steps = plan.input_ids.shape, plan.new_tokens // 2
    return Workload(
        batch,
        1,
        prompt + steps,
        engine.dtype.itemsize,
        copies=plan.num_answers or plan.num_beams,
        independent=plan.num_answers is not None,
        steps=steps,
        packed=engine.packed_sizes,
        int8=engine.kv_dtype is not None,
    )


def make_row(
    engine: Measurable,
    plan: Plan,
    machine: Machine,
    timing: Timing,
    first_run: FirstRun,
    oracle: Tensor | None,
    repeats: int,
    **search: int | None,
) -> Row:
    """One engine's row; `search` holds the fields that a search for the largest batch adds."""
    batch, prompt = plan.input_ids.shape
    least = least_bytes(engine.config, workload(engine, plan))
    gb_s = least / timing.next_token_ms / 1e6
    return Row(
        stage=engine.name,
        model=plan.model,
        device=machine.device,
        dtype=str(engine.dtype).removeprefix("torch."),
        batch=batch,
        num_beams=plan.num_beams,
        prompt_tokens=prompt,
        new_tokens=plan.new_tokens,
        first_token_ms=timing.first_token_ms,
        next_token_ms=timing.next_token_ms,
        num_answers=plan.num_answers,
        tokens_per_s=1e3 * batch * (plan.num_answers or 1) / timing.next_token_ms,
        peak_bytes=first_run.peak_bytes,
        weight_bytes=engine.weight_bytes,
        weights=engine.weights,
        kv_dtype=None if engine.kv_dtype is None else "int8",
        bits_per_weight=8 * engine.weight_bytes / weight_elements(engine.config),
        predicted_bytes_per_token=least,
        bandwidth_gb_s=gb_s,
        bandwidth_share=1e9 * gb_s / machine.read_bandwidth,
        read_bandwidth_gb_s=machine.read_bandwidth / 1e9,
        first_difference=first_difference(first_run.answer, oracle, prompt),
        versions=engine.versions,
        date=datetime.now(UTC).date().isoformat(),
        ready_s=first_run.ready_s,
        load_s=engine.load_s,
        path=engine.path,
        seconds=timing.seconds,
        repeats=repeats,
        ranks=ranks_of(engine),
        **first_run.counts,
        **search,
    )


def ranks_of(engine: Measurable) -> int | None:
    """How many ranks run a stage together; None for one."""
    model = getattr(engine, "model", None)
    size = model.ranks.size if isinstance(model, Model) else 1
    return None if size == 1 else size


COUNTS = (
    "moved_bytes_per_token",
    "counted_bytes_per_token",
    "launches_per_layer",
    "predicted_launches_per_layer",
)


def _counts(model: Model, work: Workload) -> dict[str, int | None]:
    """Bytes and launches of one decode step, predicted and counted; the bytes of our device code cannot be counted."""
    work = replace(work, kernels=model.kernels.name, device=model.device.type)
    cache = model.new_cache(  # as `generate` reserves memory
        work.batch, work.copies, work.steps + 1, independent=work.independent
    )
    prompt = torch.zeros(
        cache.rows // cache.copies, work.held - work.steps, dtype=torch.int64, device=model.device
    )
    token = prompt.new_zeros(len(prompt), cache.copies)
    model.step(prompt, None, cache)
    for _ in range(work.steps - 1):
        model.step(token, None, cache)
    before = replace(work, held=work.held - 1, steps=work.steps - 1, reserved_steps=work.steps + 1)
    moved, counted = pass_cost(model.stage, model.config, before).bytes, 0
    if work.has_beam_index:
        moved += reorder_cost(model.stage, model.config, before).bytes
        own = torch.arange(cache.rows, dtype=torch.int64, device=model.device)
        counted = observe_reorder(cache, own).bytes
    counted += observe(
        model, token, None, cache
    ).total.bytes  # one step early: compiles the kernels of the next step
    last_layer = replace(work, layer=len(model.layers) - 1)
    unseen = model.kernels.name != "torch" and model.stage.ops != NAIVE
    return {
        "moved_bytes_per_token": moved,
        "counted_bytes_per_token": None if unseen else counted,
        "launches_per_layer": len(launches_in_layer(model, lambda: model.step(token, None, cache))),
        "predicted_launches_per_layer": layer_cost(
            model.stage, model.config, last_layer, model.config.kind_of_layer[-1]
        ).launches,
    }
