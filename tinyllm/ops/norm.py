"""Normalisation: RMSNorm, y = weight * x / rms(x), and LayerNorm, which has a bias and a mean."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tinyllm.config import DecoderConfig
from tinyllm.ops.cost import Cost, launch


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


def rms_norm_cost(rows: int, m: int, size: int) -> Cost:
    """What `rms_norm` moves for `rows` rows of `m` elements of `size` bytes: a line per kernel."""
    row, wide, narrow = 4 * rows, 4 * rows * m, size * rows * m
    cost = (
        launch(read=wide, write=wide)  # x^2
        + launch(read=wide, write=row)  # mean
        + launch(read=row, write=row)  # + eps
        + launch(read=row, write=row)  # 1/sqrt
        + launch(read=wide + row, write=wide)  # x / rms
        + launch(read=narrow, weights=size * m, write=narrow)  # * weight
    )
    casts = launch(read=narrow, write=wide) + launch(read=wide, write=narrow)
    return cost if size == 4 else cost + casts


def layer_norm_cost(rows: int, m: int, size: int) -> Cost:
    """What `layer_norm` moves for `rows` rows of `m` elements of `size` bytes: a line per kernel."""
    row, wide, narrow = 4 * rows, 4 * rows * m, size * rows * m
    cost = (
        launch(read=wide, write=row)  # mean
        + launch(read=wide + row, write=wide)  # x - mean
        + launch(read=wide, write=wide)  # ^2
        + launch(read=wide, write=row)  # mean
        + launch(read=row, write=row)  # + eps
        + launch(read=row, write=row)  # 1/sqrt
        + launch(read=wide + row, write=wide)  # * 1/sqrt
        + launch(read=narrow, weights=size * m, write=narrow)  # * weight
        + launch(read=narrow, weights=size * m, write=narrow)  # + bias
    )
    casts = launch(read=narrow, write=wide) + launch(read=wide, write=narrow)
    return cost if size == 4 else cost + casts


def norm_cost(config: DecoderConfig, rows: int, size: int) -> Cost:
    """What the norm of a decoder moves for so many rows of its residual stream."""
    return (layer_norm_cost if config.layer_norm else rms_norm_cost)(rows, config.hidden_size, size)


def plain_norm_cost(config: DecoderConfig, rows: int, size: int) -> Cost:
    """The same on torch's own kernels."""
    m = config.hidden_size
    if config.layer_norm:
        return launch(read=size * rows * m, weights=2 * size * m, write=size * rows * m + 8 * rows)  # and statistics
    return plain_rms_norm_cost(rows, m, size)


def plain_rms_norm_cost(rows: int, m: int, size: int) -> Cost:
    """`F.rms_norm` on a CPU: in 16-bit formats the weight is applied before the result is narrowed."""
    shift = (4 - size) * rows * m
    return rms_norm_cost(rows, m, size) + Cost(activations_read=shift, activations_written=shift)
