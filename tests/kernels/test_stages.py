"""The stage `fused` on each set of device kernels, end to end, without a GPU: tokens, and launches of a layer."""

from dataclasses import replace
from importlib import import_module

import pytest
import torch
from torch.utils._python_dispatch import _disable_current_modes
from transformers import LlamaConfig, LlamaForCausalLM

import tinyllm
from tinyllm.measure.cost_model import layer_cost
from tinyllm.measure.counters import OperationLog
from tinyllm.ops import fused
from tinyllm.ops.cost import Workload

PUBLISHED_LAUNCHES = 9  # of a Llama decode layer, attention and cache included


class Counted:
    """A set of kernels that counts its calls, each of them one launch, and hides what they do from other counters."""

    def __init__(self, name):
        self.module, self.calls = import_module(f"tinyllm.kernels.{name}"), 0

    def __getattr__(self, function):
        def call(*args, **kwargs):
            self.calls += 1
            with _disable_current_modes():
                return getattr(self.module, function)(*args, **kwargs)

        return call


@pytest.fixture(scope="module")
def hf():
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=61,
        hidden_size=48,
        intermediate_size=80,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        initializer_range=0.4,
        attention_bias=True,
        eos_token_id=None,
        pad_token_id=0,
    )
    return LlamaForCausalLM(config).eval().requires_grad_(False)


@pytest.fixture(params=["triton", "sycl"])
def counted(request):
    return Counted(request.param)


@pytest.fixture
def model(hf, counted):
    return tinyllm.optimize(hf, stage=replace(tinyllm.STAGES["fused"], ops=fused(lambda x: counted)))


def test_tokens_are_those_of_transformers(hf, model):
    ids = torch.arange(1, 13).view(2, 6)  # 12 rows in prefill: our product
    mask = torch.ones_like(ids)
    mask[0, :2] = 0
    expected = hf.generate(ids, attention_mask=mask, max_new_tokens=5, do_sample=False)
    assert torch.equal(model.generate(ids, mask, max_new_tokens=5, do_sample=False), expected)


def test_many_rows_take_the_vendors_product(hf, model):
    ids = torch.arange(1, 21)[None]  # 20 rows: above the limit of our product
    torch.testing.assert_close(model(ids), hf(ids).logits, rtol=1e-4, atol=1e-4)


def test_launches_of_a_decode_layer(model, counted):
    cache = model.new_cache(1)
    model.step(torch.ones(1, 3, dtype=torch.int64), None, cache)
    rotary = model.stage.ops.rotary_tables(torch.tensor([[3]]), model.frequencies, torch.float32)
    x = torch.randn(1, 1, 48)
    counted.calls = 0
    with torch.inference_mode(), OperationLog() as log:
        model.layers[0](x, rotary, None, cache.layers[0])
    others = [operation.name for operation in log.operations]
    assert others == ["aten::copy_"] * 2 + ["aten::_scaled_dot_product_flash_attention_for_cpu"]
    launches = counted.calls + len(others)
    assert launches == layer_cost(model.stage, model.config, Workload(1, 1, 3, 4, kernels="ours")).launches
    assert launches <= PUBLISHED_LAUNCHES
