"""The SYCL kernels against float64: on an XPU, or else on Intel's OpenCL driver for the CPU."""

import os
import sys

import pytest
import torch

import tinyllm.kernels.sycl as sycl
from tinyllm.check import TABLES, check, references
from tinyllm.check.tables import TOLERANCES

DEVICE = torch.device("xpu:0" if torch.xpu.is_available() else "cpu")
OPERATIONS = ("rms_norm", "add_rms_norm", "layer_norm", "add_layer_norm", "rope_and_store", "activate_and_multiply",
              "bias_and_activate", "linear")  # fmt: skip
DTYPES = (torch.float32, torch.float16, torch.bfloat16)
MARGIN = 1024

if "CI" not in os.environ and (reason := sycl.unavailable(DEVICE)):
    pytest.skip(reason, allow_module_level=True)


@pytest.fixture(autouse=True)
def margins(monkeypatch):
    """Every result starts as NaN, between NaNs that must still be there afterwards."""
    made = []

    def new_empty(self, *shape):
        shape = torch.Size(shape if isinstance(shape[0], int) else shape[0])
        made.append(torch.full((shape.numel() + 2 * MARGIN,), float("nan"), dtype=self.dtype, device=self.device))
        return made[-1][MARGIN:-MARGIN].view(shape)

    monkeypatch.setattr(torch.Tensor, "new_empty", new_empty)
    yield
    assert all(whole[:MARGIN].isnan().all() and whole[-MARGIN:].isnan().all() for whole in made), (
        "written beside a result"
    )


def close(got, expected):
    scale = expected.abs().clamp(min=expected.square().mean().sqrt())
    assert ((got.cpu().double() - expected).abs() / scale).max() <= TOLERANCES[got.dtype]


def draw(*shape, dtype=torch.float32):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape))).to(DEVICE, dtype)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_rope_writes_its_slots_and_nothing_else(dtype):
    b, h, g, t, d = 2, 3, 2, 3, 64
    q, k, v = draw(b, h, t, d, dtype=dtype), draw(b, g, t, d, dtype=dtype), draw(b, g, t, d, dtype=dtype)
    before = [x.clone() for x in (q, k, v)]
    caches = [torch.full((b + 1, g + 1, t + 4, d + 8), 7.0, dtype=dtype, device=DEVICE) for _ in range(2)]
    slots = [cache[:b, :g, 2 : 2 + t, :d] for cache in caches]
    angles = draw(1, t, d // 4)
    sycl.rope_and_store(q, k, v, angles.cos(), angles.sin(), *slots, False)
    assert all(torch.equal(x, old) for x, old in zip((q, k, v), before, strict=True))
    assert torch.equal(slots[1], v)
    for cache, slot in zip(caches, slots, strict=True):
        slot.fill_(7)
        assert (cache == 7).all()


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_table(operation, dtype):
    verdict = check(operation, getattr(sycl, operation), dtypes=[dtype], device=DEVICE)
    assert verdict.right, str(verdict)
    assert verdict.total == len(TABLES[operation].cases)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_table_with_the_sub_groups_of_arc(operation, monkeypatch, eight_lanes):
    for family in ("norm", "rope", "activation", "linear"):
        monkeypatch.setattr(sys.modules[f"tinyllm.kernels.sycl.{family}"], "runtime_of", lambda device: eight_lanes)
    verdict = check(operation, getattr(sycl, operation), device=DEVICE)
    assert verdict.right, str(verdict)


@pytest.fixture(scope="module")
def eight_lanes():
    if DEVICE.type == "xpu" and sycl.runtime_of(DEVICE).lanes != 8:
        pytest.skip("this GPU has no sub-groups of 8")
    return sycl.Runtime(DEVICE, lanes=8)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("offset", [0, 1])
def test_linear_takes_strided_and_unaligned_tensors(dtype, offset):
    def part(rows, columns):
        return draw(rows, columns + 9, dtype=dtype)[:, offset : offset + columns]

    x, weight, residual = part(3, 128), part(10, 128) / 11, part(3, 10)
    norm = references.NormWeights(draw(129, dtype=dtype)[1:], draw(130, dtype=dtype)[2:], 1e-5)
    got = sycl.linear(x, weight, norm=norm, residuals=(residual,))
    wide = references.NormWeights(norm.weight.double().cpu(), norm.bias.double().cpu(), 1e-5)
    close(
        got, references.linear(x.double().cpu(), weight.double().cpu(), norm=wide, residuals=(residual.double().cpu(),))
    )


@pytest.mark.parametrize("k", [2048, 16384])
def test_linear_shares_a_long_row_among_sub_groups(k):
    x, weight = draw(2, k), draw(5, k) / k**0.5
    close(sycl.linear(x, weight), references.linear(x.double().cpu(), weight.double().cpu()))


def test_layer_norms_survive_a_mean_far_from_zero():
    x, weight, bias, w = 1000 + draw(3, 576), draw(576), draw(576), draw(7, 576)
    wide, exact = x.double().cpu(), torch.float64
    normed = torch.nn.functional.layer_norm(wide, (576,), weight.cpu().to(exact), bias.cpu().to(exact), 1e-5)
    # x itself is rounded to 3e-5 of its spread: ten times that is the kernels' own share
    torch.testing.assert_close(sycl.layer_norm(x, weight, bias, 1e-5).cpu().double(), normed, atol=1e-3, rtol=0)
    got = sycl.linear(x, w, norm=references.NormWeights(weight, bias, 1e-5))
    torch.testing.assert_close(got.cpu().double(), normed @ w.double().cpu().T, atol=2e-2, rtol=0)


def test_more_than_two_axes_and_no_rows():
    x, weight = draw(2, 3, 64), draw(64)
    assert torch.equal(sycl.rms_norm(x, weight, 1e-5), sycl.rms_norm(x.view(6, 64), weight, 1e-5).view(2, 3, 64))
    assert sycl.rms_norm(x[:0], weight, 1e-5).shape == (0, 3, 64)


def test_what_a_kernel_cannot_take_is_named():
    x, weight = draw(2, 64), draw(8, 64)
    norm = references.NormWeights(draw(64), None, 1e-5)
    with pytest.raises(ValueError, match="1 to 16"):
        sycl.linear(draw(17, 64), weight)
    with pytest.raises(ValueError, match=r"weight has shape \[8, 64\], expected \[8, 32\]"):
        sycl.linear(draw(2, 32), weight)
    with pytest.raises(ValueError, match=r"weight is torch.float16.*expected torch.float32"):
        sycl.linear(x, weight.half(), norm=norm)
    with pytest.raises(ValueError, match="activation 'swish'"):
        sycl.activate_and_multiply(x, "swish")
    with pytest.raises(ValueError, match="last axis"):
        sycl.rms_norm(draw(64, 2).T, draw(64), 1e-5)
    with pytest.raises(TypeError, match=r"torch\.float64"):
        sycl.rms_norm(x.double(), draw(64).double(), 1e-5)
    with pytest.raises(ValueError, match=r"cos is torch.float16"):
        heads = draw(1, 1, 2, 64)
        angles = draw(1, 2, 32).half()
        sycl.rope_and_store(heads, heads, heads, angles, angles, heads, heads, False)
