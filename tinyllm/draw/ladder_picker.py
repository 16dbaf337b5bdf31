"""A widget with the ladder predicted for a GPU: the least time of a token by stage, beam width and prompt."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import inf
from typing import TYPE_CHECKING, NamedTuple

import torch
from ipywidgets import HBox, SelectionSlider, ToggleButtons, VBox

from tinyllm.bench.machine import Machine
from tinyllm.bench.table import aligned
from tinyllm.config import DecoderConfig
from tinyllm.cost.model import least_bytes, pass_cost, reorder_cost, weight_elements
from tinyllm.cost.workload import Cost, Workload
from tinyllm.draw.ladder import LIMIT, OURS, PEER
from tinyllm.draw.stepper import Look, Shown
from tinyllm.runtime.graph import CapturedGraph
from tinyllm.stages import STAGES, Stage

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTHS, PROMPTS, SIZES, GPU = range(1, 9), [2**n for n in range(5, 14)], (2, 4), torch.device("xpu")
HEAD = (
    "stage",
    "MB moved",
    "launches",
    "calls",
    "ms by bytes",
    "ms by calls",
    "ms at least",
    "of the limit",
)


class Rung(NamedTuple):
    """A token of one stage: bytes, launches, calls of the host; milliseconds of bytes, of calls, and the longer."""

    stage: str
    bytes: int
    launches: int
    calls: int
    by_bytes: float
    by_calls: float
    at_least: float


class LadderPicker(Shown):
    """Buttons for the stage and sliders for beam width and prompt, over a prediction for every stage."""

    def __init__(self, look: partial[Look]) -> None:
        self.stage = ToggleButtons(options=list(STAGES), description="stage")
        self.width = SelectionSlider(options=WIDTHS, description="beams")
        self.prompt = SelectionSlider(options=PROMPTS, description="prompt")
        controls = VBox([self.stage, HBox([self.width, self.prompt])])
        super().__init__(controls, [self.stage, self.width, self.prompt], look)


def pick_from_ladder(
    config: DecoderConfig, machine: Machine, *, size: int = 2, new_tokens: int = 128
) -> LadderPicker:
    """A widget that predicts a token in the middle of an answer to one request on a GPU, `size` bytes per element.

    Times are lower bounds: every byte comes from memory, every call takes the time of the smallest launch, and both
    overlap (notebook 12), so that the longer one is the time of the token. Raises ValueError for other sizes, fewer
    than 3 tokens, and a machine without limits.
    """
    limits = machine.read_bandwidth, machine.launch_overhead
    for right, given, expected in (
        (size in SIZES, f"size {size}", f"bytes per element, one of {SIZES}; pass 2 for 16 bits"),
        (
            new_tokens > 2,
            f"new_tokens {new_tokens}",
            "3 or more, one of them in the middle; pass 128",
        ),
        (
            all(0 < x < inf for x in limits),
            machine,
            "limits above 0; pass what measure_machine found",
        ),
    ):
        if not right:
            raise ValueError(f"{given}: expected {expected}")
    return LadderPicker(partial(look, config, machine, size, new_tokens))


def look(
    config: DecoderConfig,
    machine: Machine,
    size: int,
    new: int,
    stage: str,
    width: int,
    prompt: int,
) -> Look:
    """The chosen prediction as bars and as a table, with the limit, the least bytes that must be read."""
    steps, beams = (
        new // 2,
        f"{width} beam{'s' * (width > 1)}",
    )  # the last of `new` tokens is not stored
    work = Workload(
        1,
        1,
        prompt + steps,
        size,
        kernels="triton",
        copies=width,
        steps=steps,
        reserved_steps=new - 1,
    )
    rungs, least = (
        [predict(one, config, machine, work) for one in STAGES.values()],
        least_bytes(config, work),
    )
    limit, gb_s, us = (
        1e3 * least / machine.read_bandwidth,
        machine.read_bandwidth / 1e9,
        1e6 * machine.launch_overhead,
    )
    head = f"{weight_elements(config) / 1e9:.2f} billion weights of {size} bytes, {beams}, {prompt} tokens in, "
    head += f"{steps} of {new} out\n{machine.device}: reads {gb_s:,.0f} GB/s, {us:.3g} us per call of the host"
    table = aligned([HEAD, *(_cells(rung, limit, rung.stage == stage) for rung in rungs)])
    words = f"{head}\n{table}\nlimit: {least / 1e6:,.1f} MB, {limit:.3f} ms; times are lower bounds, shares upper ones"
    alt = f"{beams}, {prompt} tokens in: bars of time by bytes and by calls, {stage} marked, the limit as a line"
    return Look(draw_rungs(rungs, limit, stage), words, f"[picture: {alt}]\n{words}")


def predict(stage: Stage, config: DecoderConfig, machine: Machine, work: Workload) -> Rung:
    """One pass and, with beams, the reorder before it; all launches that a runner replays are one call on a GPU."""
    cost = pass_cost(stage, config, work) + (
        reorder_cost(stage, config, work) if work.copies > 1 else Cost()
    )
    calls = (
        1 if isinstance(stage.runner.repeat(lambda: None, GPU), CapturedGraph) else cost.launches
    )
    times = 1e3 * cost.bytes / machine.read_bandwidth, 1e3 * calls * machine.launch_overhead
    return Rung(stage.name, cost.bytes, cost.launches, calls, *times, max(times))


def _cells(rung: Rung, limit: float, chosen: bool) -> tuple[str, ...]:
    counts = f"{rung.bytes / 1e6:,.1f}", f"{rung.launches:,}", f"{rung.calls:,}"
    times = (f"{ms:.3f}" for ms in (rung.by_bytes, rung.by_calls, rung.at_least))
    return f"{'* ' * chosen}{rung.stage}", *counts, *times, f"{limit / rung.at_least:.1%}"


def draw_rungs(rungs: Sequence[Rung], limit: float, chosen: str) -> Figure:
    """Two bars per stage, the longer of which is its time; the chosen stage on a band, the limit as a dashed line."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.9, 4.4), layout="constrained", dpi=140)
    axes, names = figure.subplots(), [rung.stage for rung in rungs]
    for y, rung in enumerate(rungs):
        in_calls = f" in {rung.calls} call" * (rung.calls != rung.launches)
        _draw_bar(axes, y - 0.2, rung.by_bytes, f"{rung.bytes / 1e6:,.0f} MB", OURS, rung.at_least)
        _draw_bar(
            axes,
            y + 0.2,
            rung.by_calls,
            f"{rung.launches:,} launches{in_calls}",
            PEER,
            rung.at_least,
        )
    axes.axvline(limit, color=LIMIT, linestyle="--", linewidth=1, label=f"limit {limit:.3g} ms")
    axes.axhspan(names.index(chosen) - 0.46, names.index(chosen) + 0.46, color="#fdf3d8", zorder=0)
    axes.set_yticks(range(len(names)), names)
    axes.get_yticklabels()[names.index(chosen)].set_fontweight("bold")
    axes.set(xlim=(0, 1.7 * max(rung.at_least for rung in rungs)), ylim=(len(rungs) - 0.5, -0.5))
    axes.tick_params(labelsize=9)
    axes.set_xlabel(
        "ms per token, at least: bytes blue, calls grey;\nthe longer one decides", fontsize=9
    )
    axes.legend(loc="lower right", frameon=False, fontsize=9, labelcolor=LIMIT)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def _draw_bar(axes: Axes, y: float, ms: float, what: str, colour: str, at_least: float) -> None:
    axes.barh(y, ms, color=colour, height=0.34)
    font = {"fontsize": 9, "fontweight": "bold" if ms == at_least else "normal"}
    box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.5}
    axes.annotate(
        f"{ms:.3g} ms, {what}",
        (ms, y),
        (3, 0),
        textcoords="offset points",
        va="center",
        bbox=box,
        **font,
    )
