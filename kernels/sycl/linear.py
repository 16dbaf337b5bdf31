"""A GEMV for the few rows of a decode step with its prologue and epilogue: one launch.

Rows of a weight are dense or packed; parts in several formats are a launch each.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from ..packed import PLANE_ALIGNMENT, launch_sources
from ..torch_kernels import TORCH
from ..weights import DenseWeight, PackedRows, PackedWeight, Weight
from .activation import activate_and_multiply
from .arguments import (
    activation_code,
    check_alike,
    check_packed,
    check_shape,
    is_aligned,
)
from .norm import layer_norm
from .runtime import runtime_of

ROWS = (1, 2, 4, 8, 16)  # compiled sizes; for rows in between some of the sums are unused
MAX_ROWS = ROWS[-1]
MAX_RESIDUALS = 2
WEIGHT_ROWS = 2  # of a work-group
VECTORS_PER_LANE = 4  # of a lane's walk along k; beyond, another sub-group is added
MAX_SUBGROUPS = 16  # as in linear.sycl.cpp
# Of packed weights; with more rows the sums, the means and a weight's codes fill the registers.
MAX_LAYER_NORM_ROWS = 8


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
    of weight are gate, the others up, and the result is [r, n / 2]. A packed weight with a part in
    a format that no kernel reads is torch's. Raises ValueError; more rows than 16 belong to a
    library's matmul, which reads the weights once per tile.
    """
    sources = launch_sources(weight)
    if not sources:
        return TORCH.linear(x, weight, bias, norm, activation, gated, residuals)
    _check(x, weight, bias, norm, activation, gated=gated, residuals=residuals)
    if isinstance(weight, PackedWeight) and len(x) > MAX_LAYER_NORM_ROWS and _is_layer_norm(norm):
        x = layer_norm(x, norm.weight, norm.bias, norm.eps)
        norm = None
    if gated and len(sources) > 1:  # gate and up in different launches
        y = activate_and_multiply(linear(x, weight, bias, norm), activation)
        for residual in residuals:
            y += residual
        return y

    n = weight.shape[0]
    y = x.new_empty(x.shape[0], n // 2 if gated else n)
    first = 0
    for source in sources:
        columns = slice(first, first + source.shape[0])
        _launch(
            x,
            source,
            bias=None if bias is None else bias[columns],
            norm=norm,
            activation=activation,
            gated=gated,
            residuals=tuple(residual[:, columns] for residual in residuals),
            y=y[:, columns],
        )
        first = columns.stop
    return y


def _launch(
    x: Tensor,
    weight: Tensor | PackedRows,
    *,
    bias: Tensor | None,
    norm: NormWeights | None,
    activation: str | None,
    gated: bool,
    residuals: tuple[Tensor, ...],
    y: Tensor,
) -> None:
    """x times a dense weight, or one part of a packed one, into y."""
    norm_weight = None if norm is None else norm.weight
    norm_bias = None if norm is None else norm.bias
    r, k = x.shape
    n = weight.shape[0]
    if isinstance(weight, PackedRows):
        x, norm_weight, norm_bias = map(_aligned, (x, norm_weight, norm_bias))
        stored = weight.blocks
        pitch = 0
        name = weight.format.name
        row_bytes = weight.planes[0][0].numel()  # of codes
    else:
        stored = weight
        pitch = weight.stride(0)
        name = "Dense"
        row_bytes = k * x.element_size()
    residual, residual2 = (*residuals, None, None)[:MAX_RESIDUALS]
    device = runtime_of(x.device)
    kernel = device.kernel(
        "linear",
        "linear",
        x.dtype,
        ROWS=compiled_rows(r),
        NORM=norm_kind(norm_weight, norm_bias),
        FORMAT=name,
    )
    groups = -(-n // WEIGHT_ROWS)
    kernel(
        (groups,),
        (device.lanes * num_subgroups(row_bytes, device.lanes),),
        *(x, x.stride(0)),
        *(stored, pitch),
        *(norm_weight, norm_bias, 0.0 if norm is None else norm.eps),
        bias,
        *(residual, 0 if residual is None else residual.stride(0)),
        *(residual2, 0 if residual2 is None else residual2.stride(0)),
        *(y, y.stride(0)),
        *(r, k, n, activation_code(activation), gated),
    )


def _is_layer_norm(norm: NormWeights | None) -> bool:
    return norm is not None and norm.bias is not None


def compiled_rows(r: int) -> int:
    """The compiled size for r rows of x."""
    return next(rows for rows in ROWS if rows >= r)


def norm_kind(weight: Tensor | None, bias: Tensor | None) -> str:
    """The kernel's name for a norm with these weights."""
    if weight is None:
        return "NO_NORM"
    return "RMS_NORM" if bias is None else "LAYER_NORM"


def _check(
    x: Tensor,
    weight: Weight,
    bias: Tensor | None,
    norm: NormWeights | None,
    activation: str | None,
    *,
    gated: bool,
    residuals: tuple[Tensor, ...],
) -> None:
    """Raise ValueError for what a kernel cannot take."""
    r, k = x.shape
    n = weight.shape[0]
    columns = n // 2 if gated else n
    activation_code(activation)
    if not 1 <= r <= MAX_ROWS or len(residuals) > MAX_RESIDUALS:
        raise ValueError(
            f"{r} rows and {len(residuals)} residuals: expected 1 to {MAX_ROWS}, and at most {MAX_RESIDUALS}"
        )
    if gated and (activation is None or n % 2):
        raise ValueError(
            f"gated with activation {activation!r} and {n} rows of weight: expected one, and an even number"
        )
    if isinstance(weight, DenseWeight):
        check_alike(x, weight=weight.data)
        check_shape("weight", weight.data, n, k)
    else:
        for part in weight.parts:
            check_packed(part, k, x)
    norm_weight = None if norm is None else norm.weight
    norm_bias = None if norm is None else norm.bias
    check_alike(x, bias=bias, norm_weight=norm_weight, norm_bias=norm_bias)
    check_shape("bias", bias, n)
    check_shape("norm_weight", norm_weight, k)
    check_shape("norm_bias", norm_bias, k)
    for name, residual in zip(("residual", "residual2"), residuals, strict=False):
        check_alike(x, **{name: residual})
        check_shape(name, residual, r, columns)


def _aligned(tensor: Tensor | None) -> Tensor | None:
    """The tensor, or a copy that can be read 16 bytes at a time."""
    if tensor is None or is_aligned(tensor):
        return tensor
    return tensor.clone(memory_format=torch.contiguous_format)


def num_subgroups(row_bytes: int, lanes: int) -> int:
    """Sub-groups of so many lanes that share a walk along a row of the weight."""
    vectors = row_bytes // PLANE_ALIGNMENT
    return max(1, min(MAX_SUBGROUPS, vectors // (VECTORS_PER_LANE * lanes)))
