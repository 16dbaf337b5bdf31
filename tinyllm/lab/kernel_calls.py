"""Counts each call of our kernels as one launch, whatever operations it consists of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch.utils._python_dispatch import _disable_current_modes

from tinyllm.cache import Cache
from tinyllm.decoder import Decoder
from tinyllm.kernels import TORCH, KernelSet
from tinyllm.lab.counters import Operation, OperationLog
from tinyllm.model import Model, restage
from tinyllm.stages import Stage


class KernelCalls(KernelSet):
    """A kernel set whose calls are logged as one operation each, named `ours::NAME`, without bytes."""

    def __init__(self, kernels: KernelSet, log: OperationLog) -> None:
        for name in dir(kernels):
            if not name.startswith("_"):
                found = getattr(kernels, name)
                setattr(self, name, _logged(name, found, log) if callable(found) else found)


def _logged(name: str, kernel: Callable, log: OperationLog) -> Callable:
    def call(*arguments: Any, **named: Any) -> Any:
        log.operations.append(Operation(f"ours::{name}", [], []))
        with _disable_current_modes():
            return kernel(*arguments, **named)

    return call


def layer_operations(model: Decoder, cache: Cache, log: OperationLog | None = None) -> list[str]:
    """Names of the operations of the last layer for one more token of each sequence in `cache`, in order.

    The first layer also computes the attention masks for all layers.
    """
    log = OperationLog() if log is None else log
    shape = (cache.rows // cache.copies, cache.copies, model.config.hidden_size)
    x = torch.zeros(shape, dtype=model.dtype, device=model.device)
    with torch.inference_mode():
        positions, metadata = cache.prepare(cache.copies, None)
        rope = model.ops.rotary_tables(positions, model.rotary, model.dtype)
        for layer, kv in zip(model.layers, cache.layers, strict=True):
            log.operations.clear()
            with log:
                layer(x, rope[layer.kind], metadata, kv)
    return [operation.name for operation in log.operations]


def device_launches(
    model: Model, stage: Stage, kernels: KernelSet = TORCH, held: int = 128
) -> list[str]:
    """Names of the launches of a layer in a stage on a device, for one token after `held` others.

    Each kernel of ours is one launch, as on a GPU; `kernels` computes its result here.
    """
    log = OperationLog()
    ours = KernelCalls(kernels, log)
    ours.fuses_qkv_and_rope = True  # as those in Triton do
    counting = restage(model, replace(stage, kernels=ours))
    cache = counting.new_cache(1)
    prompt = torch.ones(1, held, dtype=torch.int64, device=model.device)
    counting.step(prompt, None, cache)
    return layer_operations(counting, cache, log)
