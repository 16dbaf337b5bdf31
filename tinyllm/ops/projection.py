"""The output projection of attention, added to the residual stream."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from tinyllm.kernels import KernelSet
from tinyllm.linear import Linear, Norm
from tinyllm.ops.matmul import matmul_and_add
from tinyllm.ops.norm import naive_norm


def naive_project(
    attention: Float[Tensor, "b t n"],
    o_proj: Linear,
    residual: Float[Tensor, "b t m"],
    post_norm: Norm | None = None,
) -> Float[Tensor, "b t m"]:
    """Matmul, norm where a model has one, sum."""
    out = o_proj.matmul(attention)
    return residual + (out if post_norm is None else naive_norm(out, post_norm))


def fused_project(
    kernels: KernelSet,
    attention: Float[Tensor, "b t n"],
    o_proj: Linear,
    residual: Float[Tensor, "b t m"],
    post_norm: Norm | None = None,
) -> Float[Tensor, "b t m"]:
    """The residual is an epilogue of the matmul, or of the norm behind it."""
    return matmul_and_add(kernels, attention.flatten(0, 1), o_proj, residual, post_norm)
