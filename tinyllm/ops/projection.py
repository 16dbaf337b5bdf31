"""The output projection of attention, added to the residual stream."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from tinyllm.kernels import KernelSet
from tinyllm.linear import Linear, Norm
from tinyllm.ops.matmul import matmul_and_add
from tinyllm.ops.norm import naive_norm_and_add


def naive_project(
    attention: Float[Tensor, "b t n"],
    o_proj: Linear,
    residual: Float[Tensor, "b t m"] | None,
    post_norm: Norm | None = None,
) -> Float[Tensor, "b t m"]:
    """Matmul, norm where a model has one, sum; without a residual the matmul alone."""
    out = o_proj.matmul(attention)
    if post_norm is not None:
        return naive_norm_and_add(out, residual, post_norm)
    return out if residual is None else residual + out


def fused_project(
    kernels: KernelSet,
    attention: Float[Tensor, "b t n"],
    o_proj: Linear,
    residual: Float[Tensor, "b t m"] | None,
    post_norm: Norm | None = None,
) -> Float[Tensor, "b t m"]:
    """The residual is an epilogue of the matmul, or of the norm behind it."""
    return matmul_and_add(kernels, attention, o_proj, residual, post_norm)
