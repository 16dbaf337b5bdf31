"""Every kernel touches what it must, once, and nothing else: the prediction held against what the interpreter saw."""

from dataclasses import replace
from functools import partial

import pytest
import torch

pytest.importorskip("triton")

from tinyllm.check.references import NormWeights
from tinyllm.config import LayerKind, Rope
from tinyllm.cost.attention import kernel_attention_cost
from tinyllm.cost.matmul import fused_matmul_cost
from tinyllm.cost.ops import fused_norm_qkv_rope_cost
from tinyllm.cost.workload import Workload
from tinyllm.kernels import triton as kernels
from tinyllm.kernels.kernel_set import BeamMask
from tinyllm.kernels.triton import tuning
from tinyllm.kernels.weights import DenseWeight
from tinyllm.lab.kernels import moved_bytes
from tinyllm.lab.shapes import known_config
from tinyllm.lab.trace import record_trace

ROWS, K, N = 3, 20, 12
X, RESIDUAL, WEIGHT, BIAS = (
    torch.randn(ROWS, K),
    torch.randn(ROWS, K),
    torch.randn(K),
    torch.randn(K),
)
CALLS = {
    "rms_norm": ({"x": X, "weight": WEIGHT, "eps": 1e-5}, ("out",)),
    "norm_and_add": ({"x": X, "residual": RESIDUAL, "weight": WEIGHT, "eps": 1e-5}, ("out",)),
    "layer_norm": ({"x": X, "weight": WEIGHT, "bias": BIAS, "eps": 1e-5}, ("out",)),
    "activate_and_multiply": ({"gate_up": X, "activation": "silu"}, ("out",)),
    "bias_and_activate": ({"x": X, "bias": BIAS, "activation": "gelu"}, ("out",)),
}


@pytest.mark.parametrize("name", CALLS)
def test_each_byte_is_moved_once(name, interpreted):
    arguments, results = CALLS[name]
    trace = record_trace(name, getattr(kernels, name), arguments, results)
    assert trace.bytes == moved_bytes(arguments, getattr(kernels, name)(**arguments))
    for result in results:
        stored = trace.touched("store", result)
        assert stored == sorted(set(stored)) and trace.touched("load", result) == []


def fused(norm: bool, gated: bool, residual: bool):
    """A linear layer with its prologue and epilogue, every tensor an argument of its own."""

    def run(x, weight, bias, norm_weight=None, residual=None):
        weights = NormWeights(norm_weight, None, 1e-5) if norm else None
        added = () if residual is None else (residual,)
        return kernels.linear(
            x, DenseWeight(weight), bias, weights, "silu" if gated else None, gated, added
        )

    return run


@pytest.mark.parametrize("rows", [1, 4])
@pytest.mark.parametrize(
    ("norm", "gated", "residual"), [(1, 0, 0), (1, 1, 0), (0, 0, 1), (0, 0, 0)]
)
def test_linear_reads_its_weight_once_and_costs_what_is_predicted(
    rows, norm, gated, residual, interpreted
):
    tensors = {"x": torch.randn(rows, K), "weight": torch.randn(N, K), "bias": torch.randn(N)}
    tensors |= {"norm_weight": torch.randn(K)} if norm else {}
    tensors |= {"residual": torch.randn(rows, N)} if residual else {}
    trace = record_trace("linear", fused(norm, gated, residual), tensors)
    assert trace.touched("load", "weight") == list(range(N * K))
    assert trace.touched("store", "out") == list(range(rows * (N // 2 if gated else N)))
    # The kernel itself takes a norm as prologue of any number of rows; "triton" launches it before several.
    work = Workload(batch=rows, tokens=1, held=0, size=4, kernels="sycl" if norm else "triton")
    rides = {
        "normed": bool(norm),
        "activated": bool(gated),
        "gated": bool(gated),
        "residual": bool(residual),
    }
    config = known_config("smollm2-135m")
    cost = fused_matmul_cost(config, work, "o_proj", rows, K, N, bias=True, **rides)
    assert trace.bytes == cost.bytes


@pytest.mark.parametrize("rows", [1, 4])
@pytest.mark.parametrize("interleaved", [False, True])
def test_fused_queries_read_their_weight_once_and_cost_what_is_predicted(
    rows, interleaved, interpreted
):
    heads = {"num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 6}
    kinds = (LayerKind(Rope(1e4, 6, interleaved=interleaved)),)
    config = replace(
        known_config("smollm2-135m"), hidden_size=K, qkv_bias=True, kinds=kinds, **heads
    )
    outputs, slots = (2 + 2 * 1) * 6, (rows, 1, 1, 6)
    tensors = {
        "x": torch.randn(rows, 1, K),
        "weight": torch.randn(outputs, K),
        "bias": torch.randn(outputs),
    }
    tensors |= {
        "norm_weight": torch.randn(K),
        "cos": torch.randn(1, 1, 3),
        "sin": torch.randn(1, 1, 3),
    }

    def run(x, weight, bias, norm_weight, cos, sin):
        norm = NormWeights(norm_weight, None, 1e-5)
        place = (cos, sin, torch.zeros(slots), torch.zeros(slots), interleaved)
        return kernels.qkv_rope_and_store(x, DenseWeight(weight), bias, norm, *place)

    trace = record_trace("qkv_rope_and_store", run, tensors, ("q", "k_slot", "v_slot"))
    assert trace.touched("load", "weight") == list(range(outputs * K))
    for name in ("q", "k_slot", "v_slot"):
        assert trace.touched("store", name) == list(
            range(trace.shapes[name][0] * trace.shapes[name][1] * 6)
        )
    if rows == 1:  # "triton" launches the norm before several
        work = Workload(batch=rows, tokens=1, held=0, size=4, kernels="triton")
        assert trace.bytes == fused_norm_qkv_rope_cost(config, work).bytes


@pytest.mark.filterwarnings("ignore:tl.make_block_ptr is deprecated")
@pytest.mark.parametrize("device", ["cuda", "xpu"])
def test_attention_reads_dead_slots_only_as_blocks(device, interpreted, monkeypatch):
    heads, kv_heads, w, d, tokens, steps = 4, 2, 4, 16, 5, 3
    launches = tuning.LAUNCHES["interpreter"]
    row = replace(launches["attention"], block_loads=device == "xpu")
    monkeypatch.setitem(launches, "attention", row)
    beam_index = torch.zeros(1, w, steps, dtype=torch.int32)  # of each step, all reach slot 0 alone
    lengths = torch.tensor([tokens, steps], dtype=torch.int32)
    prompt, response = (1, kv_heads, tokens, d), (1, kv_heads, steps * w, d)
    tensors = {
        "q": torch.randn(1, w, heads, d).transpose(1, 2),  # as the projection leaves them
        "prompt_k": torch.randn(prompt),
        "prompt_v": torch.randn(prompt),
        "response_k": torch.randn(response),
        "response_v": torch.randn(response),
        "lengths": lengths,
    }
    tensors |= kernels.make_beam_mask(beam_index, lengths)._asdict()

    def run(mask, live_slots, num_dead, **arguments):
        beam_mask = BeamMask(mask, live_slots, num_dead)
        return kernels.segment_attention(**arguments, beam_mask=beam_mask)

    trace = record_trace("segment_attention", run, tensors, ("out",))
    names = ("prompt_k", "prompt_v", "response_k", "response_v")
    read = sum(4 * len(set(trace.touched("load", name))) for name in names)

    config = replace(
        known_config("smollm2-135m"),
        num_attention_heads=heads, num_key_value_heads=kv_heads, head_dim=d,
    )  # fmt: skip
    work = Workload(
        batch=1, tokens=1, held=tokens + steps - 1, size=4, kernels="triton", copies=w,
        steps=steps - 1, device=device, dead_slots=steps * (w - 1),
    )  # fmt: skip
    assert read == kernel_attention_cost(config, work).kv_read


@pytest.mark.parametrize(("w", "group", "block_m"), [(4, 2, 64), (70, 1, 64), (24, 4, 16)], ids=str)
def test_attention_of_independent_sequences_reads_every_slot_once(w, group, block_m, interpreted):
    tokens, steps, d = 5, 3, 16
    prompt, response = (1, 1, tokens, d), (1, 1, steps * w, d)
    tensors = {
        "q": torch.randn(1, w, group, d).transpose(1, 2),
        "prompt_k": torch.randn(prompt),
        "prompt_v": torch.randn(prompt),
        "response_k": torch.randn(response),
        "response_v": torch.randn(response),
        "lengths": torch.tensor([tokens, steps], dtype=torch.int32),
    }
    row = tuning.launch_for("attention", "cpu")
    row = replace(row, blocks={**row.blocks, "block_m": block_m, "max_splits": 1})
    run = partial(kernels.segment_attention, launch=row)
    trace = record_trace("segment_attention", run, tensors, ("out",))
    for name in ("response_k", "response_v"):
        assert trace.touched("load", name) == list(range(steps * w * d))
