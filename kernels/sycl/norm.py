"""RMSNorm and LayerNorm, alone or after a residual addition: one launch, every row read once from memory."""

from __future__ import annotations

from torch import Tensor

from .arguments import alike, rows, sized, work_items
from .runtime import runtime_of


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """Every row of x [..., m] scaled to a root mean square of one, times weight [m]; raises ValueError."""
    return _norm(x, weight, None, eps)


def layer_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    """Every row of x [..., m] at mean zero and variance one, times weight [m] plus bias [m]; raises ValueError."""
    return _norm(x, weight, bias, eps)


def add_rms_norm(x: Tensor, residual: Tensor, weight: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """x + residual, both [..., m], and its RMSNorm; raises ValueError."""
    return _add_norm(x, residual, weight, None, eps)


def add_layer_norm(x: Tensor, residual: Tensor, weight: Tensor, bias: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """x + residual, both [..., m], and its LayerNorm; raises ValueError."""
    return _add_norm(x, residual, weight, bias, eps)


def _norm(x: Tensor, weight: Tensor, bias: Tensor | None, eps: float) -> Tensor:
    flat, y, m = rows(x), x.new_empty(x.shape), x.shape[-1]
    alike(flat, weight=weight, bias=bias)
    sized("weight", weight, m)
    sized("bias", bias, m)
    device = runtime_of(x.device)
    kernel = device.kernel("norm", "norm", x.dtype)
    if flat.shape[0]:
        kernel((flat.shape[0],), (work_items(m, x, device.lanes),), flat, flat.stride(0), weight, bias, y, m, eps)
    return y


def _add_norm(x: Tensor, residual: Tensor, weight: Tensor, bias: Tensor | None, eps: float) -> tuple[Tensor, Tensor]:
    sized("residual", residual, *x.shape)
    flat, other, m = rows(x), rows(residual), x.shape[-1]
    alike(flat, residual=other, weight=weight, bias=bias)
    sized("weight", weight, m)
    sized("bias", bias, m)
    total, y, device = x.new_empty(x.shape), x.new_empty(x.shape), runtime_of(x.device)
    kernel, items = device.kernel("norm", "add_norm", x.dtype), work_items(m, x, device.lanes)
    if flat.shape[0]:
        pitches = (flat, flat.stride(0), other, other.stride(0))
        kernel((flat.shape[0],), (items,), *pitches, weight, bias, total, y, m, eps)
    return total, y
