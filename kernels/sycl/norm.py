"""RMSNorm and LayerNorm, and RMSNorm before a residual addition: one launch each.

Every row is read once from memory.
"""

from __future__ import annotations

from torch import Tensor

from .arguments import as_matrix, check_alike, check_shape, work_items
from .runtime import runtime_of


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """Rows of x [..., m] at a root mean square of one, times weight [m]; raises ValueError."""
    return _norm(x, weight, None, eps)


def layer_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    """Rows of x [..., m] at mean 0 and variance 1, times weight [m] plus bias; or ValueError."""
    return _norm(x, weight, bias, eps)


def norm_and_add(x: Tensor, residual: Tensor, weight: Tensor, eps: float) -> Tensor:
    """residual plus the RMSNorm of x, both [..., m]; raises ValueError."""
    check_shape("residual", residual, *x.shape)
    rows = as_matrix(x)
    residual_rows = as_matrix(residual)
    _check(rows, weight, residual=residual_rows)
    y = x.new_empty(x.shape)
    _launch(
        "norm_and_add",
        rows,
        *(rows, rows.stride(0)),
        *(residual_rows, residual_rows.stride(0)),
        *(weight, y, x.shape[-1], eps),
    )
    return y


def _norm(x: Tensor, weight: Tensor, bias: Tensor | None, eps: float) -> Tensor:
    rows = as_matrix(x)
    _check(rows, weight, bias=bias)
    y = x.new_empty(x.shape)
    _launch("norm", rows, rows, rows.stride(0), weight, bias, y, x.shape[-1], eps)
    return y


def _check(
    rows: Tensor, weight: Tensor, bias: Tensor | None = None, residual: Tensor | None = None
) -> None:
    check_alike(rows, residual=residual, weight=weight, bias=bias)
    check_shape("weight", weight, rows.shape[-1])
    check_shape("bias", bias, rows.shape[-1])
    check_shape("bias", bias, rows.shape[-1])


def _launch(name: str, rows: Tensor, *arguments: Tensor | float | None) -> None:
    """A work-group for each row."""
    device = runtime_of(rows.device)
    kernel = device.kernel("norm", name, rows.dtype)
    r, m = rows.shape
    if r:
        kernel((r,), (work_items(m, rows, device.lanes),), *arguments)
