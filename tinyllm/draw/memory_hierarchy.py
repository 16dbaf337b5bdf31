"""The memories of a GPU, from registers to the CPU: bytes and bytes per second, and what a token reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from tinyllm.draw.ladder import LIMIT, MOVED, OURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from tinyllm.draw.picture import Picture

MB, GB, TB, GIB = 1e6, 1e9, 1e12, 1 << 30
SMALLEST, LARGEST, ON_CHIP = 3e6, 3e12, 3  # ends of the axis; levels on the chip


class Level(NamedTuple):
    """One memory: name, bytes, bytes per second."""

    name: str
    num_bytes: float
    bandwidth: float


# Intel at Hot Chips 34, for a Max 1550 with two tiles: half of each. The memory's rate is the one of the card sold.
SOURCE = "https://www.tweaktown.com/news/88073/intel-our-new-ponte-vecchio-gpu-is-2-5x-faster-than-nvidia-a100/"
PCIE_SOURCE = "https://hpc-notes.pages.dev/reference/pcie"
TILE = (
    Level("registers", 64 * MB / 2, 419 * TB / 2),
    Level("L1 and local memory", 64 * MB / 2, 105 * TB / 2),
    Level("L2 cache", 408 * MB / 2, 13 * TB / 2),
    Level("device memory", 64.0 * GIB, 3276.8 * GB / 2),
    Level("memory of the CPU, by PCIe 5.0 x16", 0, 63 * GB),
)


def draw_memory_hierarchy(models: Mapping[str, float | int]) -> Picture:
    """One tile of a Max 1550: a bar for each memory, as long as the logarithm of its bytes.

    `models`: bytes that a token reads, by name; each is a line, which crosses the memories that could hold them.
    """
    from tinyllm.draw.picture import picture

    alt = "one tile of a Max 1550: registers, L1, L2, device memory, host, with bytes and GB/s"
    return picture(_figure(models), f"{alt}; lines: {', '.join(models)}")


def _figure(models: Mapping[str, float | int]) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.9, 3.9), layout="constrained", dpi=110)
    axes = figure.subplots()
    for y, level in enumerate(TILE):
        _draw_level(axes, y, level)
    for i, (name, num_bytes) in enumerate(models.items()):
        axes.axvline(num_bytes, color=LIMIT, linestyle="--", linewidth=1)
        words = f" {name}, {as_size(num_bytes)}"
        axes.text(num_bytes, -1.2 + 0.3 * i, words, color=LIMIT, fontsize=9)
    axes.set_xscale("log")
    axes.set(xlim=(SMALLEST, LARGEST), ylim=(len(TILE) - 0.5, -1.5))
    axes.set_yticks([])
    axes.set_xlabel("bytes", fontsize=9)
    axes.tick_params(axis="x", labelsize=9)
    axes.spines[["top", "right", "left"]].set_visible(False)
    return figure


def _draw_level(axes: Axes, y: int, level: Level) -> None:
    end = level.num_bytes or LARGEST
    axes.barh(
        y + 0.2, end - SMALLEST, left=SMALLEST, height=0.32, color=OURS if y < ON_CHIP else MOVED
    )
    size = f"{as_size(level.num_bytes)}, " if level.num_bytes else ""
    words = f"{level.name}: {size}{level.bandwidth / GB:,.0f} GB/s"
    box = {"facecolor": "white", "edgecolor": "none", "pad": 1}
    axes.text(1.1 * SMALLEST, y - 0.16, words, va="center", fontsize=9, bbox=box, zorder=5)


def as_size(num_bytes: float | int) -> str:
    """Bytes with a decimal unit."""
    return f"{num_bytes / GB:,.1f} GB" if num_bytes >= GB else f"{num_bytes / MB:,.0f} MB"
