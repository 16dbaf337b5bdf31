"""The ladder: each stage changes one part of the decoder and keeps its tokens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

from tinyllm.attention.kernel import kernel_attention
from tinyllm.attention.segment import segment_attention
from tinyllm.attention.stock import stock_attention
from tinyllm.cache.contiguous import ContiguousCache
from tinyllm.cache.fixed import FixedSegmentCache
from tinyllm.cache.segment import SegmentCache
from tinyllm.ops import FUSED, NAIVE, Operations
from tinyllm.ops.kernel_sets import by_device
from tinyllm.runtime.runner import CAPTURED, EAGER, Runner


@dataclass(frozen=True)
class Stage:
    """The four seams of a decoder; `dataclasses.replace(stage, attend=...)` makes a variant."""

    name: str
    ops: Operations
    cache: Callable
    attend: Callable
    runner: Runner


OURS = partial(kernel_attention, by_device)
STAGES = MappingProxyType(
    {
        stage.name: stage
        for stage in (
            Stage("naive", ops=NAIVE, cache=ContiguousCache, attend=stock_attention, runner=EAGER),
            Stage("fused", ops=FUSED, cache=ContiguousCache, attend=stock_attention, runner=EAGER),
            Stage("segment", ops=FUSED, cache=SegmentCache, attend=segment_attention, runner=EAGER),
            Stage("sdpa", ops=FUSED, cache=FixedSegmentCache, attend=OURS, runner=EAGER),
            Stage("final", ops=FUSED, cache=FixedSegmentCache, attend=OURS, runner=CAPTURED),
        )
    }
)
FASTEST = next(reversed(STAGES))


def pick_stage(stage: object) -> Stage:
    """A stage by its name, or the stage itself. Raises ValueError naming those there are."""
    if isinstance(stage, Stage):
        return stage
    if not isinstance(stage, str) or stage not in STAGES:
        raise ValueError(f"stage {stage!r} is unknown: expected one of {list(STAGES)}, or a tinyllm.Stage")
    return STAGES[stage]
