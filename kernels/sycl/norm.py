"""RMSNorm and LayerNorm, alone or beside a residual addition: one launch, every row read once from memory."""

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


def norm_and_add(x: Tensor, residual: Tensor, weight: Tensor, eps: float) -> Tensor:
    """residual plus the RMSNorm of x, both [..., m]; raises ValueError."""
    flat, other = _two_rows(x, residual, weight, None)
    y = x.new_empty(x.shape)
    _launch("norm_and_add", flat, flat, flat.stride(0), other, other.stride(0), weight, y, x.shape[-1], eps)
    return y


def add_layer_norm(x: Tensor, residual: Tensor, weight: Tensor, bias: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """x + residual, both [..., m], and its LayerNorm; raises ValueError."""
    return _add_norm(x, residual, weight, bias, eps)


def _norm(x: Tensor, weight: Tensor, bias: Tensor | None, eps: float) -> Tensor:
    flat, y = rows(x), x.new_empty(x.shape)
    _check(flat, weight, bias)
    _launch("norm", flat, flat, flat.stride(0), weight, bias, y, x.shape[-1], eps)
    return y


def _add_norm(x: Tensor, residual: Tensor, weight: Tensor, bias: Tensor | None, eps: float) -> tuple[Tensor, Tensor]:
    flat, other = _two_rows(x, residual, weight, bias)
    total, y = x.new_empty(x.shape), x.new_empty(x.shape)
    pitches = (flat, flat.stride(0), other, other.stride(0))
    _launch("add_norm", flat, *pitches, weight, bias, total, y, x.shape[-1], eps)
    return total, y


def _two_rows(x: Tensor, residual: Tensor, weight: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor]:
    """Both as matrices, checked."""
    sized("residual", residual, *x.shape)
    flat, other = rows(x), rows(residual)
    _check(flat, weight, bias, residual=other)
    return flat, other


def _check(flat: Tensor, weight: Tensor, bias: Tensor | None, **others: Tensor) -> None:
    alike(flat, **others, weight=weight, bias=bias)
    sized("weight", weight, flat.shape[-1])
    sized("bias", bias, flat.shape[-1])


def _launch(name: str, flat: Tensor, *arguments: Tensor | float | None) -> None:
    """A work-group for each row of `flat`."""
    device, (r, m) = runtime_of(flat.device), flat.shape
    kernel = device.kernel("norm", name, flat.dtype)
    if r:
        kernel((r,), (work_items(m, flat, device.lanes),), *arguments)
