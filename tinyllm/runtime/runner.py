"""How a decode step is executed: the fourth seam."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from tinyllm.runtime.graph import Replay
from tinyllm.runtime.native import native_step

if TYPE_CHECKING:
    from tinyllm.decoder import Decoder

Step = Callable[..., object]
Turn = Callable[[], None]


@dataclass(frozen=True)
class Runner:
    """`step(model)` runs a pass through the layers, `repeat(turn, device)` the same work on the same memory again."""

    step: Callable[[Decoder], Step]
    repeat: Callable[[Turn, torch.device], Turn]


def _native_or_eager(model: Decoder) -> Step:
    return native_step(model) or model.step


def _captured(turn: Turn, device: torch.device) -> Turn:
    return turn if device.type == "cpu" else Replay(turn, device)


EAGER = Runner(step=lambda model: model.step, repeat=lambda turn, device: turn)
CAPTURED = Runner(step=_native_or_eager, repeat=_captured)
