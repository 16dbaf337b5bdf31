"""RMSNorm and LayerNorm, and RMSNorm with the residual stream added after it: one launch.

A row of m elements of s bytes is read once and written once, 2*m*s bytes; adding the residual reads one more row,
3*m*s. Unfused in torch, a 16-bit RMSNorm alone moves about 38*m bytes in eight launches.
"""

from __future__ import annotations

import triton
import triton.language as tl
from torch import Tensor

from .arguments import cdiv, check_vectors, next_power_of_2
from .tuning import LaunchConfig, launch_for

# A row not yet divided by its rms can be large: as a 16-bit operand of tl.dot it is kept this much smaller.
HEADROOM = tl.constexpr(1 / 16)


@triton.jit
def _norm_rows(
    x_ptr, residual_ptr, weight_ptr, bias_ptr, out_ptr,
    num_rows, num_columns, stride_x, stride_residual, eps,
    BLOCK_M: tl.constexpr, BLOCK_SIZE: tl.constexpr,
):  # fmt: skip
    """BLOCK_M whole rows, each read once and kept in registers."""
    row = tl.program_id(0).to(tl.int64) * BLOCK_M + tl.arange(0, BLOCK_M)[:, None]
    column = tl.arange(0, BLOCK_SIZE)[None, :]
    column_mask = column < num_columns
    mask = (row < num_rows) & column_mask

    x = tl.load(x_ptr + row * stride_x + column, mask=mask, other=0.0).to(tl.float32)
    # The weight is prefetched: the sums over a row would wait for x alone.
    weight = tl.load(weight_ptr + column, mask=column_mask, other=0.0).to(tl.float32)
    if residual_ptr is not None:
        residual_offsets = residual_ptr + row * stride_residual + column
        residual = tl.load(residual_offsets, mask=mask, other=0.0).to(tl.float32)

    if bias_ptr is not None:  # a LayerNorm subtracts the mean
        x = tl.where(mask, x - tl.sum(x, 1, keep_dims=True) / num_columns, 0.0)
    variance = tl.sum(x * x, 1, keep_dims=True) / num_columns
    y = x * tl.rsqrt(variance + eps) * weight
    if bias_ptr is not None:
        y += tl.load(bias_ptr + column, mask=column_mask, other=0.0).to(tl.float32)
    if residual_ptr is not None:
        y += residual

    tl.store(out_ptr + row * num_columns + column, y, mask=mask)


@triton.jit
def _load_block(x_ptr, row, num_rows, stride_x, start, num_columns, BLOCK_SIZE: tl.constexpr):
    """BLOCK_SIZE columns of x from `start`, in fp32; their numbers and their mask."""
    column = start + tl.arange(0, BLOCK_SIZE)[None, :]
    mask = (row < num_rows) & (column < num_columns)
    x = tl.load(x_ptr + row * stride_x + column, mask=mask, other=0.0).to(tl.float32)
    return x, column, mask


@triton.jit
def row_statistics(
    x_ptr, row, num_rows, stride_x, num_columns, eps,
    CENTRED: tl.constexpr, BLOCK_M: tl.constexpr, BLOCK_SIZE: tl.constexpr,
):  # fmt: skip
    """Mean (0 unless CENTRED) and 1 / standard deviation of rows `row` [BLOCK_M, 1], read once.

    Each block of columns is centred by its own mean, and merged with those before it as Chan, Golub and LeVeque (1979)
    do: the difference of two large sums would lose the digits of a small variance.
    """
    mean = tl.zeros([BLOCK_M, 1], tl.float32)
    squares = tl.zeros([BLOCK_M, 1], tl.float32)
    for start in range(0, num_columns, BLOCK_SIZE):
        x, _column, mask = _load_block(
            x_ptr, row, num_rows, stride_x, start, num_columns, BLOCK_SIZE
        )
        if CENTRED:
            count = tl.minimum(num_columns - start, BLOCK_SIZE)
            delta = tl.sum(x, 1, keep_dims=True) / count - mean
            fraction = count / (start + count)
            x = tl.where(mask, x - mean - delta, 0.0)
            mean += delta * fraction
            squares += delta * delta * fraction * start
        squares += tl.sum(x * x, 1, keep_dims=True)
    return mean, tl.rsqrt(squares / num_columns + eps)


@triton.jit
def _norm_long_row(
    x_ptr, residual_ptr, weight_ptr, bias_ptr, out_ptr,
    num_rows, num_columns, stride_x, stride_residual, eps,
    BLOCK_SIZE: tl.constexpr,
):  # fmt: skip
    """One row that does not fit into registers: read twice, the second time from the cache."""
    row = tl.program_id(0).to(tl.int64) + tl.zeros([1, 1], tl.int64)
    mean, inverse_std = row_statistics(
        x_ptr, row, num_rows, stride_x, num_columns, eps, bias_ptr is not None, 1, BLOCK_SIZE
    )
    for start in range(0, num_columns, BLOCK_SIZE):
        x, column, mask = _load_block(
            x_ptr, row, num_rows, stride_x, start, num_columns, BLOCK_SIZE
        )
        column_mask = column < num_columns
        weight = tl.load(weight_ptr + column, mask=column_mask, other=0.0).to(tl.float32)
        y = (x - mean) * inverse_std * weight
        if bias_ptr is not None:
            y += tl.load(bias_ptr + column, mask=column_mask, other=0.0).to(tl.float32)
        if residual_ptr is not None:
            residual_offsets = residual_ptr + row * stride_residual + column
            y += tl.load(residual_offsets, mask=mask, other=0.0).to(tl.float32)
        tl.store(out_ptr + row * num_columns + column, y, mask=mask)


def rms_norm(
    x: Tensor, weight: Tensor, eps: float, *, launch: LaunchConfig | None = None
) -> Tensor:
    """Scale the rows of x [..., m] to a root mean square of one, then by weight [m]."""
    return _normalise(x, None, weight, None, eps, launch)


def norm_and_add(
    x: Tensor, residual: Tensor, weight: Tensor, eps: float, *, launch: LaunchConfig | None = None
) -> Tensor:
    """residual [..., m] + the RMSNorm of x [..., m]."""
    return _normalise(x, residual, weight, None, eps, launch)


def layer_norm(
    x: Tensor, weight: Tensor, bias: Tensor, eps: float, *, launch: LaunchConfig | None = None
) -> Tensor:
    """Shift the rows of x [..., m] to mean zero, scale them to variance one; then weight and bias [m]."""
    return _normalise(x, None, weight, bias, eps, launch)


def as_rows(x: Tensor | None) -> Tensor | None:
    """x [..., m] as dense rows [r, m] with any stride between them; copied only where no view is."""
    if x is None or (x.dim() == 2 and x.stride(1) == 1):
        return x
    rows = x.reshape(-1, x.shape[-1])
    return rows if rows.stride(1) == 1 else rows.contiguous()


def _normalise(
    x: Tensor,
    residual: Tensor | None,
    weight: Tensor,
    bias: Tensor | None,
    eps: float,
    launch: LaunchConfig | None,
) -> Tensor:
    if residual is not None and residual.shape != x.shape:
        raise ValueError(
            f"residual has shape {list(residual.shape)}: expected that of x, {list(x.shape)}"
        )
    check_vectors(x.shape[-1], weight=weight, bias=bias)
    launch = launch or launch_for("norm", x.device.type)
    out = x.new_empty(x.shape)
    x_rows, residual_rows = as_rows(x), as_rows(residual)
    num_rows, num_columns = x_rows.shape
    stride_residual = 0 if residual_rows is None else residual_rows.stride(0)
    pointers = (x_rows, residual_rows, weight, bias, out)
    sizes = (num_rows, num_columns, x_rows.stride(0), stride_residual, eps)

    block_size = next_power_of_2(num_columns)
    longest = launch.blocks["block"]
    if block_size > longest:
        _norm_long_row[(num_rows,)](*pointers, *sizes, BLOCK_SIZE=longest, **launch.options)
        return out
    block_m = max(1, min(launch.blocks["tile"] // block_size, next_power_of_2(num_rows)))
    _norm_rows[(cdiv(num_rows, block_m),)](
        *pointers, *sizes, BLOCK_M=block_m, BLOCK_SIZE=block_size, **launch.options
    )
    return out
