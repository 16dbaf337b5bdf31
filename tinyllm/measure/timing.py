"""How long tokens take: a clock that is asked after every token, and engines measured in turns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median
from time import perf_counter
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor
from tqdm.auto import tqdm

from tinyllm.runtime.device import synchronize


@runtime_checkable
class Generates(Protocol):
    """Whatever generates as transformers does."""

    def generate(self, input_ids: Tensor, **kwargs: Any) -> Tensor: ...


@dataclass(frozen=True)
class Engine:
    """A model under the name it has in tables."""

    name: str
    model: Generates

    def run(self, input_ids: Tensor, new_tokens: int, num_beams: int = 1, **listening: object) -> Tensor:
        """Continue prompts by exactly `new_tokens` tokens, greedily or by beam search."""
        options = {"max_new_tokens": new_tokens, "min_new_tokens": new_tokens, "num_beams": num_beams}
        mask = torch.ones_like(input_ids)
        return self.model.generate(input_ids, attention_mask=mask, do_sample=False, **options, **listening)


@dataclass
class TokenClock:
    """A stopping criterion that stops nothing and notes when each token was there, in any kind of search."""

    device: torch.device
    times: list[float] = field(default_factory=list)

    def __call__(self, input_ids: Tensor, scores: object, **kwargs: object) -> Tensor:
        """Called after every token."""
        synchronize(self.device)
        self.times.append(perf_counter())
        return torch.zeros(len(input_ids), dtype=torch.bool, device=self.device)


@dataclass(frozen=True)
class Timing:
    """Milliseconds to the first token, and from token to token."""

    first_token_ms: float
    next_token_ms: float


def time_tokens(engine: Engine, input_ids: Tensor, new_tokens: int, num_beams: int = 1) -> Timing:
    """One generation, its tokens timed as they arrive: the median of the gaps."""
    from transformers import StoppingCriteriaList

    clock = TokenClock(input_ids.device)
    synchronize(input_ids.device)
    start = perf_counter()
    engine.run(input_ids, new_tokens, num_beams, stopping_criteria=StoppingCriteriaList([clock]))
    gaps = [later - earlier for earlier, later in pairwise(clock.times)]
    return Timing(1e3 * (clock.times[0] - start), 1e3 * median(gaps))


def time_in_turns(
    engines: Sequence[Engine], input_ids: Tensor, new_tokens: int, repeats: int, num_beams: int = 1
) -> dict[str, Timing]:
    """Medians over `repeats` rounds in which every engine runs once, the order turned round each time."""
    runs: dict[str, list[Timing]] = {engine.name: [] for engine in engines}
    rounds = [list(engines) if i % 2 == 0 else list(engines)[::-1] for i in range(repeats)]
    for engine in tqdm([engine for order in rounds for engine in order], desc="measuring", unit="run", leave=False):
        runs[engine.name].append(time_tokens(engine, input_ids, new_tokens, num_beams))
    return {name: _median(timings) for name, timings in runs.items()}


def _median(timings: Iterable[Timing]) -> Timing:
    timings = list(timings)
    return Timing(median(t.first_token_ms for t in timings), median(t.next_token_ms for t in timings))
