"""Predicted equals counted where weights are packed: their bytes, and those of tiles that are dense for a moment."""

from dataclasses import replace

import pytest
import torch

import models
import tinyllm
from packed_models import packed_model
from tinyllm.cost.model import layer_cost, least_bytes, pass_cost
from tinyllm.cost.packed import packed_sizes
from tinyllm.cost.workload import Workload
from tinyllm.kernels import TORCH
from tinyllm.kernels.torch_kernels import UNPACKED_BYTES
from tinyllm.lab.counters import observe

SIZES = {"hidden_size": 256, "intermediate_size": 512, "num_attention_heads": 4}
MODELS = {
    "llama": {"tie_word_embeddings": True},
    "biases": {"attention_bias": True, "mlp_bias": True},
    "phi3": {"kind": "phi3"},
    "bloom": {"kind": "bloom"},
}


def counted(model, batch, prompt):
    """A prefill, and one more step."""
    cache = model.new_cache(batch)
    first = observe(model, torch.ones(batch, prompt, dtype=torch.int64), None, cache)
    return first, observe(model, torch.ones(batch, 1, dtype=torch.int64), None, cache)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("stage", ["naive", "fused", "sdpa"])
def test_prediction_equals_count(stage, name):
    stage = replace(tinyllm.STAGES[stage], kernels=TORCH)
    model = packed_model(models.tiny(**SIZES | MODELS[name]), stage)
    prefill = Workload(2, 19, 0, 4, packed=packed_sizes(model), layer=1, device="cpu")
    step = replace(prefill, tokens=1, held=19)
    for seen, work in zip(counted(model, 2, 19), (prefill, step), strict=True):
        assert seen.layer == layer_cost(model.stage, model.config, work)
        assert seen.total == pass_cost(model.stage, model.config, work)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("stage", ["naive", "fused", "sdpa", "final"])
def test_dense_weights_and_more_rows_than_a_gemv_has(stage, name):
    model = tinyllm.optimize(models.tiny(**SIZES | MODELS[name]), stage=stage)
    work = Workload(2, 19, 0, 4, layer=1, device="cpu")
    seen, _ = counted(model, 2, 19)
    assert seen.layer == layer_cost(model.stage, model.config, work)
    assert seen.total == pass_cost(model.stage, model.config, work)


def test_matrices_of_several_tiles(monkeypatch):
    monkeypatch.setitem(UNPACKED_BYTES, "cpu", 2 * 256 * 48)
    model = packed_model(models.tiny(**SIZES), "sdpa").to(torch.bfloat16)
    work = Workload(2, 19, 0, 2, packed=packed_sizes(model), layer=1, device="cpu")
    cost = pass_cost(model.stage, model.config, work)
    assert counted(model, 2, 19)[0].total == cost
    on_gpu = pass_cost(model.stage, model.config, replace(work, device="cuda"))
    assert on_gpu.launches < cost.launches
    assert on_gpu.weights == cost.weights


def test_in_float32_on_a_cpu_blocks_are_read_in_place():
    model = packed_model(models.tiny(**SIZES), "sdpa")
    work = Workload(2, 19, 0, 4, packed=packed_sizes(model), layer=1, device="cpu")
    in_place = pass_cost(model.stage, model.config, work)
    tiled = pass_cost(model.stage, model.config, replace(work, device="cuda"))
    assert counted(model, 2, 19)[0].total == in_place
    assert in_place.weights == tiled.weights
    assert in_place.launches < tiled.launches
    assert in_place.activations_written < tiled.activations_written


def test_least_bytes_are_those_of_the_blocks():
    model = packed_model(models.tiny(**SIZES | {"tie_word_embeddings": True}), "naive", ["Q4_1"])
    sizes = packed_sizes(model)
    dense = Workload(1, 1, 8, 4)
    elements = sum(
        p.numel() for p in models.tiny(**SIZES | {"tie_word_embeddings": True}).parameters()
    )
    norms = 5 * 256
    assert sizes.nbytes == (elements - norms) * 20 // 32 + 4 * norms
    saved = least_bytes(model.config, dense) - least_bytes(
        model.config, replace(dense, packed=sizes)
    )
    assert saved == 4 * elements - sizes.nbytes
