"""What the Triton kernels cannot take: each argument that does not fit is refused before a launch."""

import pytest
import torch

pytest.importorskip("triton")

from tinyllm.check.references import HeadNorms
from tinyllm.kernels import triton as kernels
from tinyllm.kernels.weights import DenseWeight


def ones(*shape):
    return torch.ones(shape)


def whole(*shape):
    return torch.zeros(shape, dtype=torch.int32)


def sparse(*shape):
    """Ones whose last axis is not dense."""
    return ones(*shape, 2)[..., 0]


def refusing(kernel, good):
    """A check that `kernel` takes `good`, and refuses it with a change, naming what is `match`ed."""
    kernel(**good)

    def refused(match, **changed):
        with pytest.raises(ValueError, match=match):
            kernel(**good | changed)

    return refused


def test_matrix_products(interpreted):
    x, weight = ones(2, 8), DenseWeight(ones(4, 8))
    refused = refusing(kernels.linear, {"x": x, "weight": weight})
    refused("17 rows", x=ones(17, 8))
    refused("expected dense", weight=DenseWeight(ones(8, 4).T))
    refused(r"weight is \[4, 9\]", weight=DenseWeight(ones(4, 9)))
    refused("gated", gated=True)
    refused("gated", gated=True, activation="silu", weight=DenseWeight(ones(3, 8)))
    refused("residuals are", residuals=(x,))
    refused("residuals are", residuals=(ones(2, 4),) * 3)
    refused(r"bias is \[7\].*: expected dense \[4\]", bias=ones(7))
    refused(r"bias is \[4\], strides \(2,\): expected dense", bias=sparse(4))


def test_norms_and_activations(interpreted):
    x = ones(2, 4)
    refused = refusing(kernels.norm_and_add, {"x": x, "residual": x, "weight": x[0], "eps": 1e-5})
    refused("residual", residual=x[:1])
    refused(r"weight is \[3\].*: expected dense \[4\]", weight=ones(3))
    refused = refusing(kernels.activate_and_multiply, {"gate_up": x, "activation": "silu"})
    refused("'tanh'", activation="tanh")
    refused("3 columns", gate_up=ones(2, 3))
    refused = refusing(kernels.bias_and_activate, {"x": x, "bias": ones(4), "activation": "silu"})
    refused(r"bias is \[3\].*: expected dense \[4\]", bias=ones(3))


def rotation():
    """Three tokens of two requests, two heads of 8."""
    names = ("q", "k", "v", "k_slot", "v_slot")
    heads = {name: ones(2, 2, 3, 8) for name in names}
    return heads | {"cos": ones(1, 3, 4), "sin": ones(1, 3, 4), "interleaved": False}


def test_rotations(interpreted):
    refused = refusing(kernels.rope_and_store, rotation())
    refused("v_slot has shape", v_slot=ones(2, 1, 3, 8))
    refused("k_slot has shape", k_slot=ones(2, 2, 4, 8), v_slot=ones(2, 2, 4, 8))
    refused("sin has shape", sin=ones(1, 3, 3))
    refused("v has strides", v=ones(2, 2, 8, 3).mT)
    refused("norms are", norms=HeadNorms(ones(8), ones(4), 1e-5))
    refused("norms are", norms=HeadNorms(ones(8), sparse(8), 1e-5))
    refused("must be dense", q=sparse(2, 2, 3, 8))
    refused("belong together", q=ones(3, 2, 3, 8))
    for shape in ((3, 3, 4), (1, 4, 4), (1, 3, 5)):
        refused("belong together", cos=ones(*shape), sin=ones(*shape))
    refused("start is .*expected int32", start=torch.tensor(0))


def test_the_joint_kernel_of_qkv(interpreted):
    slots = {"k_slot": ones(2, 2, 3, 8), "v_slot": ones(2, 2, 3, 8)}
    angles = {"cos": ones(1, 3, 4), "sin": ones(1, 3, 4)}
    good = {"x": ones(2, 3, 5), "weight": DenseWeight(ones(48, 5)), "bias": None, "norm": None}
    refused = refusing(kernels.qkv_rope_and_store, good | angles | slots | {"interleaved": False})
    refused("at most 16 tokens", x=ones(6, 3, 5))
    refused(r"expected dense \[n, 5\]", weight=DenseWeight(ones(48, 6)))
    refused(r"expected dense \[n, 5\]", weight=DenseWeight(ones(5, 48).T))
    refused("heads of 8", weight=DenseWeight(ones(49, 5)))
    refused("heads of 8", weight=DenseWeight(ones(32, 5)))
    odd = ones(2, 2, 3, 7)
    refused("heads of 7", weight=DenseWeight(ones(42, 5)), k_slot=odd, v_slot=odd)
    refused("two alike for 2", v_slot=ones(2, 1, 3, 8))
    refused("two alike for 2", k_slot=sparse(2, 2, 3, 8), v_slot=sparse(2, 2, 3, 8))
    refused("two alike for 2", k_slot=ones(3, 2, 3, 8), v_slot=ones(3, 2, 3, 8))
    for shape in ((3, 3, 4), (1, 4, 4), (1, 3, 5)):
        refused("cos is", cos=ones(*shape), sin=ones(*shape))


def segments():
    """Two requests of two sequences, four heads on two; a prompt of 5 tokens and 3 steps."""
    return {
        "q": ones(2, 4, 2, 16),
        "prompt_k": ones(2, 2, 5, 16),
        "prompt_v": ones(2, 2, 5, 16),
        "response_k": ones(2, 2, 6, 16),
        "response_v": ones(2, 2, 6, 16),
        "lengths": torch.tensor([5, 3], dtype=torch.int32),
        "beam_index": whole(2, 2, 3),
    }


def test_segments(interpreted):
    good = segments()
    refused = refusing(kernels.segment_attention, good)
    refused("prompt_k is .*float16", prompt_k=good["prompt_k"].half())
    refused("prompt_v is", prompt_v=good["prompt_k"][:, :, :4])
    refused("response_v is .*strides", response_v=ones(2, 6, 2, 16).transpose(1, 2))
    refused("response_k is", response_k=ones(3, 2, 6, 16), response_v=ones(3, 2, 6, 16))
    refused(r"g \| 3", q=ones(2, 3, 2, 16))
    refused("must be dense", q=sparse(2, 4, 2, 16))
    refused("must be dense", prompt_k=sparse(2, 2, 5, 16), prompt_v=sparse(2, 2, 5, 16))
    refused("beam_index is", beam_index=whole(2, 2, 3).long())
    refused("beam_index is", beam_index=whole(2, 3, 3))
    refused("prompt_positions is", prompt_positions=ones(2, 5))
    refused("prompt_positions is", prompt_positions=whole(3, 5))
    refused("lengths is .*expected int32", lengths=good["lengths"].long())
    refused("slopes is", slopes=ones(3))
    refused("window of 0", window=0)


def test_prompts(interpreted):
    good = {"q": ones(2, 4, 3, 16), "k": ones(2, 2, 5, 16), "v": ones(2, 2, 5, 16)}
    refused = refusing(kernels.prefill_attention, good)
    refused("belong together", v=ones(2, 1, 5, 16))
    refused("belong together", v=ones(2, 5, 2, 16).transpose(1, 2))
    refused("belong together", k=ones(3, 2, 5, 16), v=ones(3, 2, 5, 16))
    refused("belong together", q=ones(2, 3, 3, 16))
    refused("belong together", q=ones(2, 4, 6, 16))
    refused("must be dense", q=sparse(2, 4, 3, 16))
    refused("must be dense", k=sparse(2, 2, 5, 16), v=sparse(2, 2, 5, 16))
    refused("positions are", positions=whole(2, 4))
    refused("positions are", positions=whole(2, 5, 2)[..., 0])
    refused("slopes is", slopes=ones(3))
    refused("window of 0", window=0)
