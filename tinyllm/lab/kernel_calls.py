"""Kernels of ours as a counter sees them: one call, one launch, whatever it is made of inside."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._python_dispatch import _disable_current_modes

from tinyllm.decoder import Decoder
from tinyllm.lab.counters import Operation, OperationLog


class KernelCalls:
    """A set of kernels whose calls stand in a log as one operation each, named `ours::NAME`, without bytes."""

    def __init__(self, kernels: object, log: OperationLog) -> None:
        self._kernels, self._log = kernels, log

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._kernels, name)
        if not callable(found):
            return found

        def call(*arguments: Any, **named: Any) -> Any:
            self._log.operations.append(Operation(f"ours::{name}", [], []))
            with _disable_current_modes():
                return found(*arguments, **named)

        return call


def layer_operations(model: Decoder, cache: object, log: OperationLog | None = None) -> list[str]:
    """Names of what the first layer of a decoder runs for one more token of each sequence in `cache`, in order."""
    log = OperationLog() if log is None else log
    positions, sight = torch.full((1, 1), cache.length, device=model.device), [None]
    if hasattr(cache, "sight"):
        positions, sight = torch.inference_mode()(cache.admit)(cache.copies, None)
    rotary = model.stage.ops.rotary_tables(positions, model.rotation, model.dtype)
    tokens = positions.shape[1]
    x = torch.zeros(cache.rows // tokens, tokens, model.config.hidden_size, dtype=model.dtype, device=model.device)
    with torch.inference_mode(), log:
        model.layers[0](x, rotary[0], sight[0], cache.layers[0])
    return [operation.name for operation in log.operations]
