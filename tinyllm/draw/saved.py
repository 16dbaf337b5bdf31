"""The bytes of one step of a beam search after each notebook: a waterfall with a bar per notebook."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from tinyllm.bench.table import aligned
from tinyllm.config import DecoderConfig
from tinyllm.cost.cache import costs_of
from tinyllm.cost.model import as_stored, least_bytes, pass_cost, reorder_cost
from tinyllm.cost.ops import fused_rope_and_store_cost, naive_rope_cost
from tinyllm.cost.workload import Cost, Workload
from tinyllm.draw.ladder import LIMIT, OURS
from tinyllm.draw.picture import Picture, picture
from tinyllm.draw.waterfall import LOST, SAVED
from tinyllm.lab.shapes import known_config
from tinyllm.ops import FUSED, NAIVE
from tinyllm.stages import STAGES, Stage

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# The same in all notebooks: a prompt of 1,024 tokens, four beams, 32 steps after it, float32, our kernels.
MODEL, WORK = (
    "smollm2-135m",
    Workload(batch=1, tokens=1, held=1024 + 32, size=4, kernels="triton", copies=4, steps=32),
)
TITLE = f"bytes of a step of {MODEL}, {WORK.copies} beams, {WORK.held - WORK.steps:,} tokens in, {WORK.steps} out"
SUBTITLE = "float32, as predicted for our kernels on a GPU"
# By notebook; names in parentheses save no bytes.
NAMES = (
    {2: "naive", 3: "norms fused", 4: "rotation and cache write", 5: "merged products and MLP"}
    | {
        6: "(the same for Intel)",
        7: "(what beams copy)",
        8: "segment cache",
        9: "(attention in one pass)",
    }
    | {10: "segment kernel", 11: "(graphs)", 12: "in the end"}
)


class Saved(NamedTuple):
    """The bytes of a step that a notebook saves, those that remain, and the copies of the cache among these."""

    notebook: int
    taken: int
    left: int
    copied: int


def step_cost(stage: Stage, config: DecoderConfig, work: Workload) -> Cost:
    """One step of a beam search: the reorder of the cache, and the pass after it."""
    return pass_cost(stage, config, work) + reorder_cost(stage, config, work)


def change(config: DecoderConfig, work: Workload, *names: str) -> Cost:
    """The change in cost of the naive stage when some of its operations are fused."""
    naive = STAGES["naive"]
    some = replace(naive, ops=replace(NAIVE, **{name: getattr(FUSED, name) for name in names}))
    return step_cost(some, config, work) + step_cost(naive, config, work) * -1


def rotation_change(config: DecoderConfig, work: Workload) -> Cost:
    """The change in cost of the naive stage when one launch rotates q and k and writes into the cache."""
    naive = STAGES["naive"]
    stored = as_stored(naive, work)
    cache = costs_of(naive.cache)
    before = naive_rope_cost(config, stored) + cache.append(config, stored)
    after = fused_rope_and_store_cost(config, stored) + cache.slots(config, stored)
    return (after + before * -1) * config.num_hidden_layers


def costs(config: DecoderConfig, work: Workload) -> dict[int, Cost]:
    """The cost of a step after each notebook, from the cost model, with one part changed at a time.

    No operation is a norm alone, but `norm_head` fuses the norm alone. So 03 saves that much for every norm: two in
    each layer and the one before the head. 04 saves the rotation, which is part of an operation too. 05 saves the rest
    of `fused`.
    """
    naive, fused, segment, sdpa, final = (
        step_cost(stage, config, work) for stage in STAGES.values()
    )
    normed = naive + change(config, work, "norm_head") * (1 + 2 * config.num_hidden_layers)
    rotated = normed + change(config, work, "rotary_tables") + rotation_change(config, work)
    after = [naive, normed, rotated, fused, fused, fused, segment, segment, sdpa, final, final]
    return dict(zip(NAMES, after, strict=True))


def saved_steps(
    notebook: int, config: DecoderConfig | None = None, work: Workload = WORK
) -> list[Saved]:
    """The bars of the notebooks from 02 to this one. Raises ValueError for a notebook without a bar."""
    if notebook not in NAMES:
        raise ValueError(
            f"notebook {notebook}: expected one of {list(NAMES)}, those that have a bar"
        )
    after = costs(config or known_config(MODEL), work)
    before = [0, after[2].bytes, *(cost.bytes for cost in after.values())]
    steps = [
        Saved(n, before[n - 1] - cost.bytes, cost.bytes, 2 * cost.kv_copied)
        for n, cost in after.items()
    ]
    return [step for step in steps if step.notebook <= notebook]


def saved_as_text(notebook: int) -> str:
    """The waterfall up to this notebook as a table."""
    width = max(map(len, NAMES.values())) + 3
    rows = [
        (_label(s).ljust(width), *(f"{size:,}" for size in s[1:])) for s in saved_steps(notebook)
    ]
    limit = ("limit".ljust(width), "-", f"{least_bytes(known_config(MODEL), WORK):,}", "-")
    return f"{TITLE}\n{SUBTITLE}\n{aligned([('', 'takes off', 'leaves', 'of it copies'), *rows, limit])}"


def draw_saved(notebook: int) -> Picture:
    """Bars up to this notebook: the naive step, then the bytes that each saves; hatched are copies of the cache."""
    from matplotlib.figure import Figure

    steps, least = saved_steps(notebook), least_bytes(known_config(MODEL), WORK) / 1e6
    figure = Figure(figsize=(7.6, 1.5 + 0.3 * len(steps)), layout="constrained", dpi=100)
    axes = figure.subplots()
    _draw(axes, steps)
    axes.axvline(least, color=LIMIT, linestyle="--", linewidth=1)
    axes.text(
        least, -0.55, f"limit {least:,.1f} MB", color=LIMIT, fontsize=8, ha="center", va="bottom"
    )
    axes.set_xlabel(f"mega{TITLE},\n{SUBTITLE}; hatched: copied by the cache", fontsize=8)
    return picture(
        figure,
        "bytes of a step: the naive one, then a bar for what each notebook takes off, and the limit",
    )


def _draw(axes: Axes, steps: Sequence[Saved]) -> None:
    longest = steps[0].left / 1e6
    for y, (notebook, *sizes) in enumerate(steps):
        total, (taken, left, copied) = notebook in (2, 12), (size / 1e6 for size in sizes)
        start, end = (0, left) if total else (left, left + taken)
        axes.barh(
            y,
            end - start,
            left=start,
            height=0.6,
            color=OURS if total else SAVED if taken >= 0 else LOST,
        )
        if notebook in (2, 7):
            axes.barh(
                y, copied, left=left - copied, height=0.6, fill=False, hatch="//", linewidth=0.5
            )
        text = f"{left:,.1f}" if total else f"{-taken:+,.1f} → {left:,.1f}" if taken else "0"
        axes.text(max(start, end) + 0.01 * longest, y, text, va="center", fontsize=8)
        axes.plot([left, left], [y - 0.3, y + 0.3], color="#666", linewidth=0.8)
    axes.set_yticks(range(len(steps)), [_label(step) for step in steps], fontsize=8)
    axes.set(xlim=(0, 1.25 * longest), ylim=(len(steps) - 0.4, -0.6))
    axes.spines[["top", "right"]].set_visible(False)


def _label(step: Saved) -> str:
    return f"{step.notebook:02} {NAMES[step.notebook]}"
