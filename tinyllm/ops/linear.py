"""A matrix product and what rides on it: norm before; bias, activation, gate and residuals after."""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from tinyllm.kernels import plain
from tinyllm.ops.kernel_sets import KernelsFor
from tinyllm.ops.norm import Norm

FEW_ROWS = 16  # up to here a product is a reading of its weights, and our kernel's; above, the vendor's is better


def split_linear(x: Float[Tensor, "*rows m"], linear: nn.Linear, sizes: list[int]) -> list[Tensor]:
    """One product for each block of rows of a merged matrix, as if they had never been merged."""
    weights = linear.weight.split(sizes)
    biases = [None] * len(sizes) if linear.bias is None else linear.bias.split(sizes)
    return [F.linear(x, weight, bias) for weight, bias in zip(weights, biases, strict=True)]


def fused_linear(
    kernels_for: KernelsFor,
    x: Float[Tensor, "r k"],
    linear: nn.Linear,
    norm: Norm | None = None,
    activation: str | None = None,
    gated: bool = False,
    residuals: tuple[Float[Tensor, "r n"], ...] = (),
) -> Float[Tensor, "r n"]:
    """The whole step in one launch for few rows; for many, the vendor's product between our kernels."""
    kernels = kernels_for(x)
    x, norm = norm_apart(kernels, x, norm)
    if len(x) <= FEW_ROWS:
        return kernels.linear(x, linear.weight, linear.bias, norm, activation, gated, residuals)
    if gated:
        return kernels.activate_and_multiply(plain.linear(x, linear.weight, linear.bias), activation)
    if activation is not None and linear.bias is not None:
        return kernels.bias_and_activate(F.linear(x, linear.weight), linear.bias, activation)
    return plain.linear(x, linear.weight, linear.bias, activation=activation, residuals=residuals)


def linear_and_add(
    kernels_for: KernelsFor,
    x: Float[Tensor, "r k"],
    linear: nn.Linear,
    residual: Float[Tensor, "b t m"],
    post_norm: Norm | None,
) -> Float[Tensor, "b t m"]:
    """A product added to the residual stream, in one launch; in two with a norm in between."""
    added = residual.flatten(0, 1)
    if post_norm is None:
        return fused_linear(kernels_for, x, linear, residuals=(added,)).view_as(residual)
    out = fused_linear(kernels_for, x, linear)
    return kernels_for(x).norm_and_add(out, added, post_norm.weight, post_norm.eps).view_as(residual)


def norm_apart(
    kernels: object, x: Float[Tensor, "*rows k"], norm: Norm | None
) -> tuple[Float[Tensor, "*rows k"], Norm | None]:
    """x normalised by a launch of its own where the product is slower with a norm riding on it; and the norm to ride.

    With one row the norm is free. With several, every program of a matrix engine would normalise them again.
    """
    rows = x.numel() // x.shape[-1]
    if norm is None or rows <= min(FEW_ROWS, getattr(kernels, "NORM_ROWS", FEW_ROWS)):
        return x, norm
    norms = {"x": x, "weight": norm.weight, "eps": norm.eps}
    return (kernels.rms_norm(**norms) if norm.bias is None else kernels.layer_norm(**norms, bias=norm.bias)), None
