"""Tables and pictures of recorded and of traced attention."""

import json

import pytest
from matplotlib.colors import to_rgba

from tinyllm.draw.attention_cells import (
    NAMES,
    attention_runs,
    attention_table,
    cells,
    draw_attention_batch,
    draw_attention_cells,
    least_us,
    middle,
    slower_cells,
)
from tinyllm.draw.attention_reads import NEVER, draw_reads, loads
from tinyllm.draw.ladder import LIMIT, MOVED
from tinyllm.lab.trace import Access, Trace


def row(batch, beams, expanded=80.0, flex=None, **other):
    us = {"ours": 10.0 * beams, "two_segments": 15.0 * beams, "expanded": expanded, "flex": flex}
    sizes = {"heads": 32, "kv_heads": 8, "head_dim": 128, "prompt": 1024, "response": 64}
    return {
        "shape": "llama-3-8b",
        "dtype": "bfloat16",
        **sizes,
        "batch": batch,
        "beams": beams,
        "bytes": 16_000_000 * beams,
        "us": us,
        "splits": 4,
    } | other


@pytest.fixture
def run():
    rows = [row(8, 4, None), row(8, 1, flex=20.0), row(1, 4), row(1, 1), row(1, 1, prompt=128)]
    versions = {"torch": "2", "triton": "3"}
    return {
        "device": "Some GPU",
        "date": "2026-01-02",
        "copy_gb_s": 3000.0,
        "read_gb_s": 4000.0,
    } | {
        "versions": versions,
        "rows": rows,
    }


WHICH = ("llama-3-8b", 1024, 64)


def test_runs_are_read_one_per_device(run, tmp_path):
    assert attention_runs(tmp_path) == []
    for device in ("a", "b"):
        (tmp_path / f"attention-{device}.json").write_text(json.dumps(run | {"device": device}))
    (tmp_path / "ladder-a.json").write_text("[]")
    assert [found["device"] for found in attention_runs(tmp_path)] == ["a", "b"]


def test_cells_are_selected_and_sorted(run):
    assert [(cell["batch"], cell["beams"]) for cell in cells(run, *WHICH)] == [
        (1, 1),
        (1, 4),
        (8, 1),
        (8, 4),
    ]
    assert len(cells(run, "llama-3-8b", 128, 64)) == 1
    with pytest.raises(LookupError, match=r"no rows for \('gpt', 1024, 64\): recorded are .*128"):
        cells(run, "gpt", 1024, 64)


def test_the_table_has_device_date_and_dashes(run):
    text = attention_table(run, *WHICH, batches=(1, 8), beams=(4,))
    made_by, head, *lines = text.splitlines()
    assert made_by == "us on Some GPU, bfloat16, 2026-01-02: llama-3-8b, prompt 1024, response 64"
    assert head.split()[:2] == ["batch", "beams"]
    assert [line.split() for line in lines] == [
        ["1", "4", "40.0", "60.0", "80.0", "40%", "4"],
        ["8", "4", "40.0", "60.0", "-", "40%", "4"],
    ]
    assert max(map(len, text.splitlines())) <= 90


def test_a_chart_of_one_batch_has_large_letters(run):
    figure = draw_attention_batch(run, *WHICH, batch=8)
    (axis,) = figure.axes
    assert axis.get_title() == "llama-3-8b, batch 8: Some GPU, 2026-01-02"
    drawn = {line.get_label(): line.get_xydata().tolist() for line in axis.lines}
    assert drawn["one kernel"] == [[1, 10], [4, 40]]
    assert drawn["expanded cache"] == [[1, 80]]
    texts = [*axis.get_xticklabels(), *axis.get_yticklabels(), *axis.get_legend().get_texts()]
    assert all(text.get_fontsize() >= 9 for text in texts)
    with pytest.raises(LookupError, match="no rows of llama-3-8b with batch 3"):
        draw_attention_batch(run, *WHICH, batch=3)


def test_cells_in_which_another_was_faster(run):
    assert slower_cells(run) == []
    fast, faster = row(1, 1), row(1, 4)
    fast["us"] = {"ours": 10.0, "expanded": 9.0}
    faster["us"] = {"ours": 10.0, "two_segments": 5.0, "flex": None}
    run["rows"] += [fast, faster]
    assert slower_cells(run) == [faster, fast]


def test_the_middle_of_the_recorded_lengths(run):
    assert middle(run, "llama-3-8b") == WHICH
    lengths = [(128, 1), (1024, 512), (1024, 1), (8192, 64), (1024, 64)]
    run["rows"] = [row(1, 1, prompt=prompt, response=response) for prompt, response in lengths]
    run["rows"].append(row(1, 1, prompt=7, response=7, shape="llama-2-7b"))
    assert middle(run, "llama-3-8b") == ("llama-3-8b", 1024, 64)
    assert middle(run, "llama-2-7b") == ("llama-2-7b", 7, 7)


def test_the_limit_is_the_bytes_at_the_measured_bandwidth(run):
    assert least_us(run, row(1, 4)) == pytest.approx(64e6 / 4000e9 * 1e6)


def test_a_panel_per_batch_and_a_line_per_implementation(run):
    figure = draw_attention_cells(run, *WHICH)
    assert (
        figure.get_suptitle()
        == "llama-3-8b, bfloat16, prompt 1024, response 64: Some GPU, 2026-01-02"
    )
    assert [axis.get_title() for axis in figure.axes] == ["batch 1", "batch 8"]
    drawn = [
        {line.get_label(): line.get_xydata().tolist() for line in axis.lines}
        for axis in figure.axes
    ]
    assert [list(panel) for panel in drawn] == [[*NAMES.values(), "reading the bytes"]] * 2
    assert drawn[0]["one kernel"] == [[1, 10], [4, 40]]
    assert drawn[0]["two and a merge"] == [[1, 15], [4, 60]]
    assert drawn[1]["expanded cache"] == [[1, 80]]
    assert drawn[1]["FlexAttention"] == [[1, 20]]
    assert drawn[0]["FlexAttention"] == []
    assert drawn[1]["reading the bytes"] == [[1, 4], [4, 16]]
    assert all(axis.get_ylim()[0] == 0 for axis in figure.axes)


@pytest.mark.parametrize("recorded", attention_runs(), ids=lambda recorded: recorded["device"])
def test_every_recorded_run_has_table_and_picture(recorded):
    for which in sorted(
        {(cell["shape"], cell["prompt"], cell["response"]) for cell in recorded["rows"]}
    ):
        batches, beams = ([cell[x] for cell in recorded["rows"]] for x in ("batch", "beams"))
        table = attention_table(recorded, *which, batches, beams)
        assert len(table.splitlines()) == 2 + len(cells(recorded, *which))
        draw_attention_cells(recorded, *which)


def trace_of(loaded):
    """A trace with head vectors of two elements: `loaded` slots by tensor, in the order of their loads."""
    accesses = tuple(
        Access((0, 0, 0), "load", tensor, tuple((2 * slot, 2 * slot + 1) for slot in slots), "")
        for tensor, slots in loaded
    )
    return Trace("attention", {"prompt_k": (1, 1, 3, 2), "response_k": (1, 1, 4, 2)}, {}, accesses)


@pytest.fixture
def trace():
    return trace_of(
        [("prompt_k", (0, 1)), ("prompt_k", (2,)), ("response_k", (0, 2)), ("response_k", (0,))]
    )


def test_loads_are_counted_by_slot(trace):
    assert loads(trace, "prompt_k") == [1, 1, 1]
    assert loads(trace, "response_k") == [2, 0, 1, 0]


def test_other_heads_and_stores_are_not_counted():
    shapes = {"prompt_k": (2, 2, 3, 2)}
    lanes = tuple((2 * slot, 2 * slot + 1) for slot in range(12))
    accesses = tuple(Access((0,), kind, "prompt_k", lanes, "") for kind in ("load", "store"))
    assert loads(Trace("attention", shapes, {}, accesses), "prompt_k") == [1, 1, 1]


def test_reads_are_drawn_at_their_slots(trace):
    other = trace_of([("prompt_k", (0, 1, 2)), ("response_k", (1,))])
    figure = draw_reads({"one": trace, "another": other}, 2)
    assert [axis.get_title(loc="left") for axis in figure.axes] == ["one", "another"]
    drawn = {
        (int(square.get_x()), int(square.get_y())): square.get_facecolor()
        for square in figure.axes[0].patches
    }
    colours = {
        (0, 0): MOVED,
        (1, 0): MOVED,
        (2, 0): MOVED,
        (3, 1): LIMIT,
        (3, 2): NEVER,
        (4, 1): MOVED,
        (4, 2): NEVER,
    }
    assert drawn == {place: to_rgba(colour) for place, colour in colours.items()}
    assert [text.get_text() for text in figure.axes[0].texts] == ["1", "1", "1", "2", "1"]
    assert [text.get_text() for text in figure.axes[1].texts] == ["1", "1", "1", "1"]
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == [
        "prompt",
        "response 0",
        "response 1",
    ]
