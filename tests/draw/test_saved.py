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
from tinyllm.draw.picture import Picture
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
    5: "fused",
    6: "fused",
    7: "fused",
    8: "segment",
    9: "segment",
    10: "sdpa",
    11: "final",
    12: "final",
}
NOTHING = [6, 7, 9, 11, 12]
every_kind = pytest.mark.parametrize("kernels", ["triton", "sycl", "torch"])


def step_bytes(stage, config=SMOLLM, work=WORK):
    return pass_cost(stage, config, work).bytes + reorder_cost(stage, config, work).bytes


def naive_but(*names):
    return replace(
        STAGES["naive"], ops=replace(NAIVE, **{name: getattr(FUSED, name) for name in names})
    )


def taken(steps):
    return {step.notebook: step.taken for step in steps}


@every_kind
def test_bars_lead_from_stage_to_stage(kernels):
    work = replace(WORK, kernels=kernels)
    steps = saved_steps(12, work=work)
    assert {s.notebook: s.left for s in steps if s.notebook in LEAVES} == {
        n: step_bytes(STAGES[name], work=work) for n, name in LEAVES.items()
    }
    assert [a.left - b.taken for a, b in pairwise(steps)] == [step.left for step in steps[1:]]
    assert steps[0].left - sum(step.taken for step in steps) == step_bytes(
        STAGES["final"], work=work
    )


@every_kind
def test_each_bar_is_a_difference_of_two_passes(kernels):
    work = replace(WORK, kernels=kernels)
    naive, fused, segment, sdpa, _ = (step_bytes(stage, work=work) for stage in STAGES.values())
    norms = (2 * SMOLLM.num_hidden_layers + 1) * (
        naive - step_bytes(naive_but("norm_head"), work=work)
    )
    tables = naive - step_bytes(naive_but("rotary_tables"), work=work)
    rotation = tables - saved.rotation_change(SMOLLM, work).bytes
    bars = {
        3: norms,
        4: rotation,
        5: naive - norms - rotation - fused,
        8: fused - segment,
        10: segment - sdpa,
    }
    assert taken(saved_steps(12, work=work)) == dict.fromkeys(NAMES, 0) | bars


def test_a_fused_norm_is_read_once_and_written_once():
    """Notebook 03 by hand: one kernel moves a row twice and the weight once; six launches move it eight times."""
    rows, m, norms = 4 * WORK.copies, SMOLLM.hidden_size, 2 * SMOLLM.num_hidden_layers + 1
    numbers = 6 * rows  # one number per row: mean, + eps, 1 / sqrt, each written and read
    assert taken(saved_steps(3))[3] == norms * (
        7 * rows * m + 4 * m + numbers - (2 * rows * m + 4 * m)
    )


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


@pytest.mark.parametrize("notebook", [2, 5, 8, 10, 11])
def test_remaining_bytes_equal_the_count(notebook):
    model = tinyllm.optimize(models.tiny(), stage=LEAVES[notebook])
    seen, step = counted(model, TINY), saved_steps(notebook, model.config, TINY)[-1]
    assert (step.notebook, step.left, step.copied) == (notebook, seen.bytes, 2 * seen.kv_copied)


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


def test_bars_come_in_the_order_of_the_notebooks():
    for notebook in NAMES:
        steps = saved_steps(notebook)
        assert [step.notebook for step in steps] == list(range(2, notebook + 1))
        assert steps == saved_steps(12)[: len(steps)], "a bar once drawn stays what it was"


def test_notebooks_that_save_no_bytes():
    bars = taken(saved_steps(12))
    assert [n for n, size in bars.items() if size == 0] == [2, *NOTHING]
    assert [NAMES[n] for n in NOTHING] == [
        name for name in NAMES.values() if name.startswith("(")
    ] + ["in the end"]


def test_copies_end_with_the_segment_cache():
    copied = {step.notebook: step.copied for step in saved_steps(12)}
    rows, token = 4 * WORK.held, 2 * 30 * 3 * 64 * 4  # k and v of 30 layers, 3 heads of 64 float32
    assert copied == {
        n: 2 * 2 * rows * token if n < 8 else 0 for n in NAMES
    }  # reorder and growth; read and written


def test_no_bar_ends_below_the_limit():
    assert all(step.left > least_bytes(SMOLLM, WORK) for step in saved_steps(12))


def test_the_text_has_the_numbers_of_the_bars():
    lines = saved_as_text(10).splitlines()
    assert "4 beams, 1,024 tokens in, 32 out" in lines[0] and "our kernels on a GPU" in lines[1]
    numbers = [[int(cell.replace(",", "")) for cell in line.split()[-3:]] for line in lines[3:-1]]
    assert numbers == [list(step[1:]) for step in saved_steps(10)]
    assert f"{least_bytes(SMOLLM, WORK):,}" in lines[-1]


def test_bars_are_drawn_at_the_steps(monkeypatch):
    figures = []
    monkeypatch.setattr(
        saved, "picture", lambda figure, alt: figures.append(figure) or Picture(b"", alt)
    )
    draw_saved(8)
    (axes,) = figures[0].axes
    bars = [bar for bar in axes.patches if not bar.get_hatch()]
    steps, megabytes = saved_steps(8), pytest.approx
    assert [bar.get_width() for bar in bars] == megabytes(
        [steps[0].left / 1e6, *(s.taken / 1e6 for s in steps[1:])]
    )
    assert [bar.get_x() for bar in bars] == megabytes([0, *(step.left / 1e6 for step in steps[1:])])
    assert [bar.get_width() for bar in axes.patches if bar.get_hatch()] == megabytes(
        [steps[0].copied / 1e6] * 2
    )
    assert "copied" in axes.get_xlabel() and "our kernels on a GPU" in axes.get_xlabel()


@pytest.mark.parametrize("notebook", [1, 13])
def test_notebooks_without_a_bar_raise(notebook):
    models.says(
        ValueError,
        f"notebook {notebook}: expected one of {list(NAMES)}, those that have a bar",
        lambda: saved_steps(notebook),
    )
