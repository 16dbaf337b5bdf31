"""A matrix product and what rides on it: norm before; bias, activation, gate and residuals after."""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from tinyllm.config import DecoderConfig
from tinyllm.kernels import plain
from tinyllm.ops.cost import Cost, Workload, launch
from tinyllm.ops.kernel_sets import KernelsFor
from tinyllm.ops.norm import Norm, plain_norm_cost

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


def linear_cost(rows: int, inputs: int, outputs: int, bias: bool, size: int) -> Cost:
    """What one matrix product moves and computes."""
    weights = size * outputs * (inputs + bias)
    flops = 2 * rows * inputs * outputs
    return launch(read=size * rows * inputs, weights=weights, write=size * rows * outputs, flops=flops)


def add_cost(rows: int, m: int, size: int) -> Cost:
    """What adding the residual moves."""
    return launch(read=2 * size * rows * m, write=size * rows * m)


def gate_cost(rows: int, f: int, size: int) -> Cost:
    """What activation and multiplication move, one after the other."""
    inner = size * rows * f
    return launch(read=inner, write=inner) + launch(read=2 * inner, write=inner)


def activation_cost(rows: int, f: int, size: int) -> Cost:
    """What an activation moves."""
    return launch(read=size * rows * f, write=size * rows * f)


def fused_linear_cost(
    config: DecoderConfig,
    work: Workload,
    rows: int,
    inputs: int,
    outputs: int,
    bias: bool,
    normed: bool = False,
    activated: bool = False,
    gated: bool = False,
    residual: bool = False,
) -> Cost:
    """What `fused_linear` moves and computes with a norm, an activation or a gate, one residual, on `work`'s kernels.

    Our kernels take all of that along with few rows. The vendor's product takes a bias, or a residual.
    """
    size, kept = work.size, outputs // 2 if gated else outputs
    norms, x, out = 1 + config.layer_norm, size * rows * inputs, size * rows * kept
    ours, few = work.kernels != "plain", rows <= FEW_ROWS
    apart = normed and (not ours or norm_stands_apart(work, rows))
    cost = Cost()
    if apart:
        cost += launch(read=x, weights=norms * size * inputs, write=x) if ours else plain_norm_cost(config, rows, size)
    if ours and few:
        weights = size * (outputs * (inputs + bias) + norms * inputs * (normed and not apart))
        return cost + launch(read=x + out * residual, weights=weights, write=out, flops=2 * rows * inputs * outputs)
    after = ours and activated and not gated and bias  # the bias is added together with the activation
    cost += linear_cost(rows, inputs, outputs, bias and not after, size)
    if gated:
        cost += launch(read=2 * out, write=out) if ours else gate_cost(rows, kept, size)
    elif activated:
        cost += activation_cost(rows, kept, size) + Cost(weights=size * outputs * after)
    riding = residual and not bias
    return cost + Cost(activations_read=out * riding) + (add_cost(rows, outputs, size) if residual and bias else Cost())


def linear_and_add_cost(config: DecoderConfig, work: Workload, inputs: int, bias: bool) -> Cost:
    """What `linear_and_add` moves and computes, back to the residual stream."""
    rows, m, size = work.rows, config.hidden_size, work.size
    if not config.post_norms:
        return fused_linear_cost(config, work, rows, inputs, m, bias, residual=True)
    product, x = fused_linear_cost(config, work, rows, inputs, m, bias), size * rows * m
    if work.kernels == "plain":
        return product + plain_norm_cost(config, rows, size) + add_cost(rows, m, size)
    return product + launch(read=2 * x, weights=size * m, write=x)


def norm_stands_apart(work: Workload, rows: int) -> bool:
    """Whether our kernels normalise so many rows in a launch of its own, as `norm_apart` does."""
    return rows > (1 if work.kernels == "ours" else FEW_ROWS)
