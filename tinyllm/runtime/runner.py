"""How a decode step is executed: the fourth seam."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from tinyllm.kernels import plain
from tinyllm.ops.kernel_sets import KernelsFor, by_device
from tinyllm.runtime.graph import Replay
from tinyllm.runtime.native import native_step

if TYPE_CHECKING:
    from tinyllm.decoder import Decoder

Step = Callable[..., object]
Turn = Callable[[], None]


@dataclass(frozen=True)
class Runner:
    """`step(model)` runs a pass through the layers, `repeat(turn, device)` the same work on the same memory again.

    `kernels(x)` is the set, for the device of `x`, of those that a turn runs beside the pass.
    """

    step: Callable[[Decoder], Step]
    repeat: Callable[[Turn, torch.device], Turn]
    kernels: KernelsFor


def _native_or_eager(model: Decoder) -> Step:
    return native_step(model) or model.step


def _captured(turn: Turn, device: torch.device) -> Turn:
    return turn if device.type == "cpu" else Replay(turn, device)


EAGER = Runner(step=lambda model: model.step, repeat=lambda turn, device: turn, kernels=lambda x: plain)
CAPTURED = Runner(step=_native_or_eager, repeat=_captured, kernels=by_device)
