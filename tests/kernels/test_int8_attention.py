"""Keys and values in int8 in the portable kernels: their cases, exact rounding, and what each scale belongs to."""

from __future__ import annotations

import importlib
from dataclasses import replace

import pytest
import torch

pytest.importorskip("triton")

from tinyllm.check import TABLES, run_case
from tinyllm.check.attention_cases import in_int8, segment_maker
from tinyllm.check.cases import Case, Draw
from tinyllm.kernels import triton as kernels
from tinyllm.kernels.int8 import quantize
from tinyllm.kernels.triton import tuning

rope = importlib.import_module("tinyllm.kernels.triton.rope")  # the package has a function too
OPERATIONS = ("segment_attention", "rope_and_store")
DTYPES = (torch.float32, torch.float16, torch.bfloat16)
MANY_TOKENS = "t130"  # programs that the interpreter takes seconds for


def int8_cases(operation: str) -> list[Case]:
    cases = [case for case in TABLES[operation].cases if case.int8]
    return [case for case in cases if MANY_TOKENS not in case.title]


def failures(operation: str, cases, dtype: torch.dtype, device: torch.device) -> dict[str, str]:
    run = getattr(kernels, operation)
    found = {case.title: run_case(TABLES[operation], case, run, dtype, device) for case in cases}
    return {title: wrong for title, (_, wrong) in found.items() if wrong}


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_cases_in_int8(operation, dtype, interpreted):
    step = {"segment_attention": 2, "rope_and_store": 1}[operation]
    cases = int8_cases(operation)[:: step if dtype == torch.float32 else 3 * step]
    assert len(cases) >= 2
    assert failures(operation, cases, dtype, interpreted) == {}


@pytest.mark.filterwarnings("ignore:tl.make_block_ptr is deprecated")
def test_cases_in_int8_by_blocks(interpreted, monkeypatch):
    row = tuning.LAUNCHES["interpreter"]["attention"]
    monkeypatch.setitem(tuning.LAUNCHES["interpreter"], "attention", replace(row, block_loads=True))
    cases = int8_cases("segment_attention")[1::5]
    assert failures("segment_attention", cases, torch.bfloat16, interpreted) == {}


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_cases_in_int8_on_gpu(operation, dtype, accelerator):
    cases = [case for case in TABLES[operation].cases if case.int8]
    assert failures(operation, cases, dtype, accelerator) == {}


def check_rounding(case: Case, dtype: torch.dtype, device: torch.device) -> None:
    """Codes and scales are those that torch makes of what the kernel stores unrounded, to the last bit."""
    rounded = case.make(Draw(0, dtype, device))
    kernels.rope_and_store(**rounded)
    plain = case.make(Draw(0, dtype, device))
    for name in ("k", "v"):
        plain[f"{name}_slot"] = torch.zeros_like(plain[f"{name}_slot"], dtype=dtype)
        del plain[f"{name}_scale"]
    kernels.rope_and_store(**plain)
    first = int(rounded.get("start", 0))
    written = slice(first, first + rounded["k"].shape[2])
    for name in ("k", "v"):
        codes, scale = quantize(plain[f"{name}_slot"][:, :, written])
        assert rounded[f"{name}_slot"][:, :, written].equal(codes)
        assert rounded[f"{name}_scale"][:, :, written].equal(scale)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_rounding_is_torchs_to_the_last_bit(dtype, interpreted):
    """In 16 bits ties are frequent: half of the largest magnitude is 63.5."""
    for case in int8_cases("rope_and_store")[:: 2 if dtype == torch.bfloat16 else 5]:
        check_rounding(case, dtype, interpreted)


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_rounding_on_a_gpu_is_torchs_to_the_last_bit(dtype, accelerator):
    for case in int8_cases("rope_and_store"):
        check_rounding(case, dtype, accelerator)


def test_values_too_small_for_products_with_weights_in_fp16(interpreted):
    """Of values of 1e-3 a scale times a weight is a subnormal number, with few digits."""

    def make(draw: Draw) -> dict:
        arguments = segment_maker(1, 4, 2, 2, 64, 37, 6)(draw)
        for name in ("prompt_v", "response_v"):
            arguments[name] *= 1e-3
        return arguments

    case = Case("small values", in_int8(make))
    table = TABLES["segment_attention"]
    error, wrong = run_case(table, case, kernels.segment_attention, torch.float16, interpreted)
    assert wrong is None
    assert error < 1e-3


def test_a_workspace_for_int8_serves_one_launch_after_the_other(interpreted):
    make = in_int8(segment_maker(1, 1, 1, 7, 128, 129, 33))
    arguments = make(Draw(0, torch.bfloat16, interpreted))
    memory = arguments["prompt_k"], arguments["response_k"]
    workspace = kernels.attention_workspace(arguments["q"].shape, *memory)
    first = kernels.segment_attention(**arguments, workspace=workspace)
    assert first.dtype == torch.bfloat16 and workspace.counters.eq(0).all()
    assert kernels.segment_attention(**arguments, workspace=workspace).equal(first)


def test_scales_lie_in_memory_as_slots_do(interpreted):
    """Steps first, with strides of their own."""
    make = in_int8(segment_maker(2, 6, 2, 4, 64, 33, 5))
    arguments = make(Draw(0, torch.float32, interpreted))
    expected = kernels.segment_attention(**arguments)

    def steps_first(x: torch.Tensor) -> torch.Tensor:
        x = x[:, :, :20].unflatten(2, (-1, 4))
        order = (2, 3, 0, 1, 4)[: x.dim()]
        return x.permute(order).contiguous().permute([order.index(i) for i in range(x.dim())])

    for name in ("response_k", "response_v"):
        arguments[name] = steps_first(arguments[name])
        scale = steps_first(getattr(arguments["scales"], name))
        arguments["scales"] = arguments["scales"]._replace(**{name: scale})
    assert not arguments["scales"].response_k.is_contiguous()
    assert kernels.segment_attention(**arguments).equal(expected)


def test_scales_that_do_not_fit_are_refused(interpreted):
    arguments = in_int8(segment_maker(1, 2, 1, 2, 64, 5, 3))(Draw(0, torch.float32, interpreted))
    scales = arguments.pop("scales")

    def refused(message: str, given) -> None:
        with pytest.raises(ValueError, match=message):
            kernels.segment_attention(**arguments, scales=given)

    refused(r"prompt_k is \[1, 1, 8, 64\] of torch.int8: expected .* of torch.float32", None)
    refused(
        r"response_v_scale is \[1, 1, 8\] of torch.float32",
        scales._replace(response_v=scales.response_v[..., 1:]),
    )
    refused(
        r"prompt_k_scale is \[1, 1, 8\] of torch.float64",
        scales._replace(prompt_k=scales.prompt_k.double()),
    )
    arguments["prompt_k"] = arguments["prompt_v"] = arguments["prompt_k"].float()
    refused(r"of torch.float32: expected .* of torch.int8", scales)

    stored = int8_cases("rope_and_store")[0].make(Draw(0, torch.float32, interpreted))
    other = torch.empty_strided(stored["v_slot"].shape, stored["v_slot"].stride())
    for change, message in (
        ({"k_scale": None}, "expected two of torch.int8 and the scales of both"),
        ({"k_scale": None, "v_scale": None}, "expected two of torch.int8"),
        ({"v_slot": other}, "slots of torch.int8 and torch.float32"),
        ({"v_scale": stored["v_scale"].double()}, "v_scale is .* of torch.float64"),
        ({"v_scale": stored["v_scale"][..., 1:]}, r"v_scale is \[2, 2, 12\]"),
    ):
        with pytest.raises(ValueError, match=message):
            kernels.rope_and_store(**stored | change)
