"""How a decode step is executed: the fourth field of a stage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from tinyllm.decoder import Decoder
from tinyllm.runtime.graph import CapturedGraph
from tinyllm.runtime.native import NativeStep, unsupported_reason

Step = Callable[..., torch.Tensor]
Work = Callable[[], None]


@dataclass(frozen=True)
class Runner:
    """`step(decoder)` is the function that takes a step; `repeat(work, device)` does the same work on the same memory.

    `describe(decoder)` names the way in which a decoder's steps are run.
    """

    name: str
    step: Callable[[Decoder], Step]
    repeat: Callable[[Work, torch.device], Work]
    describe: Callable[[Decoder], str]


def _eager_step(decoder: Decoder) -> Step:
    return decoder.step


def _eager_work(work: Work, device: torch.device) -> Work:
    return work


def _describe_eager(decoder: Decoder) -> str:
    return "eager"


def _native_or_eager(decoder: Decoder) -> Step:
    return decoder.step if unsupported_reason(decoder) else NativeStep(decoder)


def _captured(work: Work, device: torch.device) -> Work:
    return work if device.type == "cpu" else CapturedGraph(work, device)


def _describe_captured(decoder: Decoder) -> str:
    if decoder.device.type != "cpu":
        return "captured graph"
    reason = unsupported_reason(decoder)
    return f"eager ({reason})" if reason else "native step"


# Functions of this file, not lambdas: a model is pickled with its stage.
EAGER = Runner("eager", step=_eager_step, repeat=_eager_work, describe=_describe_eager)
CAPTURED = Runner("captured", step=_native_or_eager, repeat=_captured, describe=_describe_captured)
