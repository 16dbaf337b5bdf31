"""A preset from its first case to its last row; rows are handed on as they come, so that nothing is lost."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from tinyllm.bench.compare import ORACLE, Plan, bench
from tinyllm.bench.engines import (
    Failures,
    Where,
    load_stages,
    open_engines,
    say,
    scratch,
    start_peer,
    start_stage,
    write_weights,
)
from tinyllm.bench.machine import Machine, measure_machine
from tinyllm.bench.peers import Peer
from tinyllm.bench.presets import Case, Preset
from tinyllm.bench.rows import Row
from tinyllm.bench.throughput import Search, measure
from tinyllm.bench.timing import Measurable
from tinyllm.bench.worker_client import RemoteEngine
from tinyllm.config import DecoderConfig
from tinyllm.stages import FASTEST

Record = Callable[[list[Row]], object]
Peers = Mapping[str, Peer]


def run_cases(
    where: Where,
    preset: Preset,
    peers: Peers,
    prompt: Callable[[Case], Tensor],
    record: Record,
    listen: Callable[[Measurable], object | None] = lambda engine: None,
) -> list[Row]:
    """Every case of a preset, all engines side by side; `record` is given all rows so far, after every round."""
    prompts = {case: prompt(case).to(where.device) for case in preset.cases}
    rows: list[Row] = []
    with open_engines(where, preset.stages, peers, Failures(), separate=preset.separate) as engines:
        machine = _machine(where)
        for i, (case, ids) in enumerate(prompts.items()):
            say(f"case {i + 1} of {len(prompts)}: {case}")
            forget_compiled(where.device)
            failures, before = Failures(str(case)), list(rows)
            plan = Plan(where.checkpoint.name, ids, case.new_tokens, preset.repeats, case.num_beams)
            so_far = lambda new, before=before: record(before + new)  # noqa: E731
            rows += bench(
                engines, plan, listen, machine=machine, attempt=failures.attempt, record=so_far
            )
    return rows


def _machine(where: Where) -> Machine:
    say("measuring this machine's read bandwidth ...")
    machine = measure_machine(where.device)
    release(where.device)
    return machine


def forget_compiled(device: torch.device) -> None:
    """Drop what torch compiled for the shapes of another case: of too many it would fall back to eager mode."""
    if "torch._dynamo" in sys.modules:
        torch._dynamo.reset()
    release(device)


def release(device: torch.device) -> None:
    """Give memory that nobody uses back to the device, so that other processes can have it."""
    gc.collect()
    if device.type != "cpu":
        getattr(torch, device.type).empty_cache()


@dataclass
class Budgeted:
    """Every engine in turn, alone, in a process that may hold `budget` bytes: its largest batch and its speed there.

    `prompts(tokens)` are as many different prompts as may be tried at a time, `batches` those to time on the way.
    Order cannot alternate between engines that never live together; between the batches of one engine it does.
    """

    where: Where
    preset: Preset
    prompts: Callable[[int], Tensor]
    budget: int
    record: Record
    batches: Sequence[int] | None = None
    rows: list[Row] = field(default_factory=list)
    answers: dict[Case, Tensor] = field(default_factory=dict)  # of transformers

    def run(self, peers: Peers) -> list[Row]:
        """All rows, small batches first; transformers' answers are what the others are compared with."""
        machine, failures = _machine(self.where), Failures()
        with scratch() as folder:
            config = _written(self.where, peers, folder, failures)
            for name, start in self._starts(peers, folder, config).items():
                if engine := failures.named(name, start):
                    with closing(engine):
                        self._ask(engine, machine)
        return self.rows

    def _starts(
        self, peers: Peers, folder: Path, config: DecoderConfig
    ) -> dict[str, Callable[[], RemoteEngine]]:
        """How each engine is started."""
        held = (folder, config, self.where, self.budget)
        found = {name: partial(start_peer, name, peer, *held) for name, peer in peers.items()}
        return found | {name: partial(start_stage, name, *held) for name in self.preset.stages}

    def _ask(self, engine: RemoteEngine, machine: Machine) -> None:
        for case in self.preset.cases:
            say(f"{engine.name}: {case}")
            search = self._search(case)
            go = partial(measure, engine, search, machine, self.answers.get(case), self._recorder())
            answer = Failures(str(case)).attempt(engine, go)
            if engine.name == ORACLE and answer is not None:
                self.answers[case] = answer

    def _search(self, case: Case) -> Search:
        prompts, name = self.prompts(case.prompt_tokens), self.where.checkpoint.name
        how = (case.new_tokens, case.num_beams, self.preset.repeats, self.budget, self.batches)
        return Search(name, prompts, *how)

    def _recorder(self) -> Record:
        """Puts an engine's rows behind those of all before it, and hands all of them on."""
        before = list(self.rows)

        def record(new: list[Row]) -> None:
            self.rows = before + new
            self.record(self.rows)

        return record


def _written(where: Where, peers: Peers, folder: Path, failures: Failures) -> DecoderConfig:
    """Write the weights and forget them: each engine will hold its own."""
    decoder = load_stages(where, (FASTEST,))[0]
    write_weights(decoder, where, peers, folder, failures)
    config = decoder.config
    del decoder
    release(where.device)
    return config
