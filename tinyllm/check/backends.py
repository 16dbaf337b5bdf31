"""The implementations there are of each operation, under the names of the case tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tinyllm.attention.stock import stock_attention
from tinyllm.cache.contiguous import ContiguousLayer
from tinyllm.ops import norm


@dataclass(frozen=True)
class Backend:
    """A named set of implementations, and the formats it is held to."""

    name: str
    functions: Mapping[str, Callable]
    dtypes: tuple[torch.dtype, ...] = (torch.float32, torch.float16, torch.bfloat16)


def as_norm(weight: Tensor, eps: float) -> norm.Norm:
    """A norm with a given weight."""
    module = norm.Norm(len(weight), eps)
    module.weight = nn.Parameter(weight, requires_grad=False)
    return module


def naive_rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """`ops.norm.rms_norm` with the arguments of the table."""
    return norm.rms_norm(x, as_norm(weight, eps))


def naive_attention(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None = None) -> Tensor:
    """`stock_attention` with the arguments of the table."""
    return stock_attention(q, ContiguousLayer(k, v), bias)


NAIVE = Backend("torch", {"rms_norm": naive_rms_norm, "attention": naive_attention})


def backends(device: torch.device) -> list[Backend]:
    """Every backend that can run on a device."""
    return [NAIVE]
