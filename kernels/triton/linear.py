"""A matrix product with few rows, and all that stands beside it in a decode step: one launch.

norm -> x @ weight.T -> bias -> activation (times up) -> residuals. The weight [n, k] is read once, n*k*s bytes for
elements of s bytes, whatever the number of rows. x, a few KB, is read by every program from the cache, and normalised
by each rather than by a launch of its own. The floor of the time is n*k*s / bandwidth: next to it all else is noise.

An RMSNorm costs no pass of its own: rms(x) divides whole rows, so it can wait until the sums over k are done, and the
squares are summed in the same loop. A LayerNorm's mean must be known first, which is a pass over x.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from .activation import activate, check_activation
from .norm import as_rows, row_statistics
from .tuning import Launch, launch_for, weight_tile

MAX_ROWS = 16
NORM_ROWS = 1  # up to here a norm rides for free; for several rows, every program would normalise all of them again
# A row that is not yet divided by its rms can be large: as a 16-bit operand of tl.dot it is kept this much smaller.
HEADROOM = tl.constexpr(1 / 16)


@triton.jit
def folded(tile, N: tl.constexpr, K: tl.constexpr, FOLD: tl.constexpr):
    """Sums of FOLD neighbours, which one thread holds: [N, K / FOLD]. Sums of one element each fill the registers."""
    return tl.sum(tl.reshape(tile, (N, K // FOLD, FOLD)), 2)


@triton.jit
def product(
    x, weight, norm_weight, norm_bias, exists, rows, k, x_stride, eps,
    MATRIX: tl.constexpr, EVEN_K: tl.constexpr, ROWS: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr,
    FOLD: tl.constexpr, BLOCK_NORM: tl.constexpr, STAGES: tl.constexpr,
):  # fmt: skip
    """Rows of the weight, at the addresses `weight` [BLOCK_N, 1], times all rows of x, normalised: [BLOCK_N, ROWS]."""
    row = tl.arange(0, ROWS)[:, None]
    if norm_bias is not None:
        mean, scale = row_statistics(x, None, row, rows, x_stride, 0, k, eps, True, ROWS, BLOCK_NORM)
    elif norm_weight is not None:
        squares = tl.zeros([ROWS, BLOCK_K // FOLD], tl.float32)

    # One row: sums stay apart, one for each 16 bytes of a weight row, and meet after the loop. Several: matrix engine.
    acc = tl.zeros([BLOCK_N, ROWS if MATRIX else BLOCK_K // FOLD], tl.float32)
    for start in tl.range(0, k, BLOCK_K, num_stages=STAGES):
        column = start + tl.arange(0, BLOCK_K)[None, :]
        within = column < k
        wanted = exists[:, None] if EVEN_K else exists[:, None] & within
        w = tl.load(weight + column, mask=wanted, other=0.0, eviction_policy="evict_first")  # never needed again
        value = tl.load(x + row * x_stride + column, mask=(row < rows) & within, other=0.0)
        if norm_weight is not None:
            value, gain = value.to(tl.float32), tl.load(norm_weight + column, mask=within, other=0.0).to(tl.float32)
            if norm_bias is not None:
                value = (value - mean) * scale * gain
                value += tl.load(norm_bias + column, mask=within, other=0.0).to(tl.float32)
            else:
                squares += folded(value * value, ROWS, BLOCK_K, FOLD)
                value *= gain * HEADROOM
        if MATRIX:
            acc = tl.dot(w, tl.trans(value.to(w.dtype)), acc, input_precision="ieee")
        else:
            acc += folded(w.to(tl.float32) * value.to(tl.float32), BLOCK_N, BLOCK_K, FOLD)
    y = acc if MATRIX else tl.sum(acc, 1, keep_dims=True)
    if norm_weight is not None and norm_bias is None:
        deviation = tl.rsqrt(tl.sum(squares, 1) / k + eps) / HEADROOM
        y *= deviation[None, :]
    return y


@triton.jit
def _linear(
    x, weight, bias, norm_weight, norm_bias, first, second, out,
    rows, n, k, x_stride, weight_stride, first_stride, second_stride, eps,
    ACTIVATION: tl.constexpr, GATED: tl.constexpr, MATRIX: tl.constexpr, EVEN_K: tl.constexpr,
    ROWS: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr, FOLD: tl.constexpr,
    BLOCK_NORM: tl.constexpr, STAGES: tl.constexpr,
):  # fmt: skip
    """BLOCK_N rows of the weight against all rows of x: the output, transposed, is [BLOCK_N, ROWS]."""
    OUTPUTS: tl.constexpr = BLOCK_N // 2 if GATED else BLOCK_N
    outputs = n // 2 if GATED else n
    lane = tl.arange(0, BLOCK_N)
    output = tl.program_id(0) * OUTPUTS + (lane // 2 if GATED else lane)
    exists = output < outputs
    # Gated: gate and up rows alternate, so that the two that belong together are neighbours in the accumulator.
    line = output + lane % 2 * outputs if GATED else output
    weight += line.to(tl.int64)[:, None] * weight_stride
    output = tl.program_id(0) * OUTPUTS + tl.arange(0, OUTPUTS)[:, None]
    row = tl.arange(0, ROWS)[None, :]
    inside = (output < outputs) & (row < rows)
    # What is added at the end is asked for now: its way here is as long as a tile's, and nothing would hide it there.
    if bias is not None:
        shift = tl.load(bias + line, mask=exists, other=0.0).to(tl.float32)[:, None]
    if first is not None:
        added = tl.load(first + row * first_stride + output, mask=inside, other=0.0).to(tl.float32)
        if second is not None:
            added += tl.load(second + row * second_stride + output, mask=inside, other=0.0).to(tl.float32)

    y = product(
        x, weight, norm_weight, norm_bias, exists, rows, k, x_stride, eps,
        MATRIX, EVEN_K, ROWS, BLOCK_N, BLOCK_K, FOLD, BLOCK_NORM, STAGES,
    )  # fmt: skip
    if bias is not None:
        y += shift
    if GATED:
        gate, up = tl.split(tl.permute(tl.reshape(y, (OUTPUTS, 2, ROWS)), (0, 2, 1)))
        y = activate(gate, ACTIVATION) * up
    elif ACTIVATION is not None:
        y = activate(y, ACTIVATION)
    if first is not None:
        y += added
    tl.store(out + row * outputs + output, y, mask=inside)


def linear(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    norm: Any = None,
    activation: str | None = None,
    gated: bool = False,
    residuals: tuple[Tensor, ...] = (),
    *,
    launch: Launch | None = None,
) -> Tensor:
    """x [..., k], at most 16 rows, times weight [n, k]; norm before; bias, activation, residuals after, in that order.

    `norm` has `weight`, `bias` and `eps`: a LayerNorm, or an RMSNorm where its bias is None. `gated`: the first half of
    the outputs is activated and multiplied by the second. Returns [..., n], gated [..., n / 2], as are the residuals.
    Raises ValueError for more rows, more than two residuals, an unknown activation, or shapes that do not fit.
    """
    outputs = len(weight) // 2 if gated else len(weight)
    shape, lines = (*x.shape[:-1], outputs), as_rows(x)
    _check(lines, weight, activation, gated, residuals, shape)
    grid, constants = plan(*weight.shape, weight.element_size(), gated, len(lines) > 1, x.device.type, launch)
    out = torch.empty(shape, dtype=x.dtype, device=x.device)
    first, second = (*map(as_rows, residuals), None, None)[:2]
    strides = [t.stride(0) if t is not None else 0 for t in (lines, weight, first, second)]
    norm_weight, norm_bias, eps = (None, None, 0.0) if norm is None else (norm.weight, norm.bias, norm.eps)
    _linear[grid](
        lines, weight, bias, norm_weight, norm_bias, first, second, out, len(lines), *weight.shape, *strides, eps,
        ACTIVATION=activation, GATED=gated, **constants,
    )  # fmt: skip
    return out


def plan(*shape: Any) -> tuple[tuple[int], dict[str, Any]]:
    """The grid, and the constants of a launch; worked out once for each weight's shape, unless a launch is given."""
    return (_plan if shape[-1] is None else _plan.__wrapped__)(*shape)


@cache
def _plan(
    n: int, k: int, size: int, pairs: bool, matrix: bool, device_type: str, launch: Launch | None
) -> tuple[tuple[int], dict[str, Any]]:
    launch = launch or launch_for("linear_matrix" if matrix else "linear_vector", device_type)
    rows = MAX_ROWS if matrix else 1  # a matrix engine's tile is 16 rows, even where few are used
    block_n, block_k = weight_tile(n, k, size, launch)
    block_n = max(block_n, 2) if pairs else block_n
    constants = {
        "MATRIX": matrix,
        "EVEN_K": k % block_k == 0,
        "ROWS": rows,
        "BLOCK_N": block_n,
        "BLOCK_K": block_k,
        "FOLD": 16 // size,  # what a thread loads at once
        "BLOCK_NORM": min(triton.next_power_of_2(k), 8192 // rows),
        "STAGES": launch.num_stages,
    }
    return (triton.cdiv(n, block_n),), constants | launch.options


def _check(
    x: Tensor, weight: Tensor, activation: str | None, gated: bool, residuals: tuple[Tensor, ...], shape: tuple
) -> None:
    if len(x) > MAX_ROWS:
        raise ValueError(f"x has {len(x)} rows: expected at most {MAX_ROWS}; more belong to torch's matrix product")
    if x.shape[1] != weight.shape[1] or weight.stride(1) != 1:
        raise ValueError(f"weight is {list(weight.shape)}, strides {weight.stride()}: expected dense [n, {x.shape[1]}]")
    if gated and (activation is None or len(weight) % 2):
        raise ValueError(f"gated needs an activation and an even number of outputs: got {activation}, {len(weight)}")
    if activation is not None:
        check_activation(activation)
    if len(residuals) > 2 or any(r.shape != shape for r in residuals):
        raise ValueError(f"residuals are {[list(r.shape) for r in residuals]}: expected at most two {list(shape)}")
