"""A GEMV for the few rows of a decode step with its prologue and epilogue: one launch."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from torch import Tensor

from ..torch_kernels import TORCH
from ..weights import PackedWeight, Weight
from .arguments import activation_code, check_alike, check_shape
from .runtime import Runtime, runtime_of

ROWS = (1, 2, 4, 8, 16)  # compiled sizes; for rows in between some of the sums are unused
MAX_ROWS = ROWS[-1]
MAX_RESIDUALS = 2
WEIGHT_ROWS = 2  # of a work-group
VECTORS_PER_LANE = 4  # of a lane's walk along k; beyond, another sub-group is added
MAX_SUBGROUPS = 16  # as in linear.sycl.cpp


@runtime_checkable
class NormWeights(Protocol):
    """A norm before the GEMV: weight [k], bias [k] or None (then an RMSNorm), eps."""

    weight: Tensor
    bias: Tensor | None
    eps: float


def linear(
    x: Tensor,
    weight: Weight,
    bias: Tensor | None = None,
    norm: NormWeights | None = None,
    activation: str | None = None,
    gated: bool = False,
    residuals: tuple[Tensor, ...] = (),
) -> Tensor:
    """x [r, k], r up to 16, times weight [n, k].

    Prologue: norm; epilogue: bias, activation and up to two residuals. Gated: the first n / 2 rows
    of weight are gate, the others up, and the result is [r, n / 2]. Packed weights are torch's.
    Raises ValueError; more rows than 16 belong to a library's matmul, which reads the weights once
    per tile.
    """
    if isinstance(weight, PackedWeight):
        return TORCH.linear(x, weight, bias, norm, activation, gated, residuals)
    w = weight.data
    r, k = x.shape
    n = w.shape[0]
    columns = n // 2 if gated else n
    code = activation_code(activation)
    _check_sizes(x, n, activation, gated=gated, residuals=residuals)
    norm_weight = None if norm is None else norm.weight
    norm_bias = None if norm is None else norm.bias
    residual = residuals[0] if residuals else None
    residual2 = residuals[1] if len(residuals) > 1 else None
    check_alike(x, weight=w, bias=bias, norm_weight=norm_weight, norm_bias=norm_bias)
    check_alike(x, residual=residual, residual2=residual2)
    check_shape("weight", w, n, k)
    check_shape("bias", bias, n)
    check_shape("norm_weight", norm_weight, k)
    check_shape("norm_bias", norm_bias, k)
    check_shape("residual", residual, r, columns)
    check_shape("residual2", residual2, r, columns)

    y = x.new_empty(r, columns)
    device = runtime_of(x.device)
    norm_name = norm_kind(norm_weight, norm_bias)
    kernel = device.kernel("linear", "linear", x.dtype, ROWS=compiled_rows(r), NORM=norm_name)
    groups = -(-n // WEIGHT_ROWS)
    kernel(
        (groups,),
        (_work_items(k, x, device),),
        *(x, x.stride(0)),
        *(w, w.stride(0)),
        *(norm_weight, norm_bias, 0.0 if norm is None else norm.eps),
        bias,
        *(residual, 0 if residual is None else residual.stride(0)),
        *(residual2, 0 if residual2 is None else residual2.stride(0)),
        *(y, r, k, n, code, gated),
    )
    return y


def compiled_rows(r: int) -> int:
    """The compiled size for r rows of x."""
    return next(rows for rows in ROWS if rows >= r)


def norm_kind(weight: Tensor | None, bias: Tensor | None) -> str:
    """The kernel's name for a norm with these weights."""
    if weight is None:
        return "NO_NORM"
    return "RMS_NORM" if bias is None else "LAYER_NORM"


def _check_sizes(
    x: Tensor, n: int, activation: str | None, gated: bool, residuals: tuple[Tensor, ...]
) -> None:
    r = x.shape[0]
    if not 1 <= r <= MAX_ROWS or len(residuals) > MAX_RESIDUALS:
        raise ValueError(
            f"{r} rows and {len(residuals)} residuals: expected 1 to {MAX_ROWS}, and at most {MAX_RESIDUALS}"
        )
    if gated and (activation is None or n % 2):
        raise ValueError(
            f"gated with activation {activation!r} and {n} rows of weight: expected one, and an even number"
        )


def _work_items(k: int, x: Tensor, device: Runtime) -> int:
    """Work-items that share a walk along k."""
    vectors = k * x.element_size() // 16
    subgroups = vectors // (VECTORS_PER_LANE * device.lanes)
    return device.lanes * max(1, min(MAX_SUBGROUPS, subgroups))
