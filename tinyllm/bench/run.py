"""Runs all cases of a preset; rows are recorded as they arrive, so that an interrupted run keeps them."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from pathlib import Path

import torch
from torch import Tensor

from tinyllm.bench.compare import ORACLE, Plan, bench
from tinyllm.bench.engines import (
    EngineSettings,
    Failures,
    engine_name,
    load_stages,
    open_engines,
    report,
    scratch,
    start_peer,
    start_stage,
    write_weights,
)
from tinyllm.bench.machine import Machine, measure_machine
from tinyllm.bench.peers import Peer
from tinyllm.bench.presets import BenchCase, Preset
from tinyllm.bench.rows import Row
from tinyllm.bench.throughput import BatchSearch, measure
from tinyllm.bench.timing import Measurable
from tinyllm.bench.worker_client import RemoteEngine
from tinyllm.config import DecoderConfig
from tinyllm.stages import FASTEST

Record = Callable[[list[Row]], object]
Peers = Mapping[str, Peer]


def run_cases(
    settings: EngineSettings,
    preset: Preset,
    peers: Peers,
    prompt: Callable[[BenchCase], Tensor],
    record: Record,
    make_streamer: Callable[[Measurable], object | None] = lambda engine: None,
) -> list[Row]:
    """Measure every case of a preset with all engines; `record` receives all rows so far, after every round."""
    prompts = {case: prompt(case).to(settings.device) for case in preset.cases}
    rows: list[Row] = []
    with open_engines(
        settings, preset.stages, peers, Failures(), separate=preset.separate
    ) as engines:
        machine = _machine(settings)
        for i, (case, ids) in enumerate(prompts.items()):
            report(f"case {i + 1} of {len(prompts)}: {case}")
            reset_compiler(settings.device)
            failures, before = Failures(str(case)), list(rows)
            plan = Plan(
                settings.checkpoint.name,
                ids,
                case.new_tokens,
                preset.repeats,
                num_beams=case.num_beams,
                num_answers=case.num_answers,
            )
            so_far = lambda new, before=before: record(before + new)  # noqa: E731
            rows += bench(
                engines,
                plan,
                make_streamer,
                machine=machine,
                attempt=failures.attempt,
                record=so_far,
            )
    return rows


def _machine(settings: EngineSettings) -> Machine:
    report("measuring this machine's read bandwidth ...")
    machine = measure_machine(settings.device)
    release(settings.device)
    return machine


def reset_compiler(device: torch.device) -> None:
    """Drop code that torch compiled for other shapes: above a limit of shapes it falls back to eager mode."""
    if "torch._dynamo" in sys.modules:
        torch._dynamo.reset()
    release(device)


def release(device: torch.device) -> None:
    """Return unused memory to the device, for other processes."""
    gc.collect()
    if device.type != "cpu":
        getattr(torch, device.type).empty_cache()


@dataclass
class BudgetedRun:
    """The largest batch of each engine and its speed, one engine at a time, in a process limited to `budget` bytes.

    `prompts(tokens)` returns as many different prompts as the largest batch to try; `batches` are smaller batches to
    time. The order of engines cannot alternate, since only one runs at a time; the order of one engine's batches does.
    """

    settings: EngineSettings
    preset: Preset
    prompts: Callable[[int], Tensor]
    budget: int
    record: Record
    batches: Sequence[int] | None = None
    rows: list[Row] = field(default_factory=list)
    answers: dict[BenchCase, Tensor] = field(default_factory=dict)  # of transformers

    def run(self, peers: Peers) -> list[Row]:
        """All rows, small batches first; answers are compared with those of transformers."""
        machine, failures = _machine(self.settings), Failures()
        with scratch() as folder:
            config = _save_weights(self.settings, peers, folder, failures)
            for name, start in self._starters(peers, folder, config).items():
                if engine := failures.attempt_by_name(name, start):
                    with closing(engine):
                        self._measure_cases(engine, machine)
        return self.rows

    def _starters(
        self, peers: Peers, folder: Path, config: DecoderConfig
    ) -> dict[str, Callable[[], RemoteEngine]]:
        """A function that starts the engine, by name."""
        held = (folder, config, self.settings, self.budget)
        found = {name: partial(start_peer, name, peer, *held) for name, peer in peers.items()}
        found |= {name: partial(start_stage, name, *held) for name in self.preset.stages[:-1]}
        for last in self.preset.stages[-1:]:
            kv_dtypes = dict.fromkeys([None, self.settings.kv_dtype])
            for weight_format, kv_dtype in product([None, *self.settings.weights], kv_dtypes):
                formats = {"weight_format": weight_format, "kv_dtype": kv_dtype}
                name = engine_name(last, weight_format, kv_dtype)
                found[name] = partial(start_stage, last, *held, **formats)
        return found

    def _measure_cases(self, engine: RemoteEngine, machine: Machine) -> None:
        for case in self.preset.cases:
            report(f"{engine.name}: {case}")
            search = self._search(case)
            run = partial(
                measure, engine, search, machine, self.answers.get(case), self._recorder()
            )
            answer = Failures(str(case)).attempt(engine, run)
            if engine.name == ORACLE and answer is not None:
                self.answers[case] = answer

    def _search(self, case: BenchCase) -> BatchSearch:
        prompts, name = self.prompts(case.prompt_tokens), self.settings.checkpoint.name
        return BatchSearch(
            name,
            prompts,
            case.new_tokens,
            num_beams=case.num_beams,
            repeats=self.preset.repeats,
            budget=self.budget,
            batches=self.batches,
            device_type=self.settings.device.type,
        )

    def _recorder(self) -> Record:
        """A function that records an engine's rows after the rows of all engines before it."""
        before = list(self.rows)

        def record(new: list[Row]) -> None:
            self.rows = before + new
            self.record(self.rows)

        return record


def _save_weights(
    settings: EngineSettings, peers: Peers, folder: Path, failures: Failures
) -> DecoderConfig:
    """Write the weights and release them: each engine loads its own copy."""
    decoder = load_stages(settings, (FASTEST,))[0]
    write_weights(decoder, settings, peers, folder, failures)
    config = decoder.config
    del decoder
    release(settings.device)
    return config
