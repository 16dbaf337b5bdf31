"""The recorded traces that the notebooks draw: right for known kernels, and current."""

from collections import Counter
from dataclasses import replace
from functools import partial

import pytest
import torch

pytest.importorskip("triton")

import triton
import triton.language as tl

from tinyllm.config import LayerKind
from tinyllm.cost.ops import fused_rope_and_store_cost
from tinyllm.cost.workload import Workload
from tinyllm.draw.source import kernel_source, narrow
from tinyllm.draw.trace import draw_trace
from tinyllm.kernels import triton as kernels
from tinyllm.kernels.triton.tuning import LaunchConfig
from tinyllm.lab.trace import RESULTS, read_trace, record_trace, toy_traces, write_trace


@pytest.fixture
def norm(interpreted):
    """Rows of 6 in blocks of 2 x 8: the second program has one row, and both have two columns too many."""
    rows = partial(kernels.rms_norm, eps=1e-5, launch=LaunchConfig({"block": 8, "tile": 16}))
    return record_trace("rms_norm", rows, {"x": torch.randn(3, 6), "weight": torch.randn(6)})


def test_every_element_is_loaded_once_and_stored_once(norm):
    assert norm.touched("load", "x") == list(range(18)) == norm.touched("store", "out")
    assert Counter(norm.touched("load", "weight")) == dict.fromkeys(range(6), len(norm.programs))
    assert norm.touched("store", "x") == norm.touched("load", "out") == []
    assert norm.bytes == 4 * (18 + 6 + 18)


def test_masked_lanes_are_absent(norm):
    load = [access for access in norm.accesses if access.tensor == "x"]
    assert load[0].lanes == ((0, 1, 2, 3, 4, 5, None, None), (6, 7, 8, 9, 10, 11, None, None))
    assert load[1].lanes == ((12, 13, 14, 15, 16, 17, None, None), (None,) * 8)


def test_source_lines_are_those_of_the_kernel(norm):
    source = kernel_source("triton/norm.py", "_norm_rows")
    assert all(access.source and access.source in source for access in norm.accesses)


def test_strided_rows_are_seen_through(interpreted):
    x, rows = torch.randn(3, 9)[:, :6], partial(kernels.rms_norm, eps=1e-5)
    trace = record_trace("rms_norm", rows, {"x": x, "weight": torch.ones(6)})
    assert trace.touched("load", "x") == list(range(18))


@triton.jit
def _twice(x, out, width, BLOCK: tl.constexpr):
    column = tl.arange(0, BLOCK)
    value = tl.load(x + column, mask=column < width) + tl.load(x + column, mask=column < width)
    tl.store(out + column, value, mask=column < width - 1)


def test_a_second_load_and_a_missing_store_are_seen(interpreted):
    def run(x):
        out = torch.zeros_like(x)
        _twice[(1,)](x, out, len(x), BLOCK=8)
        return out

    trace = record_trace("twice", run, {"x": torch.ones(5)})
    assert Counter(trace.touched("load", "x")) == dict.fromkeys(range(5), 2)
    assert trace.touched("store", "out") == [0, 1, 2, 3]
    assert trace.bytes == 4 * (5 + 4)


def test_what_is_not_named_and_what_is_not_recorded_is_refused(interpreted):
    def no_kernel(x):
        return x

    def other_memory(x):
        kernels.rms_norm(torch.ones(1, 6), x, 0.0)
        return x

    with pytest.raises(RuntimeError, match="TRITON_INTERPRET"):
        record_trace("none", no_kernel, {"x": torch.ones(6)})
    with pytest.raises(LookupError, match="one of the named tensors"):
        record_trace("other", other_memory, {"x": torch.ones(6)})


def test_recording_leaves_the_interpreter_as_it_was(norm):
    from triton.runtime.interpreter import interpreter_builder

    assert "create_masked_load" not in vars(interpreter_builder)
    assert "create_masked_store" not in vars(interpreter_builder)


def test_rope_moves_what_the_cost_model_says(interpreted, smollm):
    trace = read_trace("rope_and_store")
    config = replace(smollm.config, num_attention_heads=2, num_key_value_heads=1, head_dim=4)
    config = replace(config, kinds=(LayerKind(replace(config.rope, dim=4)),))
    work = Workload(batch=1, tokens=1, held=2, size=4, kernels="triton")
    assert trace.bytes == fused_rope_and_store_cost(config, work).bytes
    for loaded, stored in (("q", "q_out"), ("k", "k_slot"), ("v", "v_slot")):
        elements = list(range(torch.Size(trace.shapes[loaded]).numel()))
        assert trace.touched("load", loaded) == trace.touched("store", stored) == elements


def test_the_committed_traces_are_current(interpreted, tmp_path):
    recorded = list(toy_traces())
    assert {f"trace-{trace.kernel}.json" for trace in recorded} == {
        path.name for path in RESULTS.glob("trace-*.json")
    }
    for trace in recorded:
        assert trace == read_trace(trace.kernel), "run python -m tinyllm.lab.trace"
        write_trace(trace, tmp_path / f"trace-{trace.kernel}.json")
        assert read_trace(trace.kernel, tmp_path) == trace


def test_a_trace_is_drawn_lane_by_lane(norm):
    axes = draw_trace(norm).axes
    assert len(axes) == 6
    squares = [len(axis.patches) for axis in axes]
    numbers = [len(axis.texts) for axis in axes]
    assert squares == [16, 16, 8, 8, 16, 16]
    assert numbers == [12, 6, 6, 6, 12, 6]
    assert [axis.get_title(loc="left") for axis in axes[:2]] == [
        "program 0\nload x",
        "program 1\nload x",
    ]


def test_source_is_cut_out_by_name():
    assert kernel_source("sycl/norm.sycl.cpp", "norm").startswith("// bias is null")
    with pytest.raises(LookupError, match="no_such"):
        kernel_source("sycl/norm.sycl.cpp", "no_such")
    with pytest.raises(LookupError, match="no_such"):
        kernel_source("triton/norm.py", "no_such")


@pytest.mark.parametrize(
    "line, parts",
    [
        (f"x = {'a' * 86}", [f"x = {'a' * 86}"]),  # 90 columns
        (f"    x = {'a' * 50} + {'b' * 40}", ["    x = (", f"        {'a' * 50} +", "    )"]),
        (f"  // {'word ' * 18}end", [f"  // {' '.join(['word'] * 17)}", "  // word end"]),
        (f"  f({'a' * 50}, {'b' * 40});", [f"  f({'a' * 50},", f"      {'b' * 40});"]),
    ],
    ids=["narrow", "assignment", "comment", "arguments"],
)
def test_source_is_as_wide_as_a_page(line, parts):
    made = narrow(f"first\n{line}\nlast").split("\n")
    assert max(map(len, made)) <= 90
    assert (made[0], made[-1]) == ("first", "last")
    assert "".join("".join(made).split()).replace("(", "").replace(")", "").replace("//", "") == (
        "".join(f"first{line}last".split()).replace("(", "").replace(")", "").replace("//", "")
    )
    assert made[1] == parts[0] and made[-2] == parts[-1]
