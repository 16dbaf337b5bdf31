"""The waterfall of the course: its bars are differences of the cost model, which equal the counts."""

from dataclasses import replace
from functools import partial
from itertools import pairwise

import pytest
import torch

import models
import tinyllm
from tinyllm.cache.segment import SegmentCache
from tinyllm.cost.model import least_bytes, pass_cost, reorder_cost
from tinyllm.draw import saved
from tinyllm.draw.picture import Picture, smallest_letters
from tinyllm.draw.saved import MODEL, NAMES, WORK, draw_saved, saved_as_text, saved_steps
from tinyllm.kernels import TORCH
from tinyllm.lab.counters import observe, observe_reorder
from tinyllm.lab.shapes import known_config
from tinyllm.ops import FUSED, NAIVE
from tinyllm.ops.qkv import naive_norm_qkv

SMOLLM, STAGES = known_config(MODEL), tinyllm.STAGES
TINY = replace(WORK, held=12, steps=5, kernels="torch")
LEAVES = {
    2: "naive",
    6: "fused",
    9: "segment",
    11: "sdpa",
    12: "final",
    14: "final",
}
every_kind = pytest.mark.parametrize("kernels", ["triton", "sycl", "torch"])


def step(stage, config=SMOLLM, work=WORK):
    cost = pass_cost(stage, config, work) + reorder_cost(stage, config, work)
    return cost.launches, cost.bytes, 2 * cost.kv_copied


def step_bytes(stage, work):
    return step(stage, work=work)[1]


def naive_but(*names):
    return replace(
        STAGES["naive"], ops=replace(NAIVE, **{name: getattr(FUSED, name) for name in names})
    )


def taken(steps):
    """The bytes that each notebook takes off a step."""
    return {after.notebook: before.bytes - after.bytes for before, after in pairwise(steps)}


@every_kind
def test_steps_of_stages_are_those_of_the_cost_model(kernels):
    work = replace(WORK, kernels=kernels)
    steps = {s.notebook: s[1:4] for s in saved_steps(14, work=work) if s.notebook in LEAVES}
    assert steps == {n: step(STAGES[name], work=work) for n, name in LEAVES.items()}


@every_kind
def test_each_change_is_a_difference_of_two_passes(kernels):
    work = replace(WORK, kernels=kernels)
    naive, fused, segment, sdpa, _ = (step_bytes(stage, work) for stage in STAGES.values())
    norms = (2 * SMOLLM.num_hidden_layers + 1) * (naive - step_bytes(naive_but("norm_head"), work))
    tables = naive - step_bytes(naive_but("rotary_tables"), work)
    rotation = tables - saved.rotation_change(SMOLLM, work).bytes
    assert taken(saved_steps(14, work=work)) == {
        4: norms,
        5: rotation,
        6: naive - norms - rotation - fused,
        9: fused - segment,
        11: segment - sdpa,
        12: 0,
        14: 0,
    }


def test_a_fused_norm_is_read_once_and_written_once():
    """Notebook 04 by hand: one kernel moves a row twice and the weight once; six launches move it eight times."""
    rows, m, norms = 4 * WORK.copies, SMOLLM.hidden_size, 2 * SMOLLM.num_hidden_layers + 1
    numbers = 6 * rows  # one number per row: mean, + eps, 1 / sqrt, each written and read
    steps = saved_steps(4)
    assert taken(steps) == {4: norms * (7 * rows * m + 4 * m + numbers - (2 * rows * m + 4 * m))}
    assert steps[0].launches - steps[1].launches == 5 * norms


def counted(model, work):
    """The counted step of a beam search: the reorder of a filled cache, then the pass."""
    rows = 1 if issubclass(model.stage.cache, SegmentCache) else work.copies
    cache = model.new_cache(work.batch, work.copies, work.steps + 1)
    model.step(torch.ones(rows, work.held - work.steps, dtype=torch.int64), None, cache)
    token = torch.ones(work.copies // cache.copies, cache.copies, dtype=torch.int64)
    for _ in range(work.steps):
        model.step(token, None, cache)
    reorder = observe_reorder(cache, torch.arange(work.copies))
    return reorder + observe(model, token, None, cache).total


@pytest.mark.parametrize("notebook", LEAVES)
def test_a_step_equals_the_count(notebook):
    model = tinyllm.optimize(models.tiny(), stage=LEAVES[notebook])
    seen, last = counted(model, TINY), saved_steps(notebook, model.config, TINY)[-1]
    assert last[:4] == (notebook, seen.launches, seen.bytes, 2 * seen.kv_copied)


def rotates_into_the_cache(x, norm, qkv_proj, rope, kv):
    """The naive operation with one call that rotates q and k and writes into the cache."""
    slots = kv.slots(x.shape[1])
    qkv = naive_norm_qkv(x, norm, qkv_proj)
    return TORCH.rope_and_store(
        *qkv, rope.cos, rope.sin, slots.k, slots.v, rope.interleaved, slots.start
    )[0]


ROTATION = {"rotary_tables": FUSED.rotary_tables, "norm_qkv_rope": rotates_into_the_cache}
CHANGES = {  # operations of a kernel set, and the predicted change
    "norm": (
        {"norm_head": partial(FUSED.norm_head, TORCH)},
        lambda *work: saved.change(*work, "norm_head"),
    ),
    "rotation": (
        ROTATION,
        lambda *work: saved.change(*work, "rotary_tables") + saved.rotation_change(*work),
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_equals_the_count(name):
    hf, (operations, change) = models.tiny(), CHANGES[name]
    changed = replace(STAGES["naive"], ops=replace(NAIVE, **operations))
    seen = [
        counted(tinyllm.optimize(hf, stage=stage), TINY) for stage in (STAGES["naive"], changed)
    ]
    assert seen[0] + change(tinyllm.optimize(hf).config, TINY) == seen[1]


def test_each_notebook_adds_its_step_to_the_same_ones():
    for notebook in NAMES:
        steps = saved_steps(notebook)
        assert [one.notebook for one in steps] == [n for n in NAMES if n <= notebook]
        assert steps == saved_steps(14)[: len(steps)], "a step once drawn stays what it was"


def test_every_notebook_but_the_last_two_saves_launches_or_bytes():
    """09 adds launches, and saves bytes; 12 changes what a launch takes; 14 repeats the end."""
    steps = {one.notebook: one for one in saved_steps(14)}
    fewer = [b.notebook for a, b in pairwise(steps.values()) if b.launches < a.launches]
    assert fewer == [4, 5, 6, 11]
    assert [n for n, size in taken(steps.values()).items() if size > 0] == [4, 5, 6, 9, 11]
    assert steps[12].launch_seconds < steps[11].launch_seconds / 4
    assert steps[14][1:] == steps[12][1:]


def test_copies_end_with_the_segment_cache():
    copied = {one.notebook: one.copied for one in saved_steps(14)}
    rows, token = 4 * WORK.held, 2 * 30 * 3 * 64 * 4  # k and v of 30 layers, 3 heads of 64 float32
    assert copied == {
        n: 2 * 2 * rows * token if n < 9 else 0 for n in NAMES
    }  # reorder and growth; read and written


def test_times_are_launches_and_bytes_over_what_is_assumed():
    for one in saved_steps(14):
        per_launch = 1e-6 if one.notebook in (12, 14) else 5e-6
        assert one.launch_seconds == pytest.approx(one.launches * per_launch)
        assert one.byte_seconds == pytest.approx(one.bytes / 456e9)


def test_another_gpu_reads_the_same_bytes_in_another_time():
    here, there = (saved_steps(14, gpu=name) for name in ("B580", "1550"))
    assert [one[:5] for one in here] == [one[:5] for one in there]
    ratios = {round(b.byte_seconds / a.byte_seconds, 9) for a, b in zip(here, there, strict=True)}
    assert ratios == {round(456 / 1638.4, 9)}
    assert "1,638 GB/s" in saved_as_text(4, "1550")


def test_no_step_moves_less_than_the_limit():
    assert all(one.bytes > least_bytes(SMOLLM, WORK) for one in saved_steps(14))


def test_the_text_has_the_numbers_of_the_steps():
    lines = saved_as_text(11).splitlines()
    assert "4 beams, 1,024 tokens in, 32 out" in lines[0]
    assert "456 GB/s" in lines[1] and "(assumed)" in lines[1]
    numbers = [[float(cell.replace(",", "")) for cell in line.split()[-5:]] for line in lines[3:-1]]
    for found, one in zip(numbers, saved_steps(11), strict=True):
        launches, launch_ms, megabytes, copied, byte_ms = found
        assert launches == one.launches
        assert (megabytes, copied) == pytest.approx((one.bytes / 1e6, one.copied / 1e6), abs=0.05)
        assert launch_ms == pytest.approx(1e3 * one.launch_seconds, abs=0.005)
        assert byte_ms == pytest.approx(1e3 * one.byte_seconds, abs=0.005)
    assert f"{least_bytes(SMOLLM, WORK) / 1e6:,.1f}" in lines[-1]
    assert max(map(len, lines)) <= 90


@pytest.fixture
def figure(monkeypatch):
    figures = []
    monkeypatch.setattr(
        saved, "picture", lambda figure, alt: figures.append(figure) or Picture(b"", alt)
    )
    draw_saved(9)
    return figures[0]


def test_bars_are_as_long_as_the_times(figure):
    (axes,) = figure.axes
    bars = [bar for bar in axes.patches if not bar.get_hatch()]
    copies = [bar for bar in axes.patches if bar.get_hatch()]
    steps = saved_steps(9)
    times = [1e3 * t for one in steps for t in (one.launch_seconds, one.byte_seconds)]
    assert [bar.get_width() for bar in bars] == pytest.approx(times)
    copied = [1e3 * one.copied / 456e9 for one in steps if one.copied]
    assert [bar.get_width() for bar in copies] == pytest.approx(copied)
    assert [label.get_text()[:2] for label in axes.get_yticklabels()] == [
        "02",
        "04",
        "05",
        "06",
        "09",
    ]


def test_letters_can_be_read_on_a_phone(figure):
    figure.draw_without_rendering()
    assert smallest_letters(figure) >= 8


@pytest.mark.parametrize("notebook", [1, 3, 7, 8, 10, 13, 15])
def test_notebooks_that_change_nothing_raise(notebook):
    models.says(
        ValueError,
        f"notebook {notebook}: expected one of {list(NAMES)}, those that change a step",
        lambda: saved_steps(notebook),
    )
