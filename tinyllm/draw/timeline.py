"""Host and device side by side: the launch of each kernel, and its execution."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tinyllm.draw.ladder import OURS, PEER

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from tinyllm.lab.host import Kernel


def draw_timeline(ways: Mapping[str, Sequence[Kernel]]) -> Figure:
    """Two rows for each way to launch, host and device; in the gaps of its row the device is idle."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.9, 0.7 + 1.2 * len(ways)), layout="constrained", dpi=100)
    all_axes = figure.subplots(len(ways), 1, sharex=True, squeeze=False)[:, 0]
    for axis, (name, kernels) in zip(all_axes, ways.items(), strict=True):
        _draw_way(axis, kernels)
        busy = sum(kernel.end - kernel.start for kernel in kernels)
        axis.set_title(
            f"{name}: {kernels[-1].end:,.0f} us, device busy {busy:,.0f}",
            fontsize=9,
            loc="left",
        )
    all_axes[-1].set_xlabel("microseconds", fontsize=9)
    return figure


def _draw_way(axis: Axes, kernels: Sequence[Kernel]) -> None:
    before = 0.0
    for kernel in kernels:
        _bar(axis, 0, before, kernel.launched, PEER)
        _bar(axis, 1, kernel.start, kernel.end, OURS)
        before = kernel.launched
    axis.set_yticks((0, 1), ("host", "device"), fontsize=9)
    axis.set_ylim(1.5, -0.5)
    axis.tick_params(labelsize=9, length=0)
    axis.spines[["top", "right", "left"]].set_visible(False)


def _bar(axis: Axes, y: int, start: float, end: float, colour: str) -> None:
    axis.barh(
        y, end - start, left=start, height=0.7, color=colour, edgecolor="white", linewidth=0.8
    )
