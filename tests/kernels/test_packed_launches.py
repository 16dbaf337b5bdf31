"""Predicted equals counted where packed weights are read by our kernels: a launch for each part of a matrix."""

from dataclasses import replace

import pytest
import torch

import models
import tinyllm
from packed_models import packed_model
from tinyllm.cost.model import layer_cost
from tinyllm.cost.packed import packed_sizes
from tinyllm.cost.workload import Workload
from tinyllm.kernels.sycl import unavailable
from tinyllm.lab.counters import Operation, OperationLog
from tinyllm.lab.kernel_calls import layer_operations

SIZES = {
    "hidden_size": 128,
    "intermediate_size": 128,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "num_hidden_layers": 1,
}
FORMATS = {
    "one format": ["Q4_1"],
    "two formats": ["Q4_0", "Q8_0"],
    "numbers beside blocks": ["F32", "Q4_0"],
    "a format without a launch": ["Q4_0", "INT4_32"],
}
LENGTHS_READ = "aten::_local_scalar_dense"  # by the check of SYCL's attention, on a CPU alone
# A GEMV of one row with an RMSNorm in its prologue; more rows than a LayerNorm's prologue takes in SYCL.
MODELS = {
    "llama": (1, {"attention_bias": True, "mlp_bias": True}),
    "bloom": (9, {"kind": "bloom"}),
}


@pytest.fixture(params=["triton", "sycl"])
def kind(request):
    return request.param


@pytest.fixture
def log(kind, interpreted, monkeypatch):
    """Logs launches of our kernels as one operation each, beside those of torch; none is compiled or run."""
    log = OperationLog()

    def launch(*arguments, **named):
        log.operations.append(Operation("launch", [], []))

    if kind == "triton":
        interpreter = pytest.importorskip("triton.runtime.interpreter")
        monkeypatch.setattr(interpreter.InterpretedFunction, "run", launch)
    else:
        if reason := unavailable("cpu"):
            pytest.skip(reason)
        from tinyllm.kernels.sycl.runtime import Runtime

        monkeypatch.setattr(Runtime, "kernel", lambda *_, **macros: launch)
    return log


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("formats", FORMATS)
def test_launches_of_a_decode_layer(kind, log, formats, name):
    batch, traits = MODELS[name]
    stage = replace(tinyllm.STAGES["sdpa"], kernels=kind)
    model = packed_model(models.tiny(**SIZES | traits), stage, FORMATS[formats])
    cache = model.new_cache(batch, 1, 2)
    model.step(torch.ones(batch, 1, dtype=torch.int64), None, cache)
    names = [name for name in layer_operations(model, cache, log) if name != LENGTHS_READ]
    work = Workload(batch, 1, 1, 4, kernels=kind, packed=packed_sizes(model))
    assert len(names) == layer_cost(model.stage, model.config, work).launches, names
