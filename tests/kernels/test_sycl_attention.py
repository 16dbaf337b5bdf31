"""Segment attention in SYCL: its tiles, its splits, what a window hides, and which memory it reads."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from sycl_kernels import DEVICE, INT8_CASES, close, draw, exact, failures

import tinyllm.kernels.sycl as sycl
from tinyllm.check import TABLES, check, references
from tinyllm.kernels.sycl import attention
from tinyllm.kernels.sycl.attention import SplitPlan

pytestmark = pytest.mark.usefixtures("margins")


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
    table = TABLES["segment_attention"]
    cases = [case for case in table.cases if size in case.title and not case.int8]
    cases = cases[:: 1 if size else 2]
    assert len(cases) > 9 and not failures("segment_attention", cases, dtype)


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


@pytest.mark.parametrize("window", [2**31 - 1, 2**31, 2**63])
def test_a_window_of_all_tokens_hides_none(window):
    arguments = segments()
    assert torch.equal(
        sycl.segment_attention(**arguments, window=window), sycl.segment_attention(**arguments)
    )


def test_matrix_tiles_in_int8(monkeypatch):
    planned(monkeypatch, 8, matrix_engine(sycl.runtime_of(DEVICE).lanes), 2)
    cases = [case for case in INT8_CASES["segment_attention"] if "h6 g2 w4 d64" in case.title]
    assert len(cases) > 1 and not failures("segment_attention", cases, torch.float16)
