"""Stages on each set of device kernels, end to end, without a GPU: tokens, and launches of a layer."""

from dataclasses import replace

import pytest
import torch
from small_llama import small_llama

import tinyllm
from tinyllm.cost.model import layer_cost
from tinyllm.cost.workload import Workload
from tinyllm.kernels import by_name
from tinyllm.lab.counters import OperationLog
from tinyllm.lab.kernel_calls import KernelCalls, layer_operations

OTHERS = ["aten::copy_", "aten::copy_", "aten::_scaled_dot_product_flash_attention_for_cpu"]
PUBLISHED_LAUNCHES = 9  # of a Llama decode layer, attention and cache included


@pytest.fixture(scope="module")
def hf():
    return small_llama()


@pytest.fixture
def log():
    return OperationLog()


@pytest.fixture(params=["triton", "sycl"])
def kind(request):
    return request.param


@pytest.fixture
def kernels(kind, log):
    pytest.importorskip(f"tinyllm.kernels.{kind}")
    return KernelCalls(by_name(kind), log)


@pytest.fixture
def model(hf, kernels):
    return tinyllm.optimize(hf, stage=replace(tinyllm.STAGES["fused"], kernels=kernels))


@pytest.fixture
def sdpa(hf, kernels):
    return tinyllm.optimize(hf, stage=replace(tinyllm.STAGES["sdpa"], kernels=kernels))


def test_tokens_are_those_of_transformers(hf, model):
    ids = torch.arange(1, 13).view(2, 6)  # 12 rows in prefill: our product
    mask = torch.ones_like(ids)
    mask[0, :2] = 0
    expected = hf.generate(ids, attention_mask=mask, max_new_tokens=5, do_sample=False)
    assert torch.equal(model.generate(ids, mask, max_new_tokens=5, do_sample=False), expected)


def test_many_rows_take_the_vendors_product(hf, model):
    ids = torch.arange(1, 21)[None]  # 20 rows: above the limit of our product
    torch.testing.assert_close(model(ids), hf(ids).logits, rtol=1e-4, atol=1e-4)


def test_launches_of_a_decode_layer(model, log, kind):
    cache = model.new_cache(1)
    model.step(torch.ones(1, 3, dtype=torch.int64), None, cache)
    log.operations.clear()
    names = layer_operations(model, cache, log)
    assert [name for name in names if "ours" not in name] == OTHERS
    work = Workload(1, 1, 3, 4, kernels=kind)
    assert len(names) == layer_cost(model.stage, model.config, work).launches
    assert len(names) <= PUBLISHED_LAUNCHES


@pytest.mark.parametrize("how", [{}, {"num_beams": 3}], ids=str)
def test_tokens_with_the_kernel_over_both_segments(hf, sdpa, how):
    ids = torch.arange(1, 13).view(2, 6)
    mask = torch.ones_like(ids)
    mask[0, :2] = 0
    options = {"max_new_tokens": 4, "do_sample": False} | how
    assert torch.equal(
        sdpa.generate(ids, mask, **options), hf.generate(ids, attention_mask=mask, **options)
    )


@pytest.mark.parametrize(
    "how", [{"num_beams": 66}, {"do_sample": True, "num_return_sequences": 66}], ids=str
)
def test_tokens_of_more_sequences_than_a_word_of_the_beam_mask_has(hf, sdpa, how):
    ids = torch.arange(1, 7)[None]
    answers = []
    for model in (hf, sdpa):
        torch.manual_seed(3)
        answers.append(model.generate(ids, max_new_tokens=3, **how))
    assert answers[1].equal(answers[0])


def test_attention_of_one_set_on_the_beam_mask_of_another(hf):
    """Triton's keeps a list of live slots and a workspace; the native one for Intel reads the beam index itself."""
    triton, sycl = (pytest.importorskip(f"tinyllm.kernels.{name}") for name in ("triton", "sycl"))

    class Mixed(triton.TritonKernels):
        name = "mixed"
        segment_attention = staticmethod(sycl.segment_attention)

    sdpa = tinyllm.optimize(hf, stage=replace(tinyllm.STAGES["sdpa"], kernels=Mixed()))
    ids = torch.arange(1, 13).view(2, 6)
    mask = torch.ones_like(ids)
    mask[0, :2] = 0
    options = {"max_new_tokens": 5, "do_sample": False, "num_beams": 3}
    assert torch.equal(
        sdpa.generate(ids, mask, **options), hf.generate(ids, attention_mask=mask, **options)
    )


@pytest.mark.parametrize(
    ("beams", "launches"), [(1, {"triton": 5, "sycl": 6}), (3, {"triton": 7, "sycl": 6})]
)
def test_launches_of_a_decode_layer_over_both_segments(sdpa, log, kind, beams, launches):
    cache = sdpa.new_cache(1, beams, 3)
    sdpa.step(torch.ones(1, 3, dtype=torch.int64), None, cache)
    log.operations.clear()
    names = layer_operations(sdpa, cache, log)
    assert all("ours" in name for name in names) and len(names) == launches[kind]
    work = Workload(1, 1, 3, 4, kernels=kind, copies=beams)
    assert len(names) == layer_cost(sdpa.stage, sdpa.config, work).launches
