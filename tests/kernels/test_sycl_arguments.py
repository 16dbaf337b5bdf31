"""What the SYCL kernels cannot take: each argument that does not fit is named before a launch."""

import pytest
import torch
from sycl_kernels import DEVICE, INT8_CASES, draw

import tinyllm.kernels.sycl as sycl
from tinyllm.check import references
from tinyllm.check.cases import Draw
from tinyllm.kernels.weights import DenseWeight


def whole(*shape):
    return torch.zeros(shape, dtype=torch.int32, device=DEVICE)


def segments():
    """Arguments of attention: four heads on two, three sequences, memory for 64 tokens and steps."""
    lengths = torch.tensor([40, 20], dtype=torch.int32, device=DEVICE)
    return {
        "q": draw(1, 4, 3, 64),
        "prompt_k": draw(1, 2, 64, 64),
        "prompt_v": draw(1, 2, 64, 64),
        "response_k": draw(1, 2, 192, 64),
        "response_v": draw(1, 2, 192, 64),
        "lengths": lengths,
        "beam_index": whole(1, 3, 64),
    }


def test_what_a_kernel_cannot_take_is_named():
    x, weight = draw(2, 64), DenseWeight(draw(8, 64))
    norm = references.NormWeights(draw(64), None, 1e-5)
    with pytest.raises(ValueError, match="1 to 16"):
        sycl.linear(draw(17, 64), weight)
    with pytest.raises(ValueError, match=r"weight has shape \[8, 64\], expected \[8, 32\]"):
        sycl.linear(draw(2, 32), weight)
    with pytest.raises(ValueError, match=r"weight is torch.float16.*expected torch.float32"):
        sycl.linear(x, DenseWeight(weight.data.half()), norm=norm)
    with pytest.raises(ValueError, match="activation 'swish'"):
        sycl.activate_and_multiply(x, "swish")
    with pytest.raises(ValueError, match="last axis"):
        sycl.rms_norm(draw(64, 2).T, draw(64), 1e-5)
    with pytest.raises(TypeError, match=r"torch\.float64"):
        sycl.rms_norm(x.double(), draw(64).double(), 1e-5)
    with pytest.raises(ValueError, match=r"weight is torch.float32 on meta, expected"):
        sycl.rms_norm(x, draw(64).to("meta"), 1e-5)
    with pytest.raises(ValueError, match=r"weight has strides.*the last axis"):
        sycl.rms_norm(x, draw(128)[::2], 1e-5)
    with pytest.raises(ValueError, match="2 rows and 3 residuals: expected 1 to 16, and at most 2"):
        sycl.linear(x, weight, residuals=(draw(2, 8),) * 3)
    with pytest.raises(ValueError, match="gated with activation None and 8 rows"):
        sycl.linear(x, weight, gated=True)
    with pytest.raises(ValueError, match="gated with activation 'silu' and 7 rows"):
        sycl.linear(x, DenseWeight(draw(7, 64)), activation="silu", gated=True)
    with pytest.raises(ValueError, match=r"bias has shape \[63\], expected \[64\]"):
        sycl.layer_norm(x, draw(64), draw(63), 1e-5)
    with pytest.raises(ValueError, match=r"residual has shape \[2, 63\], expected \[2, 64\]"):
        sycl.norm_and_add(x, draw(2, 63), draw(64), 1e-5)


def test_what_the_rotation_cannot_take_is_named():
    heads, angles = draw(1, 1, 2, 64), draw(1, 2, 32)

    def refused(match, cos=angles, sin=angles, heads=heads, **others):
        with pytest.raises(ValueError, match=match):
            sycl.rope_and_store(heads, heads, heads, cos, sin, heads, heads, False, **others)

    refused("cos is torch.float16", cos=angles.half())
    refused("sin is torch.float32 on meta", sin=angles.to("meta"))
    refused(r"cos has shape \[1, 3, 32\], expected \[1 or 1, 2,", cos=draw(1, 3, 32))
    refused(r"cos has shape \[1, 2, 33\].*at most 64 / 2", cos=draw(1, 2, 33), sin=draw(1, 2, 33))
    refused("at most 63 / 2", heads=draw(1, 1, 2, 63), cos=draw(1, 2, 31), sin=draw(1, 2, 31))
    refused(r"sin has shape \[1, 2, 31\]", sin=angles[..., :31])
    refused("sin has shape.*expected those of cos", sin=draw(1, 2, 64)[..., :32])
    sparse = draw(1, 2, 64)[..., ::2]
    refused("expected those of cos, contiguous", cos=sparse, sin=sparse)
    refused("start is torch.int64", start=torch.tensor(0))
    refused("start is torch.int32 on meta", start=whole().to("meta"))
    refused(r"start is torch.int32.*shape \[2\]", start=whole(2))
    norms = references.HeadNorms(draw(64), draw(63), 1e-5)
    refused(r"k_norm has shape \[63\], expected \[64\]", norms=norms)
    norms = references.HeadNorms(draw(64).half(), draw(64), 1e-5)
    refused("q_norm is torch.float16", norms=norms)
    if DEVICE.type == "cpu":
        start = torch.tensor(2, dtype=torch.int32)
        refused("start is 2, expected 0 to 0", start=start)


def test_what_attention_cannot_take_is_named():
    arguments = segments()

    def refused(match, **changed):
        with pytest.raises(ValueError, match=match):
            sycl.segment_attention(**{**arguments, **changed})

    prompt, q = arguments["prompt_k"], arguments["q"]
    refused(r"heads, of size \(64, 80", q=q[..., :32])
    refused("a multiple of 2 heads", q=q[:, :3])
    refused("response_v is torch.float16", response_v=arguments["response_v"].half())
    refused(
        r"prompt_k has shape \[1, 2, 64, 32\], expected \[1, 2, 64, 64\]", prompt_k=prompt[..., :32]
    )
    refused("prompt_k has strides.*16 bytes", prompt_k=draw(1, 2, 64, 65)[..., 1:])
    refused(
        "values have shape.*expected those of the keys", prompt_v=arguments["prompt_v"][:, :, :-1]
    )
    refused("lengths is torch.int64", lengths=arguments["lengths"].long())
    refused(r"lengths has shape \[1\], expected \[2\]", lengths=arguments["lengths"][:1])
    refused(
        r"beam_index has shape \[1, 2, 64\], expected \[1, 3, 64\]",
        beam_index=arguments["beam_index"][:, :2],
    )
    refused(
        "prompt_positions is torch.int64",
        prompt_positions=torch.zeros(1, 64, dtype=torch.int64, device=DEVICE),
    )
    refused("prompt_k has strides.*16 bytes", prompt_k=draw(1, 2, 64, 65)[..., :64])
    shifted = draw(2 * 64 * 64 + 1)[1:].view(1, 2, 64, 64)
    refused("prompt_k has strides.*16 bytes", prompt_k=shifted)
    spaced = draw(1, 2, 64, 128)[..., :64]
    refused("values have shape.*expected those of the keys", prompt_v=spaced)
    refused("beam_index is torch.int32 on meta", beam_index=arguments["beam_index"].to("meta"))
    refused("beam_index has strides", beam_index=whole(1, 3, 128)[..., ::2])
    refused("slopes is torch.float32 on meta", slopes=draw(4).to("meta"))
    refused(r"slopes is torch.float32.*strides \(2,\)", slopes=draw(8)[::2])
    refused("slopes is torch.float64", slopes=draw(4).double())
    refused(r"slopes has shape \[3\], expected \[4\]", slopes=draw(3))
    refused("softcap is 0.0, expected a positive number", softcap=0.0)
    refused("a window of 0 tokens: expected at least 1", window=0)
    too_many = torch.tensor([999, 2], dtype=torch.int32, device=DEVICE)
    refused(r"lengths are \[999, 2\], expected a key, and at most", lengths=too_many)


def test_int8_that_does_not_fit_is_refused():
    arguments = INT8_CASES["segment_attention"][2].make(Draw(0, torch.float32, DEVICE))
    scales = arguments["scales"]
    for change, message in (
        ({"scales": None}, "prompt_k is torch.int8 on .*, expected torch.float32"),
        (
            {"prompt_k": arguments["prompt_k"].float()},
            "is torch.float32 on .*, expected torch.int8",
        ),
        ({"scales": scales._replace(response_v=scales.prompt_v)}, "scale of response_v has shape"),
        (
            {"scales": scales._replace(prompt_k=scales.prompt_k.double())},
            "prompt_k is torch.float64",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            sycl.segment_attention(**arguments | change)
    stored = INT8_CASES["rope_and_store"][0].make(Draw(0, torch.float32, DEVICE))
    for change, message in (
        ({"k_scale": None}, "one of k_scale and v_scale is None"),
        ({"k_scale": None, "v_scale": None}, "k_slot is torch.int8 on .*, expected torch.float32"),
        ({"v_scale": stored["v_scale"][..., 1:]}, "v_scale has shape"),
        ({"v_scale": stored["v_scale"].double()}, "v_scale is torch.float64"),
    ):
        with pytest.raises(ValueError, match=message):
            sycl.rope_and_store(**stored | change)
