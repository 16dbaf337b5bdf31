"""Pictures of rows: waterfall, latency and throughput."""

from collections import namedtuple
from dataclasses import replace

import tinyllm
from tinyllm.draw.latency import draw_latency
from tinyllm.draw.recorded_runs import draw_rows
from tinyllm.draw.throughput import draw_batches
from tinyllm.draw.waterfall import SAVED, draw_searches, draw_waterfall, steps


def ladder_of(row):
    """Rows of a ladder with two peers and three stages."""
    ms = {"hf": 40.0, "hf-static": 12.0, "naive": 38.0, "fused": 30.0, "segment": 33.0}
    ours = {"moved_bytes_per_token": 10**9}
    return [
        replace(
            row,
            stage=name,
            next_token_ms=time,
            **(ours if name in tinyllm.STAGES else {"moved_bytes_per_token": None}),
        )
        for name, time in ms.items()
    ]


def test_a_waterfall_from_the_first_stage_to_the_last(row):
    rows = ladder_of(row)
    bars = steps(rows, [row.next_token_ms for row in rows])
    Bar = namedtuple("Bar", "name start end colour")
    naive, fused, segment, end = (Bar(*bar) for bar in bars[2:])
    assert (naive.start, naive.end, end.end) == (0.0, 38.0, 33.0)
    assert (fused.start, fused.end, fused.colour) == (38.0, 30.0, SAVED)
    assert segment.start == 30.0 and segment.colour != SAVED
    times, sizes = draw_waterfall(rows).axes
    assert [bar.get_width() for bar in times.patches] == [40.0, 12.0, 38.0, -8.0, 3.0, 33.0]
    texts = [text.get_text() for text in times.texts]
    assert "−8.0 → 30.0 ms, 1.33x hf" in texts and any(text.startswith(" limit") for text in texts)
    assert [text.get_text() for text in sizes.texts][:2] == ["not counted"] * 2


def test_searches_of_one_prompt_have_a_waterfall_each(row):
    groups = [[replace(r, num_beams=w) for r in ladder_of(row)] for w in (1, 4)]
    groups[1] = [replace(r, next_token_ms=2 * r.next_token_ms) for r in groups[1]]
    greedy, beams = draw_searches(groups).axes
    assert [bar.get_width() for bar in greedy.patches] == [40.0, 12.0, 38.0, -8.0, 3.0, 33.0]
    assert [bar.get_width() for bar in beams.patches] == [80.0, 24.0, 76.0, -16.0, 6.0, 66.0]
    assert greedy.get_xlabel().endswith("greedy") and beams.get_xlabel().endswith("4 beams")
    drawn = draw_rows([r for group in groups for r in group])
    assert [axes.get_xlabel() for axes in drawn.axes] == [greedy.get_xlabel(), beams.get_xlabel()]


def test_latency_has_a_line_for_each_engine_and_the_limit(row):
    rows = [
        replace(r, prompt_tokens=t, num_beams=w)
        for r in ladder_of(row)
        for t in (32, 128)
        for w in (1, 4)
    ]
    greedy, beams, widths = draw_latency(rows).axes
    for axes in (greedy, beams, widths):
        assert [line.get_label() for line in axes.lines] == [
            *(r.stage for r in ladder_of(row)),
            "limit",
        ]
    assert greedy.lines[0].get_ydata().tolist() == [40.0, 40.0]
    assert widths.get_title() == "a prompt of 128 tokens" and beams.get_title() == "4 beams"


def test_throughput_is_drawn_over_the_batch(row):
    rows = [
        replace(r, batch=b, largest_batch=8, seconds=2.0, num_beams=w, memory_budget_bytes=10**9)
        for r in ladder_of(row)
        for b in (1, 8)
        for w in (1, 4)
    ]
    greedy, beams = draw_batches(rows).axes
    assert (greedy.get_title(), beams.get_title()) == ("greedy", "4 beams")
    assert greedy.lines[0].get_xdata().tolist() == [1, 8]
    assert greedy.lines[0].get_ydata().tolist() == [2.0, 16.0]
    assert greedy.lines[0].get_label() == "hf: 8 at a time, 16 tokens/s"


def test_the_picture_depends_on_the_rows(row):
    rows = ladder_of(row)
    over = [replace(r, prompt_tokens=99) for r in rows]
    assert len(draw_rows([*rows, *over]).axes) == 1  # latency over prompts
    assert len(draw_rows(rows).axes[0].patches) == len(rows) + 1  # a waterfall
    assert len(draw_rows(rows[:3]).axes[0].patches) == 3  # one stage is no ladder
