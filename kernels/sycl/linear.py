"""A matrix product for the few rows of a decode step, with the norm before it and the epilogue after it: one launch."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from torch import Tensor

from .arguments import activation_code, alike, sized
from .runtime import Runtime, runtime_of

ROWS = (1, 2, 4, 8, 16)  # compiled sizes; rows in between leave some of the sums unused
MAX_ROWS = ROWS[-1]
WEIGHT_ROWS = 2  # of a work-group
VECTORS_PER_LANE = 4  # so long should each lane's walk along k be, before a further sub-group shares it
MAX_SUBGROUPS = 16  # as in linear.sycl.cpp


@runtime_checkable
class NormWeights(Protocol):
    """A normalisation before the product: weight [k], bias [k] or None (then an RMSNorm), eps."""

    weight: Tensor
    bias: Tensor | None
    eps: float


def linear(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    norm: NormWeights | None = None,
    activation: str | None = None,
    gated: bool = False,
    residuals: tuple[Tensor, ...] = (),
) -> Tensor:
    """x [r, k], r up to 16, times weight [n, k]: norm before; bias, activation and up to two residuals after.

    Gated: the first n / 2 rows of weight are gate, the others up, and the result is [r, n / 2]. Raises ValueError; more
    rows than 16 belong to a library's matrix product, which reads the weights once per tile.
    """
    (r, k), n = x.shape, weight.shape[0]
    if not 1 <= r <= MAX_ROWS or len(residuals) > 2:
        raise ValueError(f"{r} rows and {len(residuals)} residuals: expected 1 to {MAX_ROWS}, and at most 2")
    if gated and (activation is None or n % 2):
        raise ValueError(
            f"gated with activation {activation!r} and {n} rows of weight: expected one, and an even number"
        )
    columns, code = n // 2 if gated else n, activation_code(activation)
    norm_weight, norm_bias, eps = (None, None, 0.0) if norm is None else (norm.weight, norm.bias, norm.eps)
    first, second = (*residuals, None, None)[:2]
    alike(x, weight=weight, bias=bias, norm_weight=norm_weight, norm_bias=norm_bias, residual=first, other=second)
    _check_shapes(k, n, weight, bias, norm_weight, norm_bias)
    sized("residual", first, r, columns)
    sized("residual", second, r, columns)

    y, device = x.new_empty(r, columns), runtime_of(x.device)
    kernel = device.kernel("linear", "linear", x.dtype, ROWS=compiled_rows(r), NORM=norm_kind(norm_weight, norm_bias))
    groups = -(-n // WEIGHT_ROWS)
    before = (x, x.stride(0), weight, weight.stride(0), norm_weight, norm_bias, eps, bias)
    after = (first, first.stride(0) if first is not None else 0, second, second.stride(0) if second is not None else 0)
    kernel((groups,), (_items(k, x, device),), *before, *after, y, r, k, n, code, gated)
    return y


def compiled_rows(r: int) -> int:
    """The compiled size for r rows of x."""
    return next(rows for rows in ROWS if rows >= r)


def norm_kind(weight: Tensor | None, bias: Tensor | None) -> str:
    """The kernel's name for a norm with these weights."""
    return "NO_NORM" if weight is None else "RMS_NORM" if bias is None else "LAYER_NORM"


def _check_shapes(k: int, n: int, weight: Tensor, bias: Tensor | None, *norm: Tensor | None) -> None:
    sized("weight", weight, n, k)
    sized("bias", bias, n)
    for tensor in norm:
        sized("norm", tensor, k)


def _items(k: int, x: Tensor, device: Runtime) -> int:
    """Work-items that share a walk along k."""
    vectors = k * x.element_size() // 16
    return device.lanes * max(1, min(MAX_SUBGROUPS, vectors // (VECTORS_PER_LANE * device.lanes)))
