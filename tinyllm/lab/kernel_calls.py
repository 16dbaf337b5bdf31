"""Counts each call of our kernels as one launch, whatever operations it consists of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import _disable_current_modes

from tinyllm.cache import Cache
from tinyllm.decoder import Decoder
from tinyllm.kernels import KernelSet
from tinyllm.lab.counters import Operation, OperationLog


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
