"""RMSNorm and LayerNorm, with or without adding the residual stream before or after: one launch.

A row of m elements of s bytes is read once and written once, 2*m*s bytes; adding before reads and writes one more row
each, 4*m*s, and adding after reads one, 3*m*s. Spelled out in torch, a 16-bit RMSNorm alone moves about 38*m bytes in
eight launches.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from .tuning import Launch, launch_for


@triton.jit
def _norm_tile(
    x, residual, weight, bias, total, out, rows, width, x_stride, residual_stride, eps,
    ROWS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Whole rows, several when they are short: read once, kept in registers; residual added after if total is None."""
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)[:, None]
    column = tl.arange(0, BLOCK)[None, :]
    inside = (row < rows) & (column < width)
    value = tl.load(x + row * x_stride + column, mask=inside, other=0.0).to(tl.float32)
    w = tl.load(weight + column, mask=column < width, other=0.0).to(tl.float32)  # asked for before the sums wait
    if residual is not None:
        more = tl.load(residual + row * residual_stride + column, mask=inside, other=0.0).to(tl.float32)
    if total is not None:
        value += more
        tl.store(total + row * width + column, value, mask=inside)
    if bias is not None:
        value = tl.where(inside, value - tl.sum(value, 1, keep_dims=True) / width, 0.0)
    y = value * tl.rsqrt(tl.sum(value * value, 1, keep_dims=True) / width + eps) * w
    if bias is not None:
        y += tl.load(bias + column, mask=column < width, other=0.0).to(tl.float32)
    if residual is not None and total is None:
        y += more
    tl.store(out + row * width + column, y, mask=inside)


@triton.jit
def load_piece(x, residual, row, rows, x_stride, residual_stride, start, width, BLOCK: tl.constexpr):
    """Columns from `start` of x, plus residual unless None, in fp32; and which of them exist."""
    column = start + tl.arange(0, BLOCK)[None, :]
    inside = (row < rows) & (column < width)
    value = tl.load(x + row * x_stride + column, mask=inside, other=0.0).to(tl.float32)
    if residual is not None:
        value += tl.load(residual + row * residual_stride + column, mask=inside, other=0.0).to(tl.float32)
    return value, column, inside


@triton.jit
def row_statistics(
    x, residual, row, rows, x_stride, residual_stride, width, eps,
    CENTRED: tl.constexpr, ROWS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Mean (0 unless CENTRED) and 1 / standard deviation of rows `row` [ROWS, 1], read once, piece by piece.

    Each piece is centred by its own mean, and joined to those before it as Chan, Golub and LeVeque (1979) do: the
    difference of two large sums would lose the digits of a small variance.
    """
    mean, squares = tl.zeros([ROWS, 1], tl.float32), tl.zeros([ROWS, 1], tl.float32)
    for start in range(0, width, BLOCK):
        value, _column, inside = load_piece(x, residual, row, rows, x_stride, residual_stride, start, width, BLOCK)
        if CENTRED:
            here = tl.minimum(width - start, BLOCK)
            shift = tl.sum(value, 1, keep_dims=True) / here - mean
            share = here / (start + here)
            value = tl.where(inside, value - mean - shift, 0.0)
            mean += shift * share
            squares += shift * shift * share * start
        squares += tl.sum(value * value, 1, keep_dims=True)
    return mean, tl.rsqrt(squares / width + eps)


@triton.jit
def _norm_long(
    x, residual, weight, bias, total, out, rows, width, x_stride, residual_stride, eps, BLOCK: tl.constexpr
):  # fmt: skip
    """The same of one row too long for the registers: read again for every pass, from the cache after the first."""
    row = tl.program_id(0).to(tl.int64) + tl.zeros([1, 1], tl.int64)
    before = None if total is None else residual
    mean, scale = row_statistics(
        x, before, row, rows, x_stride, residual_stride, width, eps, bias is not None, 1, BLOCK
    )
    for start in range(0, width, BLOCK):
        value, column, inside = load_piece(x, before, row, rows, x_stride, residual_stride, start, width, BLOCK)
        if total is not None:
            tl.store(total + row * width + column, value, mask=inside)
        y = (value - mean) * scale * tl.load(weight + column, mask=column < width, other=0.0).to(tl.float32)
        if bias is not None:
            y += tl.load(bias + column, mask=column < width, other=0.0).to(tl.float32)
        if residual is not None and total is None:
            y += tl.load(residual + row * residual_stride + column, mask=inside, other=0.0).to(tl.float32)
        tl.store(out + row * width + column, y, mask=inside)


def rms_norm(x: Tensor, weight: Tensor, eps: float, *, launch: Launch | None = None) -> Tensor:
    """Scale the rows of x [..., m] to a root mean square of one, then by weight [m]."""
    return _normalise(x, None, weight, None, eps, launch)[1]


def add_rms_norm(
    x: Tensor, residual: Tensor, weight: Tensor, eps: float, *, launch: Launch | None = None
) -> tuple[Tensor, Tensor]:
    """x + residual [..., m], and its RMSNorm."""
    return _normalise(x, residual, weight, None, eps, launch)


def norm_and_add(x: Tensor, residual: Tensor, weight: Tensor, eps: float, *, launch: Launch | None = None) -> Tensor:
    """residual [..., m] + the RMSNorm of x [..., m]."""
    return _normalise(x, residual, weight, None, eps, launch, after=True)[1]


def layer_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float, *, launch: Launch | None = None) -> Tensor:
    """Shift the rows of x [..., m] to mean zero, scale them to variance one; then weight and bias [m]."""
    return _normalise(x, None, weight, bias, eps, launch)[1]


def add_layer_norm(
    x: Tensor, residual: Tensor, weight: Tensor, bias: Tensor, eps: float, *, launch: Launch | None = None
) -> tuple[Tensor, Tensor]:
    """x + residual [..., m], and its LayerNorm."""
    return _normalise(x, residual, weight, bias, eps, launch)


def as_rows(x: Tensor | None) -> Tensor | None:
    """x [..., m] as rows [r, m] that may stand apart but are themselves dense; copied only where no view is."""
    if x is None or (x.dim() == 2 and x.stride(1) == 1):
        return x
    rows = x.reshape(-1, x.shape[-1])
    return rows if rows.stride(1) == 1 else rows.contiguous()


def _normalise(
    x: Tensor, residual: Tensor | None, weight: Tensor, bias: Tensor | None, eps: float, launch: Launch | None,
    after: bool = False,
) -> tuple[Tensor | None, Tensor]:  # fmt: skip
    if residual is not None and residual.shape != x.shape:
        raise ValueError(f"residual has shape {list(residual.shape)}: expected that of x, {list(x.shape)}")
    launch = launch or launch_for("norm", x.device.type)
    out = torch.empty(x.shape, dtype=x.dtype, device=x.device)
    total = None if residual is None or after else torch.empty_like(out)
    lines, added = as_rows(x), as_rows(residual)
    (rows, width), block = lines.shape, triton.next_power_of_2(x.shape[-1])
    strides = lines.stride(0), 0 if added is None else added.stride(0)
    arguments = (lines, added, weight, bias, total, out, rows, width, *strides, eps)
    if block > launch.blocks["block"]:
        _norm_long[(rows,)](*arguments, BLOCK=launch.blocks["block"], **launch.options)
    else:
        held = max(1, min(launch.blocks["tile"] // block, triton.next_power_of_2(rows)))
        _norm_tile[(triton.cdiv(rows, held),)](*arguments, ROWS=held, BLOCK=block, **launch.options)
    return total, out
