"""Caches side by side: what a step of a beam search holds and moves, predicted and counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import NamedTuple

import torch

from tinyllm.bench.machine import seconds
from tinyllm.bench.table import aligned
from tinyllm.cache import Cache
from tinyllm.cache.contiguous import ContiguousCache
from tinyllm.config import DecoderConfig
from tinyllm.cost.model import pass_cost, reorder_cost
from tinyllm.cost.workload import Cost, Workload
from tinyllm.lab.counters import observe, observe_reorder
from tinyllm.model import Model, restage
from tinyllm.stages import Stage


class CacheStep(NamedTuple):
    """Bytes of keys and values that a cache holds after a step, and the cost of the step, its reorder included."""

    held: int
    cost: Cost

    @property
    def moved(self) -> int:
        """Bytes of keys and values that the step reads and writes."""
        return self.cost.kv_read + self.cost.kv_written + 2 * self.cost.kv_copied


class Search(NamedTuple):
    """A beam search of one request: tokens of prompt, beams, and the steps taken before the one that is counted."""

    prompt_tokens: int
    beams: int
    steps: int


@dataclass(frozen=True)
class CacheComparison:
    """A step of several searches in several stages, predicted and counted, by (stage, search)."""

    predicted: dict[tuple[str, Search], CacheStep]
    counted: dict[tuple[str, Search], CacheStep]

    @property
    def same(self) -> bool:
        """Whether everything counted is as predicted."""
        return self.predicted == self.counted

    def __str__(self) -> str:
        """MB held and MB moved by a step as counted: a line for each search, a column for each stage."""
        stages = list(dict.fromkeys(stage for stage, _ in self.counted))
        searches = list(dict.fromkeys(search for _, search in self.counted))
        head = ("prompt", "beams", "MB held:", *stages, "", "MB a step:", *stages, "")
        lines = [self._line(search, stages) for search in searches]
        return f"{aligned([head, *lines])}\npredicted = counted: {self.same}"

    def _line(self, search: Search, stages: Sequence[str]) -> tuple[str, ...]:
        steps = [self.counted[stage, search] for stage in stages]
        held, moved = [step.held for step in steps], [step.moved for step in steps]
        cells = (str(search.prompt_tokens), str(search.beams))
        return (*cells, "", *_megabytes(held), "", *_megabytes(moved))


def _megabytes(sizes: Sequence[int]) -> list[str]:
    """The sizes in MB, and how many times larger the first is than the last."""
    return [*(f"{size / 1e6:.1f}" for size in sizes), f"{sizes[0] / sizes[-1]:.1f}x"]


def compare_caches(
    models: Sequence[Model], prompts: Sequence[int], widths: Sequence[int], steps: int = 16
) -> CacheComparison:
    """One step of a beam search after each prompt, in each width and model, on torch's operations.

    The caches are filled with zeros: prompt and `steps` steps. One beam needs no reorder. Models of one stage each.
    """
    searches = [Search(tokens, beams, steps) for tokens, beams in product(prompts, widths)]
    keys = [(model, search) for search in searches for model in models]
    return CacheComparison(
        {
            (m.stage.name, s): predicted_step(m.stage, m.config, s, m.dtype.itemsize)
            for m, s in keys
        },
        {(m.stage.name, s): counted_step(m, s) for m, s in keys},
    )


def predicted_step(stage: Stage, config: DecoderConfig, search: Search, size: int) -> CacheStep:
    """The step by the cost model; `size` is bytes per element."""
    tokens, beams, steps = search
    shared = stage.cache is not ContiguousCache
    rows = tokens + beams * (steps + 1) if shared else beams * (tokens + steps + 1)
    token = 2 * config.num_hidden_layers * config.num_key_value_heads * config.head_dim * size
    work = Workload(1, 1, tokens + steps, size, copies=beams, steps=steps)
    reorder = reorder_cost(stage, config, work) * (beams > 1)
    return CacheStep(token * rows, reorder + pass_cost(stage, config, work))


def counted_step(model: Model, search: Search) -> CacheStep:
    """The step as counted, on torch's operations, which the counters see."""
    counting = restage(model, replace(model.stage, kernels="torch"))
    cache = filled_cache(counting, *search)
    reorder = observe_reorder(cache, same_beams(search.beams, model.device)) * (search.beams > 1)
    step = observe(counting, next_ids(cache, search.beams), None, cache).total
    return CacheStep(held_bytes(cache), reorder + step)


def step_seconds(
    model: Model, prompt_tokens: int, beams: int, steps: int = 16, repeats: int = 3
) -> float:
    """Median seconds of a step of a beam search, its reorder included, after a prompt and `steps` steps."""
    cache = filled_cache(model, prompt_tokens, beams, steps, more=repeats + 1)
    step, ids = model.stage.runner.step(model), next_ids(cache, beams)
    beam_idx = same_beams(beams, model.device)

    def one_step() -> None:
        if beams > 1:
            cache.reorder(beam_idx)
        step(ids, None, cache)

    return seconds(one_step, model.device, repeats)


def filled_cache(
    model: Model,
    prompt_tokens: int,
    beams: int,
    steps: int = 0,
    more: int = 1,
    *,
    independent: bool = False,
) -> Cache:
    """A cache of zeros after a prompt and `steps` steps of a beam search, with memory for `more` steps.

    `independent`: of samples instead of beams.
    """
    cache = model.new_cache(1, beams, steps + more, independent=independent)
    config = model.config
    shared = model.stage.cache is not ContiguousCache
    rows, pieces = (
        (1, [prompt_tokens, *[beams] * steps]) if shared else (beams, [prompt_tokens + steps])
    )
    for tokens in pieces:
        cache.prepare(tokens, None)
        shape = (2, rows, config.num_key_value_heads, tokens, config.head_dim)
        for layer in cache.layers:
            layer.append(*torch.zeros(shape, dtype=model.dtype, device=model.device))
    return cache


def next_ids(cache: Cache, beams: int) -> torch.Tensor:
    """The input of one step: a token for each beam, in the rows that the cache has."""
    shape, device = (beams // cache.copies, cache.copies), cache.layers[0].segments[0].k.device
    return torch.full(shape, 17, dtype=torch.int64, device=device)


def same_beams(beams: int, device: torch.device) -> torch.Tensor:
    """The `beam_idx` of a step in which every beam continues itself."""
    return torch.arange(beams, device=device, dtype=torch.int64)


def held_bytes(cache: Cache) -> int:
    """Bytes of the tensors of keys and values."""
    segments = [segment for layer in cache.layers for segment in layer.segments]
    return sum(segment.k.nbytes + segment.v.nbytes for segment in segments)
