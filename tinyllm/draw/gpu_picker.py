"""A widget with the card of Intel GPUs: the limit of a token for a model in a format, and whether it fits."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING

from ipywidgets import Dropdown, VBox

from tinyllm.draw.ladder import OURS, PEER
from tinyllm.draw.memory_hierarchy import as_size
from tinyllm.draw.stepper import Look, Shown
from tinyllm.lab.intel_gpus import GB, GPUS, IntelGPU, stored_bytes, token_bytes
from tinyllm.lab.shapes import known_config

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MODELS = ("smollm2-135m", "tinyllama-1.1b", "llama-2-7b", "llama-3.1-8b", "llama-2-13b")
# Bytes of a weight; q4_0 has blocks of 32 weights: 4 bits each, and a scale of 16 bits.
FORMATS = MappingProxyType(
    {"16 bits": 2.0, "8 bits": 1.0, "4 bits (q4_0)": 18 / 32, "float32": 4.0}
)


class GPUPicker(Shown):
    """Dropdowns for the GPU, the model and the format of its weights."""

    def __init__(self, look: partial[Look]) -> None:
        self.gpu = Dropdown(options=[gpu.name for gpu in GPUS], description="GPU")
        self.model = Dropdown(options=MODELS, description="model")
        self.format = Dropdown(options=list(FORMATS), description="weights")
        controls = [self.gpu, self.model, self.format]
        super().__init__(VBox(controls), controls, look)


def pick_gpu(held: int = 1024) -> GPUPicker:
    """A widget that predicts the least time per token on an Intel GPU, with `held` tokens in the cache.

    Times are bytes / bandwidth, from published figures: nothing is measured.
    """
    return GPUPicker(partial(look, held))


def look(held: int, name: str, model: str, weights: str) -> Look:
    """The limits on all GPUs as bars, the chosen one in colour, and a sentence about it."""
    config, size = known_config(model), FORMATS[weights]
    read, stored = token_bytes(config, size, held), stored_bytes(config, size, held)
    (chosen,) = (gpu for gpu in GPUS if gpu.name == name)
    words = describe(chosen, f"{model}, {weights}", read, stored)
    figure = draw_limits(GPUS, name, read, stored)
    return Look(figure, words, f"[picture: the limit per token of {model} on each GPU]\n{words}")


def describe(gpu: IntelGPU, model: str, read: float | int, stored: float | int) -> str:
    """What a token reads on a GPU, how long that takes at least, and whether the model fits."""
    ms, fits = 1e3 * gpu.seconds(read), gpu.holds(stored)
    memory = "unknown" if gpu.memory is None else as_size(gpu.memory)
    verdict = {True: "fits", False: "does not fit", None: "fits if the laptop has more memory"}
    return "\n".join(
        [
            f"{model} on {gpu.name}: {verdict[fits]} ({as_size(stored)} of {memory})",
            f"a token reads {as_size(read)} at {gpu.bandwidth / GB:,.0f} GB/s: at least {ms:.2f} ms,",
            f"at most {1e3 / ms:,.0f} tokens/s for one request",
        ]
    )


def draw_limits(
    gpus: Sequence[IntelGPU], chosen: str, read: float | int, stored: float | int
) -> Figure:
    """A bar for each GPU that holds the model, or may."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.9, 3.2), layout="constrained", dpi=110)
    axes = figure.subplots()
    times = [1e3 * gpu.seconds(read) for gpu in gpus]
    for y, (gpu, ms) in enumerate(zip(gpus, times, strict=True)):
        fits = gpu.holds(stored) is not False
        axes.barh(y, ms * fits, color=OURS if gpu.name == chosen else PEER, height=0.7)
        text = f" {ms:.2f} ms" if fits else " does not fit"
        axes.text(ms * fits, y, text, va="center", fontsize=9)
    axes.set_yticks(range(len(gpus)), [gpu.name for gpu in gpus], fontsize=9)
    axes.get_yticklabels()[[gpu.name for gpu in gpus].index(chosen)].set_fontweight("bold")
    axes.set(xlim=(0, 1.25 * max(times)), ylim=(len(gpus) - 0.5, -0.5))
    axes.set_xlabel("ms per token, at least: bytes / bandwidth", fontsize=9)
    axes.tick_params(axis="x", labelsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    return figure
