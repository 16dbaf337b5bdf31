"""The SYCL kernels against float64: on an XPU, or else on Intel's OpenCL driver for the CPU."""

import sys
from dataclasses import replace

import pytest
import torch
from sycl_kernels import DEVICE, DTYPES, INT8_CASES, close, draw, exact, failures

import tinyllm.kernels.sycl as sycl
from tinyllm.check import TABLES, check, references
from tinyllm.check.cases import Draw
from tinyllm.kernels.int8 import quantize
from tinyllm.kernels.weights import DenseWeight

OPERATIONS = (
    "rms_norm",
    "norm_and_add",
    "layer_norm",
    "rope_and_store",
    "activate_and_multiply",
    "bias_and_activate",
    "linear",
    "segment_attention",
)
LONG_TABLE = 30

pytestmark = pytest.mark.usefixtures("margins")


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_rope_writes_its_slots_and_nothing_else(dtype):
    b, h, g, t, d = 2, 3, 2, 3, 64
    q, k, v = (
        draw(b, h, t, d, dtype=dtype),
        draw(b, g, t, d, dtype=dtype),
        draw(b, g, t, d, dtype=dtype),
    )
    before = [x.clone() for x in (q, k, v)]
    caches = [
        torch.full((b + 1, g + 1, t + 4, d + 8), 7.0, dtype=dtype, device=DEVICE) for _ in range(2)
    ]
    slots = [cache[:b, :g, 2 : 2 + t, :d] for cache in caches]
    angles = draw(1, t, d // 4)
    sycl.rope_and_store(q, k, v, angles.cos(), angles.sin(), *slots, False)
    assert all(torch.equal(x, old) for x, old in zip((q, k, v), before, strict=True))
    assert torch.equal(slots[1], v)
    for cache, slot in zip(caches, slots, strict=True):
        slot.fill_(7)
        assert (cache == 7).all()


@pytest.mark.parametrize("eps", [1e-6, 1.0])
def test_rows_and_heads_of_small_numbers_need_eps(eps):
    q, k, residual = 1e-3 * draw(2, 3, 5, 64), 1e-3 * draw(2, 1, 5, 64), draw(30, 64)
    angles, norms = draw(1, 5, 16), references.HeadNorms(draw(64), draw(65)[1:], eps)
    arguments = (
        q,
        k,
        k,
        angles.cos(),
        angles.sin(),
        torch.zeros_like(k),
        torch.zeros_like(k),
        False,
        None,
    )
    wide = references.HeadNorms(exact(norms.q), exact(norms.k), eps)
    results = references.rope_and_store(*map(exact, arguments), wide)
    for got, result in zip(sycl.rope_and_store(*arguments, norms), results, strict=True):
        close(got, result)
    arguments = (q.reshape(30, 64), 1e-3 * residual, norms.q)
    close(sycl.norm_and_add(*arguments, eps), references.norm_and_add(*map(exact, arguments), eps))


@pytest.fixture
def dense_cases(monkeypatch):
    """Without packed weights, which test_sycl_packed.py has."""
    table = TABLES["linear"]
    cases = tuple(case for case in table.cases if "packed" not in case.title)
    monkeypatch.setitem(TABLES, "linear", replace(table, cases=cases))


@pytest.mark.usefixtures("dense_cases")
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_table(operation, dtype):
    every = 1
    if dtype != torch.float32 and DEVICE.type == "cpu":
        # in 16 bits loads and stores differ, no more; the CPU's driver compiles for each kind of case
        every = 3 if len(TABLES[operation].cases) < LONG_TABLE else 7
    verdict = check(operation, getattr(sycl, operation), dtypes=[dtype], device=DEVICE, every=every)
    assert verdict.right, str(verdict)
    cases = [case for case in TABLES[operation].cases if not case.int8]
    assert verdict.total == len(cases[::every]) > 1


@pytest.mark.usefixtures("dense_cases")
@pytest.mark.parametrize("operation", OPERATIONS)
def test_table_with_the_sub_groups_of_arc(operation, monkeypatch, eight_lanes):
    for family in ("norm", "rope", "activation", "linear", "attention"):
        monkeypatch.setattr(
            sys.modules[f"tinyllm.kernels.sycl.{family}"], "runtime_of", lambda device: eight_lanes
        )
    verdict = check(operation, getattr(sycl, operation), device=DEVICE)
    assert verdict.right, str(verdict)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("offset", [0, 1])
def test_linear_takes_strided_and_unaligned_tensors(dtype, offset):
    def part(rows, columns):
        return draw(rows, columns + 9, dtype=dtype)[:, offset : offset + columns]

    x, weight, residual = part(3, 128), part(10, 128) / 11, part(3, 10)
    norm = references.NormWeights(draw(129, dtype=dtype)[1:], draw(130, dtype=dtype)[2:], 1e-5)
    got = sycl.linear(x, DenseWeight(weight), norm=norm, residuals=(residual,))
    wide = references.NormWeights(norm.weight.double().cpu(), norm.bias.double().cpu(), 1e-5)
    close(
        got,
        references.linear(
            exact(x), DenseWeight(exact(weight)), norm=wide, residuals=(residual.double().cpu(),)
        ),
    )


@pytest.mark.parametrize("k", [2048, 16384])
def test_linear_shares_a_long_row_among_sub_groups(k):
    x, weight = draw(2, k), draw(5, k) / k**0.5
    close(
        sycl.linear(x, DenseWeight(weight)), references.linear(exact(x), DenseWeight(exact(weight)))
    )


def test_layer_norms_survive_a_mean_far_from_zero():
    x, weight, bias, w = 1000 + draw(3, 576), draw(576), draw(576), draw(7, 576)
    wide, exact = x.double().cpu(), torch.float64
    normed = torch.nn.functional.layer_norm(
        wide, (576,), weight.cpu().to(exact), bias.cpu().to(exact), 1e-5
    )
    # x itself is rounded to 3e-5 of its spread: ten times that is the kernels' own share
    torch.testing.assert_close(
        sycl.layer_norm(x, weight, bias, 1e-5).cpu().double(), normed, atol=1e-3, rtol=0
    )
    got = sycl.linear(x, DenseWeight(w), norm=references.NormWeights(weight, bias, 1e-5))
    torch.testing.assert_close(got.cpu().double(), normed @ w.double().cpu().T, atol=2e-2, rtol=0)


def test_more_than_two_axes_and_no_rows():
    x, weight = draw(2, 3, 64), draw(64)
    assert torch.equal(
        sycl.rms_norm(x, weight, 1e-5), sycl.rms_norm(x.view(6, 64), weight, 1e-5).view(2, 3, 64)
    )
    assert sycl.rms_norm(x[:0], weight, 1e-5).shape == (0, 3, 64)


@pytest.mark.parametrize(
    ("operation", "dtype", "every"),
    [
        ("segment_attention", torch.float32, 6),
        *(("rope_and_store", dtype, 1) for dtype in DTYPES),
    ],
    ids=str,
)
def test_cases_in_int8(operation, dtype, every):
    cases = INT8_CASES[operation][::every]
    assert len(cases) > 1 and not failures(operation, cases, dtype)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_rounding_to_int8_is_torchs_to_the_last_bit(dtype):
    """Codes and scales are those that torch makes of what the kernel stores unrounded."""
    for case in INT8_CASES["rope_and_store"]:
        rounded, plain = (case.make(Draw(0, dtype, DEVICE)) for _ in range(2))
        for name in ("k", "v"):
            plain[f"{name}_slot"] = torch.zeros_like(plain[f"{name}_slot"], dtype=dtype)
            del plain[f"{name}_scale"]
        sycl.rope_and_store(**rounded)
        sycl.rope_and_store(**plain)
        first = int(rounded.get("start", 0))
        written = slice(first, first + rounded["k"].shape[2])
        for name in ("k", "v"):
            codes, scale = quantize(plain[f"{name}_slot"][:, :, written])
            assert rounded[f"{name}_slot"][:, :, written].equal(codes)
            assert rounded[f"{name}_scale"][:, :, written].equal(scale)
