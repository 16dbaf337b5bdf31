"""An Xe-core with the hardware threads that a launch fills, and the Xe-cores of several GPUs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tinyllm.draw.ladder import LIMIT, MOVED, OURS, PEER

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from tinyllm.draw.picture import Picture
    from tinyllm.lab.intel_gpus import IntelGPU
    from tinyllm.lab.occupancy import Launch

GROUP_COLOURS = (OURS, "#f2b134", "#3a9d5d", LIMIT, MOVED)
EMPTY = "#eef1f4"


def threads_of_core(launch: Launch, gpu: IntelGPU, core: int = 0) -> list[int]:
    """The work-group, counted from 0, of each filled hardware thread of one Xe-core; groups go round the cores."""
    kind = gpu.architecture
    slots = kind.vector_engines * kind.threads_of_engine(launch.registers)
    groups = range(core, launch.work_groups, gpu.xe_cores)
    resident = list(groups)[: slots // launch.threads]
    return [group for group in resident for _ in range(launch.threads)]


def draw_xe_core(gpu: IntelGPU, launch: Launch) -> Picture:
    """The first Xe-core of a GPU: a column for each vector engine, a cell for each hardware thread.

    Cells of one colour are the sub-groups of one work-group of the launch. The order of the cells is ours: which vector
    engine takes a sub-group is the hardware's choice.
    """
    from tinyllm.draw.picture import picture

    filled = threads_of_core(launch, gpu)
    what = f"an Xe-core of {gpu.name} with {len(filled)} hardware threads of {launch.name}"
    return picture(_core(gpu, launch, filled), f"{what}: vector engines, XMX engines, local memory")


def _core(gpu: IntelGPU, launch: Launch, filled: Sequence[int]) -> Figure:
    from matplotlib.figure import Figure

    kind = gpu.architecture
    engines, threads = kind.vector_engines, kind.threads_of_engine(launch.registers)
    figure = Figure(figsize=(4.9, 3.7), layout="constrained", dpi=110)
    axes = figure.subplots()
    order = {group: i for i, group in enumerate(dict.fromkeys(filled))}
    for slot in range(engines * threads):
        group = filled[slot] if slot < len(filled) else None
        place, colour = (slot % engines, slot // engines), EMPTY
        if group is not None:
            colour = GROUP_COLOURS[order[group] % len(GROUP_COLOURS)]
        _box(axes, place[0] + 0.1, place[1] + 0.08, 0.8, 0.84, colour)
    for engine in range(engines):
        _box(axes, engine + 0.02, -0.05, 0.96, threads + 0.1, "none", edge="black")
        _box(axes, engine + 0.02, threads + 0.25, 0.96, 0.9, "#d9c9ee", edge="black")
    _box(axes, 0.02, threads + 1.4, engines - 0.04, 0.9, "#fdf3d8", edge="black")
    words = (
        (threads / 2, f"{engines} vector engines\n{threads} hardware threads\nof {launch.registers} registers"),
        (threads + 0.7, "XMX engines"),
        (threads + 1.85, "L1 cache and\nlocal memory"),
    )  # fmt: skip
    for y, text in words:
        axes.text(-0.2, y, text, ha="right", va="center", fontsize=9)
    axes.set_title(_title(gpu, launch, len(order), len(filled)), fontsize=9, loc="left")
    axes.set(xlim=(-0.44 * engines, engines), ylim=(threads + 2.5, -0.4))
    axes.axis("off")
    return figure


def _title(gpu: IntelGPU, launch: Launch, groups: int, threads: int) -> str:
    some = f"{groups} work-group{'s' * (groups != 1)}"
    return f"{gpu.name}, {launch.name}: {some} of {launch.threads} sub-groups\non this Xe-core, {threads} threads"


def draw_filled(gpus: Sequence[IntelGPU], launches: Sequence[Sequence[Launch]]) -> Picture:
    """The Xe-cores of each GPU as squares, a line for each of its launches; colour: the share of threads filled."""
    from tinyllm.draw.picture import picture

    names = ", ".join(launch.name.partition(",")[0] for launch in launches[0])
    cores = ", ".join(str(gpu.xe_cores) for gpu in gpus)
    return picture(_filled(gpus, launches), f"how {names} fill {cores} Xe-cores")


def _filled(gpus: Sequence[IntelGPU], launches: Sequence[Sequence[Launch]]) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.9, 1.2 * len(gpus) + 0.3), layout="constrained", dpi=110)
    widest = max(gpu.xe_cores for gpu in gpus)
    panels = figure.subplots(len(gpus), squeeze=False)[:, 0]
    for axes, gpu, some in zip(panels, gpus, launches, strict=True):
        for y, launch in enumerate(some):
            _draw_cores(axes, y, launch, gpu)
        axes.set_yticks([y + 0.5 for y in range(len(some))], [x.name for x in some], fontsize=9)
        axes.set_xticks([])
        axes.set_title(f"{gpu.name}: {gpu.xe_cores} Xe-cores", fontsize=9, loc="left")
        axes.set(xlim=(0, max(widest, 1)), ylim=(len(some), 0))
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
    return figure


def _draw_cores(axes: Axes, y: int, launch: Launch, gpu: IntelGPU) -> None:
    kind = gpu.architecture
    slots = kind.vector_engines * kind.threads_of_engine(launch.registers)
    for core in range(gpu.xe_cores):
        share = len(threads_of_core(launch, gpu, core)) / slots
        _box(axes, core + 0.1, y + 0.15, 0.8, 0.7, EMPTY, edge=PEER)
        _box(axes, core + 0.1, y + 0.15 + 0.7 * (1 - share), 0.8, 0.7 * share, OURS)


def _box(
    axes: Axes, x: float, y: float, width: float, height: float, colour: str, edge: str = "none"
) -> None:
    from matplotlib.patches import Rectangle

    axes.add_patch(
        Rectangle((x, y), width, height, facecolor=colour, edgecolor=edge, linewidth=0.8)
    )
