"""Predicted equals counted: every byte, launch and FLOP of a forward pass, on models of odd sizes."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import models
import tinyllm
from tinyllm.checkpoint.loading import restage
from tinyllm.measure.cost_model import layer_cost, least_bytes, pass_cost, weight_elements
from tinyllm.measure.counters import OperationLog, observe, touched_bytes
from tinyllm.measure.launches import launches_in_layer
from tinyllm.ops.cost import Cost, Workload

DTYPES = (torch.float32, torch.bfloat16)
every_stage = pytest.mark.parametrize("stage", tinyllm.STAGES)


def predicted_and_observed(model, work):
    """Fill a cache with `work.held` tokens, then count one more step."""
    mask = None
    if work.padded:
        mask = torch.ones(work.batch, work.total, dtype=torch.int64)
        mask[0, :1] = 0
    ids = torch.ones(work.batch, work.total, dtype=torch.int64)
    cache = model.new_cache(work.batch)
    if not work.held:
        return observe(model, ids, mask, cache)
    model.step(ids[:, : work.held], None if mask is None else mask[:, : work.held], cache)
    return observe(model, ids[:, work.held :], None, cache)


@every_stage
@settings(max_examples=25, deadline=None)
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
    seen = predicted_and_observed(model, work)
    assert seen.layer == layer_cost(model.stage, model.config, work)
    assert seen.total == pass_cost(model.stage, model.config, work)
    assert seen.tokens == batch * tokens


def test_the_real_model_too(smollm):
    work = Workload(batch=2, tokens=1, held=12, size=4)
    seen = predicted_and_observed(smollm, work)
    assert seen.layer == layer_cost(smollm.stage, smollm.config, work)
    assert seen.total == pass_cost(smollm.stage, smollm.config, work)


@every_stage
def test_a_part_that_does_more_than_predicted_is_seen(smollm, stage):
    model = restage(smollm, tinyllm.STAGES[stage])
    wasteful = replace(model.stage, attend=lambda q, kv, bias: model.stage.attend(q.clone(), kv, bias))
    work = Workload(batch=1, tokens=1, held=3, size=4)
    seen = predicted_and_observed(restage(smollm, wasteful), work)
    expected = layer_cost(model.stage, model.config, work)
    q = 4 * model.config.num_attention_heads * model.config.head_dim
    assert seen.layer == expected + Cost(launches=1, activations_read=q, activations_written=q)


def test_a_step_copies_the_whole_contiguous_cache(smollm):
    held, token = 20, 2 * 3 * 64 * 4  # k and v, 3 heads of 64 float32
    seen = predicted_and_observed(smollm, Workload(1, 1, held, 4)).layer
    assert (seen.kv_written, seen.kv_copied, seen.kv_read) == (token, held * token, (held + 1) * token)


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
    rows = 3 * model.config.hidden_size * 4  # what embedding looks up; in a tied table, read by the head anyway
    assert least_bytes(model.config, work) == cost.weights + cost.kv_read - (rows if tied else 0)


@every_stage
def test_launches_of_a_layer_are_told_apart_from_the_rest(smollm, stage):
    model = restage(smollm, tinyllm.STAGES[stage])
    cache = model.new_cache(1)
    model.step(torch.ones(1, 3, dtype=torch.int64), None, cache)
    counted = launches_in_layer(model, lambda: model.step(torch.ones(1, 1, dtype=torch.int64), None, cache))
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
    assert [size for operation in (add, lookup, copy) for _, size in operation.writes] == [96, 48, 96]


def test_repeated_elements_are_touched_once():
    assert touched_bytes(torch.zeros(3, 1).expand(3, 50)) == 12
