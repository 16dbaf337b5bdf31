"""Predicted equals counted: every byte, launch and FLOP of a forward pass, on models of odd sizes."""

import operator
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import models
import tinyllm
from tinyllm.cache.segment import SegmentCache
from tinyllm.cost.model import (
    layer_cost,
    layers_cost,
    least_bytes,
    pass_cost,
    reorder_cost,
    weight_elements,
)
from tinyllm.cost.workload import Cost, Workload
from tinyllm.lab.counters import (
    OperationLog,
    observe,
    observe_passes,
    observe_reorder,
    touched_bytes,
)
from tinyllm.lab.launches import launches_in_layer
from tinyllm.lab.memory import allocations, peak_bytes
from tinyllm.model import restage
from tinyllm.ops import NAIVE
from tinyllm.stages import pick_stage

CPU = torch.device("cpu")
DTYPES = (torch.float32, torch.bfloat16)
VARIANTS = {
    **tinyllm.STAGES,
    "segment, naive operations": replace(tinyllm.STAGES["segment"], ops=NAIVE),
}
every_stage = pytest.mark.parametrize("stage", tinyllm.STAGES)
every_variant = pytest.mark.parametrize("stage", VARIANTS.values(), ids=VARIANTS)


@st.composite
def steps_of_several_sequences(draw):
    """One more step for the sequences of some prompts, after earlier steps."""
    prompt, steps = draw(st.integers(1, 6)), draw(st.integers(0, 5))
    size, padded = draw(st.sampled_from(DTYPES)).itemsize, draw(st.booleans())
    batch, copies = draw(st.integers(1, 3)), draw(st.integers(1, 5))
    one_step = Workload(batch, 1, prompt + steps, size, padded, copies=copies, steps=steps)
    return replace(one_step, independent=draw(st.booleans()))


def optimized(hf, work, stage):
    """The model that a workload is of."""
    dtype = {d.itemsize: d for d in DTYPES}[work.size]
    return tinyllm.optimize(hf.to(dtype), stage=stage, kv_dtype="int8" if work.int8 else None)


NAME = operator.attrgetter("name")
int8_variants = pytest.mark.parametrize(
    "stage", [stage for stage in VARIANTS.values() if stage.cache is SegmentCache], ids=NAME
)


def ones(*shape):
    return torch.ones(*shape, dtype=torch.int64)


def shares_prompts(stage):
    return issubclass(pick_stage(stage).cache, SegmentCache)


def prompt_and_mask(model, cache, work, tokens):
    """A prompt with the number of rows of the cache's prefill."""
    rows = work.batch * work.copies // cache.copies
    mask = ones(rows, tokens) if work.padded else None
    if work.padded:
        mask[0, :1] = 0
    return ones(rows, tokens), mask


def filled(model, work):
    """A cache with the tokens of `work`."""
    cache = model.new_cache(work.batch, work.copies, work.steps + 1, independent=work.independent)
    model.step(*prompt_and_mask(model, cache, work, work.held - work.steps), cache)
    for _ in range(work.steps):
        model.step(ones(work.batch * work.copies // cache.copies, cache.copies), None, cache)
    return cache


def observed(model, work):
    """Fill a cache with `work.held` tokens, then count one more step."""
    if not work.held:
        cache = model.new_cache(work.batch, work.copies, independent=work.independent)
        return observe(model, *prompt_and_mask(model, cache, work, work.tokens), cache)
    cache = filled(model, work)
    return observe(model, ones(work.batch * work.copies // cache.copies, cache.copies), None, cache)


@every_stage
@settings(max_examples=8, deadline=None)
@given(
    hf=models.drawn(),
    batch=st.integers(1, 3),
    tokens=st.integers(1, 4),
    held=st.integers(0, 9),
    dtype=st.sampled_from(DTYPES),
    padded=st.booleans(),
)
def test_prediction_equals_count(stage, hf, batch, tokens, held, dtype, padded):
    tokens = 1 if held else tokens + 1
    model = tinyllm.optimize(hf.to(dtype), stage=stage)
    work = Workload(batch, tokens, held, dtype.itemsize, padded)
    seen = observed(model, work)
    assert seen.layer == layer_cost(model.stage, model.config, work)
    assert seen.total == pass_cost(model.stage, model.config, work)
    assert seen.tokens == batch * tokens


@every_variant
@settings(max_examples=12, deadline=None)
@given(
    hf=models.drawn(), work=steps_of_several_sequences(), prompt=st.integers(2, 5), data=st.data()
)
def test_prediction_equals_count_for_sequences_that_share_prompts(stage, hf, work, prompt, data):
    """Of a step, of the prompts alone, and of a reorder."""
    model = optimized(hf, work, stage)
    prompts = replace(work, tokens=prompt, held=0, steps=0)
    tokens_of_prompts = work.batch * prompt * (1 if shares_prompts(stage) else work.copies)
    for one, tokens in ((work, work.batch * work.copies), (prompts, tokens_of_prompts)):
        seen = observed(model, one)
        assert seen.layer == layer_cost(stage, model.config, one)
        assert seen.total == pass_cost(stage, model.config, one)
        assert seen.tokens == tokens
    beams = st.lists(st.integers(0, work.copies - 1), min_size=work.copies, max_size=work.copies)
    parents = torch.tensor([data.draw(beams) for _ in range(work.batch)])
    parents += work.copies * torch.arange(work.batch)[:, None]
    work = replace(work, independent=False)  # samples are not reordered
    seen = observe_reorder(filled(model, work), parents.flatten())
    assert seen == reorder_cost(stage, model.config, work)
    assert (seen.kv_copied == 0) == (shares_prompts(stage))


@int8_variants
@settings(max_examples=10, deadline=None)
@given(hf=models.drawn(), work=steps_of_several_sequences(), prompt=st.integers(2, 5))
def test_prediction_equals_count_with_keys_and_values_in_int8(stage, hf, work, prompt):
    step = replace(work, int8=True)
    model = optimized(hf, step, stage)
    for one in (step, replace(step, tokens=prompt, held=0, steps=0)):
        seen = observed(model, one)
        assert seen.layer == layer_cost(stage, model.config, one)
        assert seen.total == pass_cost(stage, model.config, one)


@int8_variants
def test_a_step_reads_a_quarter_and_a_half_of_the_bytes(stage):
    hf = models.tiny(hidden_size=256, num_attention_heads=4, num_key_value_heads=4)
    for dtype in DTYPES:
        work = Workload(2, 1, 20, dtype.itemsize, copies=3, steps=4)
        exact, rounded = (
            observed(optimized(hf, one, stage), one).layer.kv_read
            for one in (work, replace(work, int8=True))
        )
        assert rounded * 64 * dtype.itemsize == exact * (64 + 4)


def kv(cost):
    return cost.kv_read, cost.kv_written, cost.kv_copied


@every_variant
@pytest.mark.parametrize("lengths", [(5, 5), (2, 7, 4)], ids=["even", "padded"])
def test_the_bytes_of_a_beam_search_are_predicted(stage, lengths):
    model = tinyllm.optimize(models.tiny(), stage=stage)
    (b, t), w, new = (len(lengths), max(lengths)), 3, 7
    with observe_passes(model) as passes:
        model.generate(*models.ragged(61, lengths), num_beams=w, max_new_tokens=new)
    prompt = Workload(b, t, 0, 4, len(set(lengths)) > 1, copies=w)
    works = [prompt, *(replace(prompt, tokens=1, held=t + i, steps=i) for i in range(new - 1))]
    assert [p.layers for p in passes] == [layers_cost(stage, model.config, work) for work in works]
    assert passes[0].between == Cost()
    for seen, work in zip(passes[1:], works[1:], strict=True):
        assert kv(seen.between) == kv(reorder_cost(stage, model.config, work))


@every_stage
def test_the_prompt_of_a_beam_search_is_written_once_per_request(stage):
    """In a segment cache, a prompt is written once per request and never moved; otherwise once per beam, and copied."""
    model = tinyllm.optimize(models.tiny(), stage=stage)
    b, t, w, new, token = 2, 6, 4, 5, 2 * 2 * 2 * 8 * 4  # layers, k and v, heads of 8 float32
    ids, _ = models.ragged(61, [t] * b)
    with observe_passes(model) as passes:
        model.generate(ids, num_beams=w, max_new_tokens=new)
    shared = shares_prompts(stage)
    prompts = b if shared else b * w
    assert [p.tokens for p in passes] == [prompts * t] + [b * w] * (new - 1)
    assert [p.layers.kv_written for p in passes] == [
        token * n for n in (prompts * t, *[b * w] * (new - 1))
    ]
    held = [0, *(0 if shared else b * w * (t + i) for i in range(new - 1))]
    assert (
        [p.between.kv_copied for p in passes]
        == [p.layers.kv_copied for p in passes]
        == [token * n for n in held]
    )


@every_stage
def test_passes_are_separate_over_several_calls_and_failures(stage):
    model = tinyllm.optimize(models.tiny(), stage=stage)
    ids, _ = models.ragged(61, [4])

    def fails(layer, args):
        raise RuntimeError

    with observe_passes(model) as passes:
        model.generate(ids, max_new_tokens=3)
        handle = model.layers[1].register_forward_pre_hook(fails)
        with pytest.raises(RuntimeError):
            model.generate(ids, max_new_tokens=3)
        handle.remove()
        model.generate(ids, max_new_tokens=3)
    assert [p.tokens for p in passes] == 2 * [4, 1, 1]
    assert [p.layers for p in passes[:3]] == [p.layers for p in passes[3:]]
    assert not any(layer._forward_hooks or layer._forward_pre_hooks for layer in model.layers)


@every_stage
@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize(("tokens", "held"), [(9, 0), (3, 0), (1, 9), (1, 2)])
def test_prediction_equals_count_where_the_cache_alone_has_a_window(stage, padded, tokens, held):
    model = tinyllm.optimize(models.tiny(sliding_window=4), stage=stage)
    work = Workload(batch=2, tokens=tokens, held=held, size=4, padded=padded)
    seen = observed(model, work)
    assert seen.layer == layer_cost(model.stage, model.config, work)
    assert seen.total == pass_cost(model.stage, model.config, work)


def test_prediction_equals_count_for_the_real_model(smollm):
    work = Workload(batch=2, tokens=1, held=12, size=4)
    seen = observed(smollm, work)
    assert seen.layer == layer_cost(smollm.stage, smollm.config, work)
    assert seen.total == pass_cost(smollm.stage, smollm.config, work)


@every_stage
def test_extra_work_is_found(smollm, stage):
    model = restage(smollm, tinyllm.STAGES[stage])
    wasteful = replace(
        model.stage, attention=lambda q, *more: model.stage.attention(q.clone(), *more)
    )
    work = Workload(batch=1, tokens=1, held=3, size=4)
    seen = observed(restage(smollm, wasteful), work)
    expected = layer_cost(model.stage, model.config, work)
    q = 4 * model.config.num_attention_heads * model.config.head_dim
    assert seen.layer == expected + Cost(launches=1, activations_read=q, activations_written=q)


def test_a_step_copies_the_contiguous_cache(smollm):
    held, token = 20, 2 * 3 * 64 * 4  # k and v, 3 heads of 64 float32
    seen = observed(smollm, Workload(1, 1, held, 4)).layer
    assert (seen.kv_written, seen.kv_copied, seen.kv_read) == (
        token,
        held * token,
        (held + 1) * token,
    )


@settings(max_examples=20, deadline=None)
@given(hf=models.drawn())
def test_weight_elements(hf):
    model = tinyllm.optimize(hf)
    assert weight_elements(model.config) == sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("tied", [True, False])
def test_least_bytes_count_what_a_decode_step_must_read(tied):
    model = tinyllm.optimize(models.tiny(tie_word_embeddings=tied))
    work = Workload(batch=3, tokens=1, held=7, size=4)
    cost = pass_cost(model.stage, model.config, work)
    rows = (
        3 * model.config.hidden_size * 4
    )  # the rows of the embedding; a tied table is read by the head anyway
    assert least_bytes(model.config, work) == cost.weights + cost.kv_read - (rows if tied else 0)


@every_stage
def test_launches_of_a_layer_are_separate_from_the_rest(smollm, stage):
    model = restage(smollm, tinyllm.STAGES[stage])
    cache = model.new_cache(1)
    model.step(torch.ones(1, 3, dtype=torch.int64), None, cache)
    counted = launches_in_layer(
        model, lambda: model.step(torch.ones(1, 1, dtype=torch.int64), None, cache)
    )
    assert len(counted) == layer_cost(model.stage, model.config, Workload(1, 1, 3, 4)).launches


def test_views_and_allocations_are_no_launches():
    x = torch.randn(4, 6)
    with OperationLog() as log:
        torch.empty(3), x.t(), x[1:], x.view(-1), x.expand(2, 4, 6)
    assert log.operations == []


def test_operations_are_counted_by_the_bytes_they_touch():
    x, table = torch.randn(4, 6), torch.randn(100, 6)
    with OperationLog() as log:
        x + x[:1]
        torch.nn.functional.embedding(torch.tensor([3, 5]), table)
        x.copy_(table[:4])
    add, lookup, copy = log.operations
    sizes = [[size for _, size in operation.reads] for operation in (add, lookup, copy)]
    assert sizes == [[96, 24], [48, 16], [96]]
    assert [size for operation in (add, lookup, copy) for _, size in operation.writes] == [
        96,
        48,
        96,
    ]


def test_repeated_elements_count_once():
    assert touched_bytes(torch.zeros(3, 1).expand(3, 50)) == 12


def test_allocations_are_recorded_in_order():
    def run():
        first = torch.empty(1000)
        second = torch.empty(3000)
        del first
        third = torch.empty(500)
        del second, third

    seconds, held = zip(*allocations(run, CPU), strict=True)
    assert held == (4000, 16000, 12000, 14000, 2000, 0)
    assert list(seconds) == sorted(seconds) and seconds[0] >= 0
    assert peak_bytes(run, CPU) == 16000
    assert allocations(lambda: None, CPU) == []
    assert peak_bytes(lambda: None, CPU) == 0


def test_memory_over_time_needs_a_cpu():
    message = "memory over time on 'cuda': expected a CPU; peak_bytes knows other devices"
    models.says(ValueError, message, lambda: allocations(lambda: None, torch.device("cuda")))
