"""What a layer launches on kernels of ours, seen without a GPU."""

from dataclasses import replace

import pytest
import torch

import tinyllm
from tinyllm.cost.model import layer_cost
from tinyllm.cost.workload import Workload
from tinyllm.draw.launches import WRAP, draw_launches
from tinyllm.kernels import TORCH
from tinyllm.lab.counters import OperationLog
from tinyllm.lab.kernel_calls import KernelCalls, device_launches, layer_operations
from tinyllm.model import restage


def test_calls_of_our_kernels_stand_among_torchs_operations(smollm):
    log = OperationLog()
    model = restage(smollm, replace(tinyllm.STAGES["fused"], kernels=KernelCalls(TORCH, log)))
    cache = model.new_cache(1)
    model.step(torch.ones(1, 3, dtype=torch.int64), None, cache)
    log.operations.clear()
    names = [name.split(".")[0] for name in layer_operations(model, cache, log)]
    attention = "aten::_scaled_dot_product_flash_attention_for_cpu"
    cache_and_rope = ["aten::copy_", "aten::copy_", "ours::rope_and_store"]
    assert names == ["ours::linear", *cache_and_rope, attention, *["ours::linear"] * 3]
    work = Workload(
        batch=1, tokens=1, held=3, size=4, kernels="sycl"
    )  # a set that has no launch for all of it
    assert len(names) == layer_cost(model.stage, model.config, work).launches
    (axis,) = draw_launches({"fused": names}).axes
    assert [text.get_text() for text in axis.texts][:4] == [
        "linear",
        "copy_",
        "copy_",
        "rope_and_store",
    ]


@pytest.mark.parametrize("name", ["naive", "fused"])
def test_launches_of_a_device_are_those_predicted(smollm, name):
    stage = tinyllm.STAGES[name]
    names = device_launches(smollm, stage, held=5)
    work = Workload(batch=1, tokens=1, held=5, size=4, kernels="triton")
    assert len(names) == layer_cost(stage, smollm.config, work).launches
    assert ("ours::qkv_rope_and_store" in names) == (name == "fused")


def test_a_stage_with_many_launches_continues_on_the_next_line():
    names = [f"aten::add{i}" for i in range(WRAP + 2)]
    (axis,) = draw_launches({"a": names, "b": names[:3]}).axes
    lines = [text.get_position()[1] for text in axis.texts]
    assert [lines.count(y + 0.45) for y in range(3)] == [WRAP, 2, 3]
    assert [label.get_text() for label in axis.get_yticklabels()] == [f"a: {WRAP + 2}", "b: 3"]
