"""The ladder: each stage changes one field of the stage before, and keeps its tokens."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch

from tinyllm.attention.kernel import kernel_attention
from tinyllm.attention.metadata import Attention
from tinyllm.attention.stock import stock_attention
from tinyllm.cache import Cache, CacheFactory
from tinyllm.cache.contiguous import ContiguousCache
from tinyllm.cache.segment import SegmentCache
from tinyllm.decoder import Decoder
from tinyllm.kernels import KernelSet
from tinyllm.ops import FUSED, NAIVE, Operations
from tinyllm.runtime.runner import CAPTURED, EAGER, Runner


@dataclass(frozen=True)
class Stage:
    """How a decoder is run; `dataclasses.replace(stage, attention=...)` makes a variant.

    `kernels` is the name of a set ("torch", "triton", "sycl", "cpu", "ipex") or the set itself, on which operations,
    attention and the cache's reorder run together; None for the one of the model's device.

    >>> from dataclasses import replace
    >>> replace(STAGES["final"], kernels="torch").kernels
    'torch'
    """

    name: str
    ops: Operations
    cache: CacheFactory
    attention: Attention
    runner: Runner
    kernels: str | KernelSet | None = None

    def new_cache(
        self,
        decoder: Decoder,
        prompts: int,
        copies: int = 1,
        steps: int | None = None,
        *,
        independent: bool = False,
    ) -> Cache:
        """An empty cache for so many prompts, each continued by `copies` sequences.

        Where the number of `steps` after the prompt is known, a cache may reserve the memory for all of them.
        `independent`: the sequences are never reordered, as samples are not.
        """
        return self.cache(
            decoder.config,
            prompts,
            copies,
            steps,
            device=decoder.device,
            dtype=decoder.kv_dtype or decoder.dtype,
            kernels=decoder.kernels,
            independent=independent,
        )


LADDER = (
    Stage("naive", ops=NAIVE, cache=ContiguousCache, attention=stock_attention, runner=EAGER),
    Stage("fused", ops=FUSED, cache=ContiguousCache, attention=stock_attention, runner=EAGER),
    Stage("segment", ops=FUSED, cache=SegmentCache, attention=stock_attention, runner=EAGER),
    Stage("sdpa", ops=FUSED, cache=SegmentCache, attention=kernel_attention, runner=EAGER),
    Stage("final", ops=FUSED, cache=SegmentCache, attention=kernel_attention, runner=CAPTURED),
)
STAGES = MappingProxyType({stage.name: stage for stage in LADDER})
FASTEST = LADDER[-1].name


def pick_stage(stage: Any) -> Stage:
    """A stage by its name, or the stage itself. Raises ValueError naming those there are."""
    if isinstance(stage, Stage):
        return stage
    if not isinstance(stage, str) or stage not in STAGES:
        expected = f"one of {list(STAGES)}, or a tinyllm.Stage"
        raise ValueError(f"stage {stage!r} is unknown: expected {expected}")
    return STAGES[stage]


def pick_kv_dtype(kv_dtype: Any, stage: Stage) -> torch.dtype | None:
    """The number format of keys and values in a stage; None for that of activations.

    Raises ValueError for a format that is not known, and for one that the stage's cache does not keep.
    """
    if kv_dtype is None:
        return None
    if kv_dtype not in ("int8", torch.int8):
        raise ValueError(
            f"kv_dtype {kv_dtype!r} is unknown: expected 'int8', or None for the number format of activations"
        )
    if not getattr(stage.cache, "stores_int8", False):
        takes = [name for name, one in STAGES.items() if one.cache.stores_int8]
        raise ValueError(
            f"kv_dtype='int8' in the stage {stage.name!r}, whose {stage.cache.__name__} keeps no scales: expected one "
            f"of the stages {takes}"
        )
    return torch.int8
