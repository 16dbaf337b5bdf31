"""The feed-forward block: down(activation(up(x))), or with a gate down(activation(gate(x)) * up(x))."""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from tinyllm.kernels.plain import ACTIVATIONS
from tinyllm.ops.kernel_sets import KernelsFor
from tinyllm.ops.linear import fused_linear, linear_and_add, split_linear
from tinyllm.ops.norm import Norm, normalise


def mlp_and_add(
    x: Float[Tensor, "b t m"],
    norm: Norm,
    gate_up_proj: nn.Linear,
    down_proj: nn.Linear,
    activation: str,
    residual: Float[Tensor, "b t m"],
    post_norm: Norm | None = None,
) -> Float[Tensor, "b t m"]:
    """Normalise, project up, activate (a gate, where there is one), project down, and add to the residual stream."""
    x, f = normalise(x, norm), down_proj.in_features
    parts = split_linear(x, gate_up_proj, [f] * (gate_up_proj.out_features // f))
    inner = ACTIVATIONS[activation](parts[0])
    for up in parts[1:]:
        inner = inner * up
    out = F.linear(inner, down_proj.weight, down_proj.bias)
    return residual + (out if post_norm is None else normalise(out, post_norm))


def fused_mlp_and_add(
    kernels_for: KernelsFor,
    x: Float[Tensor, "b t m"],
    norm: Norm,
    gate_up_proj: nn.Linear,
    down_proj: nn.Linear,
    activation: str,
    residual: Float[Tensor, "b t m"],
    post_norm: Norm | None = None,
) -> Float[Tensor, "b t m"]:
    """Two products: norm, gate and up, activation; then down and residual, or the norm behind it."""
    gated = gate_up_proj.out_features > down_proj.in_features
    inner = fused_linear(kernels_for, x.flatten(0, 1), gate_up_proj, norm, activation, gated=gated)
    return linear_and_add(kernels_for, inner, down_proj, residual, post_norm)
