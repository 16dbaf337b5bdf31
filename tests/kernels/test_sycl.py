"""The SYCL kernels against float64: on an XPU, or else on Intel's OpenCL driver for the CPU."""

import os
import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

import tinyllm.kernels.sycl as sycl
from tinyllm.check import TABLES, check, references, run_case
from tinyllm.check.cases import Draw
from tinyllm.check.tables import TOLERANCES
from tinyllm.kernels.int8 import quantize
from tinyllm.kernels.sycl import attention
from tinyllm.kernels.sycl.attention import SplitPlan
from tinyllm.kernels.weights import DenseWeight

DEVICE = torch.device("xpu:0" if torch.xpu.is_available() else "cpu")
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
DTYPES = (torch.float32, torch.float16, torch.bfloat16)
MARGIN = 1024
LONG_TABLE = 30

if "CI" not in os.environ and (reason := sycl.unavailable(DEVICE)):
    pytest.skip(reason, allow_module_level=True)


@pytest.fixture(autouse=True)
def margins(monkeypatch):
    """Every result starts as NaN, between NaNs that must still be there afterwards."""
    made = []

    def new_empty(self, *shape, dtype=None):
        shape, size = (
            torch.Size(shape if isinstance(shape[0], int) else shape[0]),
            dtype or self.dtype,
        )
        made.append(
            torch.full((shape.numel() + 2 * MARGIN,), float("nan"), dtype=size, device=self.device)
        )
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
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape))).to(
        DEVICE, dtype
    )


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


@pytest.fixture(scope="module")
def eight_lanes():
    if DEVICE.type == "xpu" and sycl.runtime_of(DEVICE).lanes != 8:
        pytest.skip("this GPU has no sub-groups of 8")
    return sycl.Runtime(DEVICE, lanes=8)


def planned(monkeypatch, *how, runtime=None):
    """Segment attention cut in another way than the rule says."""
    monkeypatch.setattr(attention, "split_plan", lambda *_, **sizes: SplitPlan(*how))
    if runtime is not None:
        monkeypatch.setattr(attention, "runtime_of", lambda device: runtime)


def matrix_engine(lanes):
    """The instruction where this device has it, and its emulation elsewhere: the same tiles."""
    runtime = sycl.runtime_of(DEVICE)
    return "DPAS" if runtime.matrix_engine and runtime.lanes == lanes else "EMULATED"


@pytest.mark.parametrize(
    ("dtype", "rows", "size"), [(torch.float16, 8, ""), (torch.bfloat16, 2, "d64")], ids=str
)
def test_matrix_tiles(dtype, rows, size, monkeypatch):
    planned(monkeypatch, rows, matrix_engine(sycl.runtime_of(DEVICE).lanes), 1)
    assert_right(dtype, size)


@pytest.mark.parametrize(
    ("dtype", "rows", "size"), [(torch.bfloat16, 8, ""), (torch.float16, 4, "d64")], ids=str
)
def test_matrix_tiles_with_the_sub_groups_of_arc(dtype, rows, size, monkeypatch, eight_lanes):
    planned(monkeypatch, rows, matrix_engine(8), 3, runtime=eight_lanes)
    assert_right(dtype, size)


def assert_right(dtype, size):
    """All cases of the table, or those with this size of a head."""
    table, function = TABLES["segment_attention"], sycl.segment_attention
    cases = [case for case in table.cases if size in case.title and not case.int8]
    cases = cases[:: 1 if size else 2]
    wrong = {case.title: run_case(table, case, function, dtype, DEVICE)[1] for case in cases}
    assert len(cases) > 9 and not any(wrong.values()), wrong


def test_a_split_sequence(monkeypatch):
    rule = attention.split_plan

    def three_splits(*arguments, **sizes):
        return replace(rule(*arguments, **sizes), splits=3)

    monkeypatch.setattr(attention, "split_plan", three_splits)
    verdict = check("segment_attention", sycl.segment_attention, device=DEVICE)
    assert verdict.right, str(verdict)


def segments(b=1, h=4, g=2, w=3, d=64, t=40, steps=20, room=64, dtype=torch.float32):
    """Memory for `room` tokens and steps, wherever the lengths end, and paths through it."""
    memory = [draw(b, g, n, d, dtype=dtype) for n in (room, room, room * w + 1, room * w + 1)]
    names = ("prompt_k", "prompt_v", "response_k", "response_v")
    paths = torch.randint(
        w, (b, w, room), generator=torch.Generator().manual_seed(1), dtype=torch.int32
    )
    lengths = torch.tensor([t, steps], dtype=torch.int32, device=DEVICE)
    q = draw(b, w, h, d, dtype=dtype).transpose(1, 2)
    return {
        "q": q,
        **dict(zip(names, memory, strict=True)),
        "lengths": lengths,
        "beam_index": paths.to(DEVICE),
    }


def expected(arguments):
    return references.segment_attention(**{name: exact(x) for name, x in arguments.items()})


def exact(x):
    """What a reference takes: tensors on the CPU, numbers in float64; all else as it is."""
    if not isinstance(x, torch.Tensor):
        return x
    return x.cpu().double() if x.is_floating_point() else x.cpu()


def test_lengths_change_between_launches_of_one_kernel(monkeypatch):
    planned(monkeypatch, 8, "NONE", 2)
    arguments, runtime = segments(), sycl.runtime_of(DEVICE)
    close(sycl.segment_attention(**arguments), expected(arguments))
    made = len(runtime.kernels)
    for lengths in ([1, 0], [64, 64], [16, 16], [17, 15], [63, 1], [0, 5]):
        arguments["lengths"].copy_(torch.tensor(lengths))
        if lengths[0]:
            close(sycl.segment_attention(**arguments), expected(arguments))
        else:  # the reference wants a prompt: one that is padding alone
            padded = {
                **arguments,
                "lengths": torch.tensor([1, lengths[1]]),
                "prompt_positions": torch.tensor([[-1]]),
            }
            close(sycl.segment_attention(**arguments), expected(padded))
    assert len(runtime.kernels) == made


@pytest.mark.parametrize("splits", [1, 3])
@pytest.mark.parametrize("window", [1, 15, 16, 20, 21, 44, 59])
def test_tokens_out_of_sight_are_not_read(window, splits, monkeypatch):
    planned(monkeypatch, 8, "NONE", splits)
    arguments, hidden = segments(), 40 + 20 - window
    for name in ("prompt_k", "prompt_v"):
        arguments[name][:, :, :hidden] = float("nan")
    for name in ("response_k", "response_v"):
        arguments[name][:, :, : 3 * max(0, hidden - 40)] = float("nan")
    arguments["window"] = window
    close(sycl.segment_attention(**arguments), expected(arguments))


def test_a_window_moves_with_the_lengths(monkeypatch):
    planned(monkeypatch, 8, "NONE", 2)
    arguments = segments() | {"window": 18, "slopes": 2.0 ** -torch.arange(1, 5, device=DEVICE)}
    for lengths in (
        [17, 0],
        [18, 0],
        [40, 0],
        [40, 1],
        [40, 17],
        [40, 18],
        [40, 19],
        [33, 50],
        [1, 64],
    ):
        arguments["lengths"].copy_(torch.tensor(lengths))
        close(sycl.segment_attention(**arguments), expected(arguments))


@pytest.mark.parametrize("softcap", [0.5, 3.0, 50.0])
@pytest.mark.parametrize("size", [0.1, 30.0])
def test_scores_are_capped_before_alibi_is_added(softcap, size, monkeypatch):
    planned(monkeypatch, 8, "NONE", 1)
    arguments = segments() | {
        "softcap": softcap,
        "slopes": 2.0 ** -torch.arange(1, 5, device=DEVICE),
    }
    arguments["q"] *= size
    close(sycl.segment_attention(**arguments), expected(arguments))


@pytest.mark.parametrize("splits", [1, 3])
def test_every_sub_group_has_many_tiles(splits, monkeypatch):
    planned(monkeypatch, 8, "NONE", splits)
    arguments = segments(b=2, t=1111, steps=277, room=1200)
    arguments["q"] *= 3  # the highest score goes on rising
    close(sycl.segment_attention(**arguments), expected(arguments))


def test_slots_without_descendants_are_not_read():
    arguments = segments()
    steps = torch.arange(20)[:, None]
    used = torch.zeros(65 * 3 - 2, dtype=torch.bool)
    used[(steps * 3 + arguments["beam_index"][0, :, :20].T.cpu()).flatten()] = True
    for name in ("response_k", "response_v"):
        arguments[name][:, :, ~used.to(DEVICE)] = float("nan")
    assert 0 < used.sum() < 60
    close(sycl.segment_attention(**arguments), expected(arguments))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16], ids=str)
def test_attention_takes_strided_memory(dtype):
    arguments = segments(b=2, dtype=dtype)
    for name in ("prompt_k", "prompt_v", "response_k", "response_v"):
        b, g, n, d = arguments[name].shape
        arguments[name] = draw(n + 1, b, g + 1, d + 16, dtype=dtype).permute(1, 2, 0, 3)[
            :, 1:, 1:, 16:
        ]
        assert arguments[name].shape == (b, g, n, d)
    arguments["q"] = draw(5, 2, 3, 67, dtype=dtype).permute(1, 0, 2, 3)[:, 1:, :, 3:]
    arguments["beam_index"] = torch.stack([arguments["beam_index"]] * 2, dim=1)[:, 1]
    close(sycl.segment_attention(**arguments), expected(arguments))


def test_when_a_sequence_is_split():
    assert (
        attention.num_splits(groups=64, keys=1 << 20, units=64) == 1
    )  # every unit has a work-group
    assert attention.num_splits(groups=32, keys=1 << 20, units=64) == 8  # four work-groups a unit
    assert attention.num_splits(groups=32, keys=1024, units=64) == 4  # 256 keys a share
    assert attention.num_splits(groups=1, keys=100, units=64) == 1
    assert attention.num_splits(groups=9, keys=8192, units=64) == 28
    assert attention.num_splits(groups=1, keys=1 << 20, units=64) == 256


def test_how_rows_are_cut():
    device = SimpleNamespace(lanes=16, units=64, matrix_engine=True)
    arc = SimpleNamespace(lanes=8, units=32, matrix_engine=True)
    plain = SimpleNamespace(lanes=16, units=64, matrix_engine=False)
    sizes = {"heads": 64, "d": 128, "keys": 1024}
    half = torch.float16
    assert attention.split_plan(device, half, rows=1, **sizes) == SplitPlan(1, "NONE", 1)
    assert attention.split_plan(device, half, rows=3, **sizes) == SplitPlan(4, "NONE", 1)
    assert attention.split_plan(device, half, rows=5, **sizes) == SplitPlan(8, "DPAS", 1)
    assert attention.split_plan(device, half, rows=64, **sizes) == SplitPlan(8, "DPAS", 1)
    assert attention.split_plan(device, torch.float32, rows=64, **sizes) == SplitPlan(4, "NONE", 1)
    assert attention.split_plan(plain, half, rows=64, **sizes) == SplitPlan(4, "NONE", 1)
    assert attention.split_plan(arc, half, rows=4, **sizes) == SplitPlan(4, "DPAS", 1)
    int8 = sizes | {"is_int8": True}
    assert attention.split_plan(arc, half, rows=4, **int8) == SplitPlan(2, "NONE", 1)
    assert attention.split_plan(device, half, rows=5, **int8) == SplitPlan(8, "DPAS", 1)
    assert attention.split_plan(device, half, heads=8, rows=1, d=64, keys=4096) == SplitPlan(
        1, "NONE", 16
    )


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


@pytest.mark.parametrize("window", [2**31 - 1, 2**31, 2**63])
def test_a_window_of_all_tokens_hides_none(window):
    arguments = segments()
    assert torch.equal(
        sycl.segment_attention(**arguments, window=window), sycl.segment_attention(**arguments)
    )


INT8_CASES = {
    operation: [case for case in TABLES[operation].cases if case.int8]
    for operation in ("segment_attention", "rope_and_store")
}


def assert_right_in_int8(operation, cases, dtype):
    table, function = TABLES[operation], getattr(sycl, operation)
    wrong = {case.title: run_case(table, case, function, dtype, DEVICE)[1] for case in cases}
    assert len(cases) > 1 and not any(wrong.values()), wrong


@pytest.mark.parametrize(
    ("operation", "dtype", "every"),
    [
        ("segment_attention", torch.float32, 6),
        *(("rope_and_store", dtype, 1) for dtype in DTYPES),
    ],
    ids=str,
)
def test_cases_in_int8(operation, dtype, every):
    assert_right_in_int8(operation, INT8_CASES[operation][::every], dtype)


def test_matrix_tiles_in_int8(monkeypatch):
    planned(monkeypatch, 8, matrix_engine(sycl.runtime_of(DEVICE).lanes), 2)
    cases = [case for case in INT8_CASES["segment_attention"] if "h6 g2 w4 d64" in case.title]
    assert_right_in_int8("segment_attention", cases, torch.float16)


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
