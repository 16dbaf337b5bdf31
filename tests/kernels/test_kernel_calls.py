"""What a layer launches on kernels of ours, seen without a GPU."""

from dataclasses import replace

import torch

import tinyllm
from tinyllm.cost.model import layer_cost
from tinyllm.cost.workload import Workload
from tinyllm.draw.launches import draw_launches
from tinyllm.kernels import TORCH
from tinyllm.lab.counters import OperationLog
from tinyllm.lab.kernel_calls import KernelCalls, layer_operations
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
