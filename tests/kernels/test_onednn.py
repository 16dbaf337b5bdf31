"""Packed weights as oneDNN reads them: the same values to the last bit, and the call by torch's own signature.

No test calls the operation itself: it is there on Intel GPUs alone. A function of its signature takes its place.
"""

from dataclasses import replace

import pytest
import torch

import models
import tinyllm
from packed_models import GROUPED, PACKED, draw_blocks, packed_model
from tinyllm.kernels import onednn
from tinyllm.kernels.onednn import ONEDNN, Int4Rows, int4_rows, unsupported_reason
from tinyllm.kernels.weights import PackedWeight

OPERATION = torch.ops.aten._weight_int4pack_mm_with_scales_and_zeros


def fitting(name, dtype, n=6, k=256):
    """Random blocks whose scales are numbers of `dtype`, and whose zero points are integers."""
    rows = draw_blocks(n, k, name)
    numbers = rows.format.scale_dtype
    scale = rows.fields["scale"].view(numbers)
    scale.copy_(scale.to(dtype))
    if "zero" in rows.fields:
        zero = rows.fields["zero"].view(numbers)
        zero.copy_(torch.randint(0, 16, zero.shape).to(numbers))
    return rows


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("name", onednn.INT4_FORMATS)
@pytest.mark.parametrize("planar", [False, True])
def test_every_weight_is_the_same(name, dtype, planar):
    rows = fitting(name, dtype)
    found = int4_rows(rows.arranged(planar), dtype)
    assert found.unpack().equal(rows.unpack())
    assert found.words.shape == (6, 256 // 8) and found.words.is_contiguous()
    assert found.scales.shape == found.zeros.shape == (256 // rows.format.elements, 6)
    assert (found.scales.dtype, found.zeros.dtype) == (dtype, torch.int8)


def test_codes_lie_in_the_order_of_columns():
    """Code j of a word in its bits 4*j to 4*j + 3."""
    rows = draw_blocks(1, 32, "Q4_0")
    rows.fields["scale"].view(torch.float16).fill_(1)
    codes = torch.arange(32) % 16
    rows.fields["codes"][0, 0] = (codes[:16] | codes[16:] << 4).to(torch.uint8)
    words = int4_rows(rows, torch.float16).words
    assert [f"{word & 0xFFFFFFFF:08x}" for word in words[0].tolist()] == [
        "76543210",
        "fedcba98",
    ] * 2


def test_what_does_not_fit_says_why():
    for name in {*PACKED, *GROUPED} - set(onednn.INT4_FORMATS):
        with pytest.raises(ValueError, match=f"{name} has no scale and integer zero point"):
            int4_rows(draw_blocks(2, 256, name), torch.float16)
    with pytest.raises(ValueError, match=r"x is torch\.float32: expected one of"):
        int4_rows(fitting("Q4_0", torch.float16), torch.float32)
    rows = fitting("Q4_0", torch.bfloat16)
    rows.fields["scale"].view(torch.float16)[0, 0] = 1 + 2**-10
    assert unsupported_reason(rows, torch.float16) is None
    assert "scales that torch.bfloat16 rounds" in unsupported_reason(rows, torch.bfloat16)
    rows = fitting("INT4_64", torch.float16)
    for zero in (7.5, 300.0):
        rows.fields["zero"].view(torch.float32)[1, 0] = zero
        assert "no integers of 8 bits" in unsupported_reason(rows, torch.float16)


def test_the_signature_of_torchs_operation():
    given = [(x.name, str(x.type)) for x in OPERATION.default._schema.arguments]
    assert given == [
        ("self", "Tensor"),
        ("mat2", "Tensor"),
        ("qGroupSize", "int"),
        ("qScale", "Tensor"),
        ("qZeros", "Tensor"),
    ]


@pytest.fixture
def calls(monkeypatch):
    """The group sizes of the calls; a CPU stands for an XPU, and torch's operations for oneDNN's."""
    seen = []

    def multiply(x, weight):
        arguments = (x, weight.words, weight.group, weight.scales, weight.zeros)
        for value, one in zip(arguments, OPERATION.default._schema.arguments, strict=True):
            assert isinstance(value, int) == (str(one.type) == "int")
        seen.append(weight.group)
        return (x.float() @ Int4Rows(*weight).unpack().t()).to(x.dtype)

    monkeypatch.setattr(onednn, "int4_matmul", multiply)
    monkeypatch.setattr(onednn, "CHOICE", {"cpu": onednn.CHOICE["xpu"]})
    return seen


@pytest.mark.parametrize("num_rows", [1, 33])
def test_parts_that_fit_are_one_call_and_others_are_unpacked(calls, num_rows):
    parts = [fitting("Q4_0", torch.float16), draw_blocks(4, 256, "Q4_1")]
    parts.append(fitting("INT4_128", torch.float16))
    weight = PackedWeight(tuple(parts), torch.float16)
    x = torch.randn(num_rows, 256).half()
    expected = x.float() @ weight.unpack().t()
    for _ in range(2):
        found = ONEDNN.linear(x, weight)
        torch.testing.assert_close(found.float(), expected, rtol=1e-2, atol=1e-2)
    assert calls == [32, 128] * 2


def test_a_model_in_float32_is_unpacked_and_gives_the_tokens_of_transformers(calls):
    hf = models.tiny(hidden_size=64, intermediate_size=64, num_attention_heads=2)
    stage = replace(tinyllm.STAGES["sdpa"], kernels="onednn")
    model = packed_model(hf, stage, ["Q4_0", "INT4_32"])
    ids = torch.arange(1, 9)[None]
    options = {"max_new_tokens": 4, "do_sample": False}
    assert model.generate(ids, **options).equal(hf.generate(ids, **options))
    assert calls == []
