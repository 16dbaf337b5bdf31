"""The feed-forward block: down(activation(up(x))), or with a gate down(activation(gate(x)) * up(x))."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from tinyllm.kernels import KernelSet
from tinyllm.kernels.torch_kernels import ACTIVATIONS
from tinyllm.linear import Linear, Norm
from tinyllm.ops.matmul import fused_matmul, matmul_and_add
from tinyllm.ops.norm import naive_norm, naive_norm_and_add


def naive_mlp(
    x: Float[Tensor, "b t m"],
    norm: Norm,
    gate_up_proj: Linear,
    down_proj: Linear,
    activation: str,
    residual: Float[Tensor, "b t m"] | None,
    post_norm: Norm | None = None,
) -> Float[Tensor, "b t m"]:
    """Normalise, project up, activate, project down, add to the residual stream.

    Where there is a gate, it is what is activated. Without a residual nothing is added.
    """
    x = naive_norm(x, norm)
    f = down_proj.in_features
    first, *ups = gate_up_proj.matmul_blocks(x, [f] * (gate_up_proj.out_features // f))
    inner = ACTIVATIONS[activation](first)
    for up in ups:
        inner = inner * up
    out = down_proj.matmul(inner)
    if post_norm is not None:
        return naive_norm_and_add(out, residual, post_norm)
    return out if residual is None else residual + out


def fused_mlp(
    kernels: KernelSet,
    x: Float[Tensor, "b t m"],
    norm: Norm,
    gate_up_proj: Linear,
    down_proj: Linear,
    activation: str,
    residual: Float[Tensor, "b t m"] | None,
    post_norm: Norm | None = None,
) -> Float[Tensor, "b t m"]:
    """Two matmuls: norm, gate and up, activation; then down and the residual, or the norm behind it."""
    gated = gate_up_proj.out_features > down_proj.in_features
    rows = x.flatten(0, 1)
    inner = fused_matmul(
        kernels,
        rows,
        gate_up_proj,
        norm=norm,
        activation=activation,
        gated=gated,
    )
    inner = inner.view(*x.shape[:2], -1)
    return matmul_and_add(kernels, inner, down_proj, residual, post_norm)
