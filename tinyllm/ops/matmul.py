"""A matmul with its prologue (norm) and its epilogue (bias, activation, gate, residual) in one launch.

Up to `MAX_GEMV_ROWS` rows a matmul is a reading of its weights, n*k*s bytes, and our kernel's; with more rows the
vendor's matmul is faster, and stands between kernels of ours.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from tinyllm.kernels import MAX_GEMV_ROWS, KernelSet
from tinyllm.kernels.torch_kernels import ACTIVATIONS
from tinyllm.linear import Linear, Norm
from tinyllm.ops.norm import fused_norm, fused_norm_and_add


def fused_matmul(
    kernels: KernelSet,
    x: Float[Tensor, "r k"],
    linear: Linear,
    *,
    norm: Norm | None = None,
    activation: str | None = None,
    gated: bool = False,
    residual: Float[Tensor, "r n"] | None = None,
) -> Float[Tensor, "r n"]:
    """norm -> matmul -> bias -> activation (times up) -> residual: one launch for few rows."""
    rows = x.shape[0]
    if norm is not None and not prologue_is_free(kernels, rows):
        x = fused_norm(kernels, x, norm)
        norm = None
    residuals = () if residual is None else (residual,)
    if rows <= MAX_GEMV_ROWS:
        return kernels.linear(
            x, linear.storage, linear.bias, norm, activation, gated=gated, residuals=residuals
        )
    if gated:
        out = kernels.matmul(x, linear.storage, linear.bias)
        return kernels.activate_and_multiply(out, activation)
    if activation is None:
        return kernels.matmul(x, linear.storage, linear.bias, residual)
    if linear.bias is None:
        return ACTIVATIONS[activation](kernels.matmul(x, linear.storage))
    return kernels.bias_and_activate(kernels.matmul(x, linear.storage), linear.bias, activation)


def prologue_is_free(kernels: KernelSet, rows: int) -> bool:
    """Whether a norm is free in front of a matmul: with several rows, every program repeats it."""
    return rows <= min(MAX_GEMV_ROWS, kernels.max_prologue_norm_rows)


def matmul_and_add(
    kernels: KernelSet,
    x: Float[Tensor, "b t k"],
    linear: Linear,
    residual: Float[Tensor, "b t m"] | None,
    post_norm: Norm | None,
) -> Float[Tensor, "b t m"]:
    """A matmul added to the residual stream, in one launch; in two with a norm in between."""
    shape = (*x.shape[:2], linear.out_features)
    rows = x.flatten(0, 1)
    if post_norm is not None:
        out = fused_matmul(kernels, rows, linear)
        return fused_norm_and_add(kernels, out.view(shape), residual, post_norm)
    if residual is not None:
        residual = residual.flatten(0, 1)
    return fused_matmul(kernels, rows, linear, residual=residual).view(shape)
