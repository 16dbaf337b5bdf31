"""The segment cache: of what is stored nothing is copied or moved, and memory is what was planned."""

from dataclasses import replace

import pytest
import torch

import models
import tinyllm
from models import close
from tinyllm.cache import segment, segment_layer
from tinyllm.cost.cache import segment_held_bytes
from tinyllm.cost.workload import Workload
from tinyllm.lab.counters import observe_passes, storages
from tinyllm.lab.memory import peak_bytes
from tinyllm.ops import NAIVE

CPU = torch.device("cpu")
B, T, W, VOCAB = 2, 5, 3, 61


@pytest.fixture(scope="module")
def hf():
    return models.tiny(seed=2, max_position_embeddings=128)


@pytest.fixture(scope="module")
def model(hf):
    return tinyllm.optimize(hf, stage="segment")


@pytest.fixture
def batch():
    return models.ragged(VOCAB, (T, T - 2), seed=5)


def tokens(seed, *shape):
    return torch.randint(0, VOCAB, shape, generator=torch.Generator().manual_seed(seed))


def addresses(parts):
    return [x.data_ptr() for kv in parts for x in kv]


def held_bytes(cache):
    return sum({s._cdata: s.nbytes() for layer in cache.layers for s in storages(layer)}.values())


def test_independent_sequences_have_no_beam_index_and_are_not_reordered(model):
    cache = model.new_cache(B, W, 3, independent=True)
    assert cache.beam_index is None and cache.beam_mask is None
    with pytest.raises(ValueError, match=r"3 independent sequences: expected .* independent=False"):
        cache.reorder(torch.zeros(B * W, dtype=torch.int64))
    cache.resume(W, 3)
    cache.reorder(torch.zeros(B * W, dtype=torch.int64))
    model.new_cache(B, 1, 3, independent=True).reorder(torch.zeros(B, dtype=torch.int64))


@pytest.mark.parametrize("how", [{"do_sample": True}, {"num_beams": W}], ids=str)
def test_generation_makes_a_beam_index_for_beam_search_alone(model, how, monkeypatch):
    caches = []
    new_cache = type(model.stage).new_cache
    monkeypatch.setattr(
        type(model.stage),
        "new_cache",
        lambda *args, **kwargs: caches.append(new_cache(*args, **kwargs)) or caches[-1],
    )
    model.generate(tokens(1, B, T), max_new_tokens=3, num_return_sequences=W, **how)
    assert [cache.beam_index is None for cache in caches] == ["do_sample" in how]


def copied(cache):
    return [
        x.view(torch.int32).clone() for layer in cache.layers for kv in layer.segments for x in kv
    ]


def test_nothing_is_moved_once_it_is_written(model, batch):
    steps = 6
    cache = model.new_cache(B, W, steps)
    model.step(*batch, cache)
    prompts = [kv for layer in cache.layers for kv in [layer.prompt]]
    where, what = addresses(prompts), [x.clone() for kv in prompts for x in kv]
    responses = None
    for step in range(steps):
        if step:
            before = copied(cache)
            cache.reorder(torch.tensor([1, 1, 0, 5, 3, 4]))
            assert all(a.equal(b) for a, b in zip(before, copied(cache), strict=True))
            assert responses == addresses(layer.response for layer in cache.layers)
        model.step(tokens(step, B, W), None, cache)
        responses = responses or addresses(layer.response for layer in cache.layers)
        assert responses == addresses(layer.response for layer in cache.layers)
        assert where == addresses(layer.prompt for layer in cache.layers)
    assert all(
        a.equal(x)
        for a, x in zip(what, (x for layer in cache.layers for x in layer.prompt), strict=True)
    )


@pytest.mark.parametrize("copies", [1, W])
def test_memory_is_that_of_the_prompts_and_the_reserved_steps(model, batch, copies):
    steps = 7
    cache = model.new_cache(B, copies, steps)
    model.step(*batch, cache)
    slot = 2 * 2 * 2 * 8 * 4  # layers, k and v, heads of 8 float32
    assert held_bytes(cache) == slot * B * T
    for step in range(steps):
        model.step(tokens(step, B, copies), None, cache)
        assert held_bytes(cache) == slot * B * (T + steps * copies)
    for layer in cache.layers:
        assert [kv.k.shape for kv in layer.segments] == [(B, 2, T, 8), (B, 2, steps * copies, 8)]


@pytest.mark.parametrize(
    ("row_bytes", "multiple"), [(160, 2), (80, 4), (128, 1), (192, 1), (240, 4), (32, 1), (100, 1)]
)
def test_slots_are_allocated_so_that_heads_begin_at_64_bytes(row_bytes, multiple):
    for slots in range(10):
        allocated = segment_layer.aligned_slots(slots, row_bytes)
        assert slots <= allocated < slots + multiple
        assert allocated % multiple == 0


@pytest.mark.parametrize("steps", [3, None])
def test_heads_of_80_begin_at_64_bytes_and_memory_is_as_planned(steps):
    hf = models.tiny(head_dim=80, num_key_value_heads=2, vocab_size=VOCAB).to(torch.bfloat16)
    model = tinyllm.optimize(hf, stage="segment")
    cache = model.new_cache(B, W, steps)
    for step in range(4 if steps is None else steps):
        model.step(tokens(step, B, W if step else T), None, cache)
        segments = [kv for layer in cache.layers for kv in layer.segments if kv.capacity]
        for x in (x for kv in segments for x in kv):
            assert [160 * (stride // 80) % 64 for stride in x.stride()[:2]] == [0, 0]
        assert [kv.k.shape[2] for kv in segments[:1]] == [T]
        assert cache.nbytes == held_bytes(cache)
    if steps is not None:
        slots = 6 + 10  # of 5 tokens, and of 3 steps of 3 sequences
        assert cache.nbytes == len(cache.layers) * 2 * B * 2 * slots * 160
        work = Workload(B, 1, T + steps - 1, 2, copies=W, steps=steps - 1)
        beam_index = 12 * B * W * steps
        assert segment_held_bytes(model.config, work) == cache.nbytes + beam_index


def test_without_a_known_length_memory_doubles_and_the_logits_are_the_same(model, batch):
    steps, reorder = 50, torch.tensor([1, 1, 0, 5, 3, 4])
    known, open_ended = model.new_cache(B, W, steps), model.new_cache(B, W)
    for cache in (known, open_ended):
        model.step(*batch, cache)
    where, capacities = [], []
    for step in range(steps):
        logits = []
        for cache in (known, open_ended):
            cache.reorder(reorder)
            logits.append(model.step(tokens(step, B, W), None, cache))
        close(*logits)
        where = where if step else addresses(layer.response for layer in known.layers)
        assert where == addresses(layer.response for layer in known.layers)
        capacities.append([layer.response.capacity // W for layer in open_ended.layers])
    assert capacities == [[16, 16]] * 16 + [[32, 32]] * 16 + [[64, 64]] * 18
    assert [layer.response.capacity // W for layer in known.layers] == [steps, steps]


def test_keys_and_values_are_not_repeated_for_the_heads_that_share_them():
    model = tinyllm.optimize(
        models.tiny(
            hidden_size=32,
            num_attention_heads=16,
            num_key_value_heads=1,
            head_dim=16,
            vocab_size=17,
            intermediate_size=16,
            max_position_embeddings=2048,
        ),
        stage="segment",
    )
    t, keys = 2000, 2000 * 16 * 4  # repeated 16 times where they are
    cache = model.new_cache(1, 4, 3)
    model.step(tokens(0, 1, t) % 17, None, cache)
    model.step(torch.ones(1, 4, dtype=torch.int64), None, cache)
    assert (
        peak_bytes(lambda: model.step(torch.ones(1, 4, dtype=torch.int64), None, cache), CPU)
        < 2 * keys
    )


def test_padding_is_never_looked_at(model, batch):
    ids, mask = batch
    plain, spoilt = model.new_cache(B, W, 3), model.new_cache(B, W, 3)
    for cache in (plain, spoilt):
        model.step(ids, mask, cache)
    with torch.inference_mode():
        for x in (x for layer in spoilt.layers for x in layer.prompt):
            x.masked_fill_(mask.logical_not()[:, None, :, None], 1e4)
    for step in range(3):
        one, other = (model.step(tokens(step, B, W), None, cache) for cache in (plain, spoilt))
        assert one.equal(other)
        for cache in (plain, spoilt):
            cache.reorder(torch.tensor([2, 0, 0, 3, 5, 3]))


@pytest.mark.parametrize("options", [{}, {"num_beams": W}], ids=["greedy", "beams"])
def test_prompts_in_parts_are_prompts_at_once(model, options, monkeypatch):
    ids, mask = models.ragged(VOCAB, (5, 2, 5, 3, 4), seed=1)
    expected = model.generate(ids, mask, max_new_tokens=8, **options)
    monkeypatch.setattr(segment, "MAX_PREFILL_TOKENS", 11)
    with observe_passes(model) as passes:
        assert model.generate(ids, mask, max_new_tokens=8, **options).equal(expected)
    assert [p.tokens for p in passes[:4]] == [10, 10, 5, 5 * options.get("num_beams", 1)]
    assert sum(p.layers.kv_written for p in passes[:3]) == 25 * 2 * 2 * 2 * 8 * 4
    assert not any(p.layers.kv_copied or p.between.kv_copied for p in passes)


@pytest.mark.parametrize(
    "options",
    [{}, {"num_beams": W}, {"do_sample": True, "num_return_sequences": W}],
    ids=["greedy", "beams", "drawn"],
)
def test_the_naive_operations_work_on_it_too(hf, model, batch, options):
    naive = tinyllm.optimize(hf, stage=replace(tinyllm.STAGES["segment"], ops=NAIVE))
    expected, got = (seeded(m, *batch, max_new_tokens=12, **options) for m in (model, naive))
    assert got.tolist() == expected.tolist()


def seeded(model, *args, **options):
    torch.manual_seed(0)
    return model.generate(*args, **options)
