"""Normalisation: RMSNorm, y = weight * x / rms(x), and LayerNorm, which has a bias and a mean."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn


class Norm(nn.Module):
    """Weight `[m]`, bias `[m]` and epsilon of one normalisation: a LayerNorm where there is a bias, else an RMSNorm."""

    def __init__(self, size: int, eps: float, bias: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(size), requires_grad=False)
        self.bias = nn.Parameter(torch.empty(size), requires_grad=False) if bias else None
        self.eps = eps


class HeadNorms(NamedTuple):
    """RMSNorms of every head of q and of k, before they are rotated."""

    q: Float[Tensor, " d"]
    k: Float[Tensor, " d"]
    eps: float


def rms_norm(x: Float[Tensor, "*rows m"], norm: Norm) -> Float[Tensor, "*rows m"]:
    """Scale every row to a root mean square of one, then by the weight; accumulated in float32 (notebook 01)."""
    return scaled(x, norm.weight, norm.eps)


def scaled(x: Float[Tensor, "*rows m"], weight: Float[Tensor, " m"], eps: float) -> Float[Tensor, "*rows m"]:
    """RMSNorm with a weight that is no module's."""
    wide = x.float()
    mean_square = wide.pow(2).mean(-1, keepdim=True)
    return weight * (wide * torch.rsqrt(mean_square + eps)).to(x.dtype)


def layer_norm(x: Float[Tensor, "*rows m"], norm: Norm) -> Float[Tensor, "*rows m"]:
    """Shift every row to mean zero, scale it to variance one, then weight and bias; accumulated in float32."""
    wide = x.float()
    centred = wide - wide.mean(-1, keepdim=True)
    variance = centred.pow(2).mean(-1, keepdim=True)
    return norm.weight * (centred * torch.rsqrt(variance + norm.eps)).to(x.dtype) + norm.bias


def normalise(x: Float[Tensor, "*rows m"], norm: Norm) -> Float[Tensor, "*rows m"]:
    """The normalisation that these weights belong to."""
    return rms_norm(x, norm) if norm.bias is None else layer_norm(x, norm)
