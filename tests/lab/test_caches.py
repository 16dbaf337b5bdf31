"""Caches side by side: the cost model against the counters, and by hand."""

from dataclasses import replace
from itertools import product

import pytest
import torch

import models
import tinyllm
from tinyllm.cache.segment import SegmentCache
from tinyllm.cost.model import pass_cost
from tinyllm.cost.workload import Workload
from tinyllm.lab.caches import (
    CacheStep,
    Search,
    compare_caches,
    counted_step,
    filled_cache,
    held_bytes,
    next_ids,
    predicted_step,
    step_seconds,
)
from tinyllm.lab.counters import observe
from tinyllm.model import restage

PROMPTS, WIDTHS, STEPS = (5, 9), (1, 3), 4


@pytest.fixture(scope="module")
def pair():
    fused = tinyllm.optimize(models.tiny(), stage="fused")
    return fused, restage(fused, tinyllm.STAGES["segment"])


@pytest.fixture(scope="module")
def comparison(pair):
    return compare_caches(pair, PROMPTS, WIDTHS, STEPS)


def token_bytes(config):
    return 2 * config.num_hidden_layers * config.num_key_value_heads * config.head_dim * 4


def test_counted_is_predicted_in_every_search(comparison):
    assert comparison.same and comparison.predicted is not comparison.counted
    assert set(comparison.counted) == set(
        product(("fused", "segment"), (Search(t, w, STEPS) for t, w in product(PROMPTS, WIDTHS)))
    )


def test_bytes_by_hand(comparison, pair):
    """09: `w * (t + s)` tokens in one cache, `t + w * s` in the other; the first moves all of them, twice copied."""
    token = token_bytes(pair[0].config)
    for (stage, (t, w, s)), step in comparison.counted.items():
        assert step.held == token * (w * (t + s + 1) if stage == "fused" else t + w * (s + 1))
        old, new = token * w * (t + s), token * w
        copies = 1 + (w > 1)  # one beam needs no reorder
        moved = {"fused": 2 * copies * old + new + step.held, "segment": step.held + new}
        assert step.moved == moved[stage]


def test_a_cache_that_copies_more_is_found(pair):
    class Restless(SegmentCache):
        def reorder(self, beam_idx):
            super().reorder(beam_idx)
            for layer in self.layers:
                layer.prompt = type(layer.prompt)(*(x.clone() for x in layer.prompt))

    search = Search(5, 3, STEPS)
    restless = restage(pair[1], replace(pair[1].stage, cache=Restless))
    counted, predicted = (
        counted_step(restless, search),
        predicted_step(pair[1].stage, pair[1].config, search, 4),
    )
    assert counted.held == predicted.held
    assert counted.moved - predicted.moved == 2 * token_bytes(pair[1].config) * search.prompt_tokens


def test_a_filled_cache_can_take_the_steps_it_has_memory_for(pair):
    for model in pair:
        cache = filled_cache(model, 5, 3, steps=2, more=2)
        before = held_bytes(cache)
        assert cache.length == 7
        for _ in range(2):
            model.step(next_ids(cache, 3), None, cache)
        assert cache.length == 9
        assert (held_bytes(cache) == before) == (model is pair[1])


def test_a_filled_cache_of_samples_costs_what_is_predicted_of_them(pair):
    work = Workload(batch=1, tokens=1, held=5, size=4, copies=3, independent=True)
    for model in pair:
        cache = filled_cache(model, 5, 3, independent=True)
        counted = observe(model, next_ids(cache, 3), None, cache).total
        assert counted == pass_cost(model.stage, model.config, work)
    with pytest.raises(ValueError, match="a reorder of 3 independent sequences"):
        cache.reorder(torch.arange(3))


def test_the_table_has_a_line_for_each_search(comparison):
    head, *lines, last = str(comparison).splitlines()
    assert head.split() == [
        "prompt",
        "beams",
        "MB",
        "held:",
        "fused",
        "segment",
        "MB",
        "a",
        "step:",
        "fused",
        "segment",
    ]
    assert [tuple(map(int, line.split()[:2])) for line in lines] == list(product(PROMPTS, WIDTHS))
    for line, (t, w) in zip(lines, product(PROMPTS, WIDTHS), strict=True):
        moved = [
            comparison.counted[name, Search(t, w, STEPS)].moved for name in ("fused", "segment")
        ]
        assert line.split()[-1] == f"{moved[0] / moved[1]:.1f}x"
    assert last == "predicted = counted: True"
    assert max(map(len, [head, *lines])) <= 90


def test_the_table_states_a_difference(comparison):
    key = next(iter(comparison.counted))
    off = comparison.counted | {key: CacheStep(0, comparison.counted[key].cost)}
    assert str(replace(comparison, counted=off)).endswith("predicted = counted: False")


@pytest.mark.parametrize("beams, reorders", [(1, 0), (3, 4)])
def test_a_timed_step_reorders_its_beams(pair, beams, reorders):
    """Three repeats after a first run; every step adds a token to the cache."""
    seen = []

    class Counting(SegmentCache):
        def reorder(self, beam_idx):
            seen.append((beam_idx.tolist(), self.length))
            super().reorder(beam_idx)

    model = restage(pair[1], replace(pair[1].stage, cache=Counting))
    assert step_seconds(model, 5, beams, steps=2) > 0
    assert seen == [(list(range(beams)), 7 + i) for i in range(reorders)]
