"""A matrix product and what rides on it: norm before; bias, activation, gate and residuals after."""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from tinyllm.kernels import plain
from tinyllm.ops.cost import Cost, Workload, launch
from tinyllm.ops.kernel_sets import KernelsFor
from tinyllm.ops.norm import Norm, rms_norm_cost

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
    if activation is not None:
        return kernels.bias_and_activate(F.linear(x, linear.weight), linear.bias, activation)
    return plain.linear(x, linear.weight, linear.bias, residuals=residuals)


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


def fused_linear_cost(
    work: Workload,
    rows: int,
    inputs: int,
    outputs: int,
    bias: bool,
    normed: bool = False,
    gated: bool = False,
    residual: bool = False,
) -> Cost:
    """What `fused_linear` moves and computes with an RMSNorm, a gate or one residual, on the kernels of `work`."""
    size, kept = work.size, outputs // 2 if gated else outputs
    if work.kernels == "plain":
        parts = [_plain_norm_cost(rows, inputs, size)] * normed
        parts += [gate_cost(rows, kept, size)] * gated + [add_cost(rows, outputs, size)] * (residual and bias)
        riding = size * rows * outputs * (residual and not bias)
        return sum(parts, linear_cost(rows, inputs, outputs, bias, size) + Cost(activations_read=riding))
    x, out = size * rows * inputs, size * rows * kept
    apart = [launch(read=x, weights=size * inputs, write=x)] * (normed and norm_stands_apart(work, rows))
    if rows <= FEW_ROWS:
        weights = size * (outputs * (inputs + bias) + inputs * (normed and not apart))
        flops = 2 * rows * inputs * outputs
        return sum(apart, launch(read=x + out * residual, weights=weights, write=out, flops=flops))
    parts = apart
    parts += [launch(read=2 * out, write=out)] * gated + [add_cost(rows, outputs, size)] * (residual and bias)
    riding = out * (residual and not bias)
    return sum(parts, linear_cost(rows, inputs, outputs, bias, size) + Cost(activations_read=riding))


def norm_stands_apart(work: Workload, rows: int) -> bool:
    """Whether our kernels normalise so many rows in a launch of its own, as `norm_apart` does."""
    return rows > (1 if work.kernels == "ours" else FEW_ROWS)


def _plain_norm_cost(rows: int, m: int, size: int) -> Cost:
    """`F.rms_norm` on a CPU: in 16-bit formats the weight is applied before the result is narrowed."""
    shift = (4 - size) * rows * m
    return rms_norm_cost(rows, m, size) + Cost(activations_read=shift, activations_written=shift)
