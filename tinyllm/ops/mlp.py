"""The gated feed-forward block: down(activation(gate(x)) * up(x))."""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from tinyllm.config import DecoderConfig
from tinyllm.kernels.plain import ACTIVATIONS
from tinyllm.ops.cost import Cost, Workload
from tinyllm.ops.kernel_sets import KernelsFor
from tinyllm.ops.linear import add_cost, fused_linear, fused_linear_cost, gate_cost, linear_cost, split_linear
from tinyllm.ops.norm import Norm, rms_norm, rms_norm_cost


def mlp_and_add(
    x: Float[Tensor, "b t m"],
    norm: Norm,
    gate_up_proj: nn.Linear,
    down_proj: nn.Linear,
    activation: str,
    residual: Float[Tensor, "b t m"],
) -> Float[Tensor, "b t m"]:
    """Normalise, gate, project down, and add to the residual stream."""
    gate, up = split_linear(rms_norm(x, norm), gate_up_proj, [gate_up_proj.out_features // 2] * 2)
    return residual + F.linear(ACTIVATIONS[activation](gate) * up, down_proj.weight, down_proj.bias)


def fused_mlp_and_add(
    kernels_for: KernelsFor,
    x: Float[Tensor, "b t m"],
    norm: Norm,
    gate_up_proj: nn.Linear,
    down_proj: nn.Linear,
    activation: str,
    residual: Float[Tensor, "b t m"],
) -> Float[Tensor, "b t m"]:
    """Two products: norm, gate and up, activation; then down and residual."""
    inner = fused_linear(kernels_for, x.flatten(0, 1), gate_up_proj, norm, activation, gated=True)
    return fused_linear(kernels_for, inner, down_proj, residuals=(residual.flatten(0, 1),)).view_as(residual)


def mlp_and_add_cost(config: DecoderConfig, work: Workload) -> Cost:
    """What `mlp_and_add` moves and computes."""
    m, f, bias, rows, size = config.hidden_size, config.intermediate_size, config.mlp_bias, work.rows, work.size
    return (
        rms_norm_cost(rows, m, size)
        + linear_cost(rows, m, f, bias, size) * 2  # gate, up
        + gate_cost(rows, f, size)
        + linear_cost(rows, f, m, bias, size)  # down
        + add_cost(rows, m, size)
    )


def fused_mlp_and_add_cost(config: DecoderConfig, work: Workload) -> Cost:
    """What `fused_mlp_and_add` moves and computes."""
    m, f, bias = config.hidden_size, config.intermediate_size, config.mlp_bias
    gate_up = fused_linear_cost(work, work.rows, m, 2 * f, bias, normed=True, gated=True)
    return gate_up + fused_linear_cost(work, work.rows, f, m, bias, residual=True)
