"""What each notebook saves: launches and bytes of one step of a beam search, and the time they mean on a GPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from tinyllm.bench.table import aligned
from tinyllm.config import DecoderConfig
from tinyllm.cost.cache import costs_of
from tinyllm.cost.model import as_stored, least_bytes, pass_cost, reorder_cost
from tinyllm.cost.ops import fused_rope_and_store_cost, naive_rope_cost
from tinyllm.cost.workload import Cost, Workload
from tinyllm.draw.ladder import LIMIT, MOVED, OURS
from tinyllm.draw.picture import Picture, picture
from tinyllm.lab.intel_gpus import IntelGPU, intel_gpu
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
CASE = f"{WORK.copies} beams, {WORK.held - WORK.steps:,} tokens in, {WORK.steps} out"
# The notebooks that change a step; all others have no bar.
NAMES: Mapping[int, str] = MappingProxyType(
    {
        2: "naive",
        4: "norms fused",
        5: "rotation fused",
        6: "matmuls merged",
        9: "segment cache",
        11: "segment kernel",
        12: "launches replayed",
        14: "in the end",
    }
)
# Assumed seconds of a launch: from Python, and when a graph replays it.
LAUNCH, REPLAYED = 5e-6, 1e-6
GPU = "Arc B580"


class Saved(NamedTuple):
    """A step after a notebook: launches, bytes, those of them that copy the cache, and the seconds both mean."""

    notebook: int
    launches: int
    bytes: int
    copied: int
    launch_seconds: float
    byte_seconds: float


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

    No operation is a norm alone, but `norm_head` fuses the norm alone. So 04 saves that much for every norm: two in
    each layer and the one before the head. 05 saves the rotation, which is part of an operation too. 06 saves the rest
    of `fused`.
    """
    naive, fused, segment, sdpa, final = (
        step_cost(stage, config, work) for stage in STAGES.values()
    )
    normed = naive + change(config, work, "norm_head") * (1 + 2 * config.num_hidden_layers)
    rotated = normed + change(config, work, "rotary_tables") + rotation_change(config, work)
    after = [naive, normed, rotated, fused, segment, sdpa, final, final]
    return dict(zip(NAMES, after, strict=True))


def saved_steps(
    notebook: int,
    config: DecoderConfig | None = None,
    work: Workload = WORK,
    gpu: str = GPU,
) -> list[Saved]:
    """The steps of the notebooks from 02 to this one. Raises ValueError for a notebook that changes nothing."""
    if notebook not in NAMES:
        raise ValueError(
            f"notebook {notebook}: expected one of {list(NAMES)}, those that change a step"
        )
    after, card = costs(config or known_config(MODEL), work), intel_gpu(gpu)
    return [_saved(n, cost, card) for n, cost in after.items() if n <= notebook]


def _saved(notebook: int, cost: Cost, gpu: IntelGPU) -> Saved:
    seconds = cost.launches * (LAUNCH if notebook < 12 else REPLAYED)
    return Saved(
        notebook, cost.launches, cost.bytes, 2 * cost.kv_copied, seconds, gpu.seconds(cost.bytes)
    )


def saved_as_text(notebook: int, gpu: str = GPU) -> str:
    """The steps up to this notebook as a table, with the time they mean on a GPU of the card."""
    width, card = max(len(_label(n)) for n in NAMES), intel_gpu(gpu)
    rows = [
        (
            _label(s.notebook).ljust(width),
            f"{s.launches:,}",
            _ms(s.launch_seconds),
            f"{s.bytes / 1e6:,.1f}",
            f"{s.copied / 1e6:,.1f}",
            _ms(s.byte_seconds),
        )
        for s in saved_steps(notebook, gpu=gpu)
    ]
    least = least_bytes(known_config(MODEL), WORK)
    limit = "limit".ljust(width), "-", "-", f"{least / 1e6:,.1f}", "0.0", _ms(card.seconds(least))
    head = ("".ljust(width), "launches", "ms", "MB", "copied", "ms")
    lines = f"a step of {MODEL}: {CASE}, float32", _assumed(card), aligned([head, *rows, limit])
    return "\n".join(lines)


def _assumed(gpu: IntelGPU) -> str:
    """The assumptions behind the times, in one line."""
    return (
        f"predicted for {gpu.name}: {gpu.bandwidth / 1e9:,.0f} GB/s; "
        f"a launch {1e6 * LAUNCH:.0f} us, replayed {1e6 * REPLAYED:.0f} us (assumed)"
    )


def _ms(seconds: float) -> str:
    return f"{1e3 * seconds:.2f}"


def draw_saved(notebook: int, gpu: str = GPU) -> Picture:
    """Two bars for each notebook up to this one, launches and bytes of a step as time; hatched are copies."""
    from matplotlib.figure import Figure

    steps, card = saved_steps(notebook, gpu=gpu), intel_gpu(gpu)
    limit = 1e3 * card.seconds(least_bytes(known_config(MODEL), WORK))
    figure = Figure(figsize=(4.9, 1.5 + 0.5 * len(steps)), layout="constrained", dpi=140)
    axes = figure.subplots()
    _draw(axes, steps)
    axes.axvline(limit, color=LIMIT, linestyle="--", linewidth=1)
    axes.text(
        limit, -0.55, f"limit {limit:.1f} ms", color=LIMIT, fontsize=9, ha="center", va="bottom"
    )
    axes.set_xlabel(
        f"predicted ms of a step on {card.name}:\ndark launches, light bytes, hatched copies",
        fontsize=9,
    )
    return picture(
        figure,
        "two bars for each notebook, the time of the launches and of the bytes of a step, and the limit",
    )


def _draw(axes: Axes, steps: Sequence[Saved]) -> None:
    for y, step in enumerate(steps):
        launches, moved = 1e3 * step.launch_seconds, 1e3 * step.byte_seconds
        copied = moved * step.copied / step.bytes
        axes.barh(y - 0.2, launches, height=0.36, color=OURS)
        axes.barh(y + 0.2, moved, height=0.36, color=MOVED)
        if copied:
            axes.barh(
                y + 0.2, copied, left=moved - copied, height=0.36, fill=False, hatch="///", lw=0.5
            )
        for at, length, text in (
            (y - 0.2, launches, f"{step.launches:,}"),
            (y + 0.2, moved, f"{step.bytes / 1e6:,.0f} MB"),
        ):
            axes.text(length, at, f" {text}", va="center", fontsize=9)
    longest = 1e3 * max(steps[0].launch_seconds, steps[0].byte_seconds)
    axes.set_yticks(range(len(steps)), [_label(step.notebook) for step in steps])
    axes.tick_params(labelsize=9)
    axes.set(xlim=(0, 1.15 * longest), ylim=(len(steps) - 0.5, -0.6))
    axes.spines[["top", "right"]].set_visible(False)


def _label(notebook: int) -> str:
    return f"{notebook:02} {NAMES[notebook]}"
