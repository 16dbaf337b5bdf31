"""A matrix product with few rows, and its neighbours in a decode step as prologue and epilogue: one launch.

norm -> x @ weight.T -> bias -> activation (times up) -> residuals. The weight [n, k] is read once, n*k*s bytes for
elements of s bytes, whatever the number of rows. x, a few KB, is read by every program from the cache, and normalised
by each rather than by a launch of its own. The floor of the time is n*k*s / bandwidth: next to it all else is noise.

An RMSNorm costs no pass of its own: rms(x) divides whole rows, so it can wait until the sums over k are done, and the
squares are summed in the same loop. A LayerNorm's mean must be known first, which is a pass over x.
"""

from __future__ import annotations

from functools import cache
from math import gcd
from typing import Any

import triton
import triton.language as tl
from torch import Tensor

from ..packed import check_planes, launch_sources
from ..torch_kernels import TORCH
from ..weights import PackedRows, PackedWeight, Weight
from .activation import activate, activate_and_multiply, check_activation
from .arguments import (
    MAX_ROWS,
    LinearStrides,
    NormPointers,
    cdiv,
    check_vectors,
    next_power_of_2,
)
from .block_matmul import dot_of_blocks
from .norm import HEADROOM, as_rows, row_statistics
from .packed_matmul import packed_gemv_or_dot, packed_launch
from .packed_tiles import aligned, packed_pointers
from .tiles import has_blocks
from .tuning import LaunchConfig, launch_for, weight_tile

# Up to so many rows a norm is a free prologue; of several rows, every program would normalise all again.
MAX_PROLOGUE_NORM_ROWS = 1
MIN_ROWS = 16  # of a tile of tl.dot


@triton.jit
def _partial_sums(tile, ROWS: tl.constexpr, BLOCK_K: tl.constexpr, VECTOR_SIZE: tl.constexpr):
    """Sums of VECTOR_SIZE neighbours, which one thread holds: [ROWS, BLOCK_K / VECTOR_SIZE].

    An accumulator for each element would fill the registers.
    """
    return tl.sum(tl.reshape(tile, (ROWS, BLOCK_K // VECTOR_SIZE, VECTOR_SIZE)), 2)


@triton.jit
def gemv_or_dot(
    x_ptr, weight_row_ptrs, norm, weight_row_mask, num_rows, k, stride_x,
    USE_DOT: tl.constexpr, EVEN_K: tl.constexpr, BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr,
    BLOCK_K: tl.constexpr, BLOCK_NORM: tl.constexpr, NUM_STAGES: tl.constexpr,
):  # fmt: skip
    """The transposed matmul of the rows of x, normalised, with BLOCK_N rows of the weight: [BLOCK_N, BLOCK_M].

    `weight_row_ptrs` [BLOCK_N, 1] point to the rows of the weight. One row of x (a GEMV): a partial sum for each 16
    bytes of a weight row, summed up after the loop. Several: tl.dot.
    """
    VECTOR_SIZE: tl.constexpr = 128 // weight_row_ptrs.dtype.element_ty.primitive_bitwidth
    row = tl.arange(0, BLOCK_M)[:, None]
    if norm.bias_ptr is not None:  # a LayerNorm
        mean, inverse_std = row_statistics(
            x_ptr, row, num_rows, stride_x, k, norm.eps, True, BLOCK_M, BLOCK_NORM
        )
    elif norm.weight_ptr is not None:  # an RMSNorm
        squares = tl.zeros([BLOCK_M, BLOCK_K // VECTOR_SIZE], tl.float32)

    acc = tl.zeros([BLOCK_N, BLOCK_M if USE_DOT else BLOCK_K // VECTOR_SIZE], tl.float32)
    for start in tl.range(0, k, BLOCK_K, num_stages=NUM_STAGES):
        column = start + tl.arange(0, BLOCK_K)[None, :]
        column_mask = column < k
        weight_mask = weight_row_mask[:, None] if EVEN_K else weight_row_mask[:, None] & column_mask
        # The weight is read once: it leaves the cache first.
        w = tl.load(
            weight_row_ptrs + column, mask=weight_mask, other=0.0, eviction_policy="evict_first"
        )
        x_mask = (row < num_rows) & column_mask
        x = tl.load(x_ptr + row * stride_x + column, mask=x_mask, other=0.0)

        if norm.weight_ptr is not None:
            x = x.to(tl.float32)
            gain = tl.load(norm.weight_ptr + column, mask=column_mask, other=0.0).to(tl.float32)
            if norm.bias_ptr is not None:
                x = (x - mean) * inverse_std * gain
                x += tl.load(norm.bias_ptr + column, mask=column_mask, other=0.0).to(tl.float32)
            else:
                squares += _partial_sums(x * x, BLOCK_M, BLOCK_K, VECTOR_SIZE)
                x *= gain * HEADROOM

        if USE_DOT:
            acc = tl.dot(w, tl.trans(x.to(w.dtype)), acc, input_precision="ieee")
        else:
            products = w.to(tl.float32) * x.to(tl.float32)
            acc += _partial_sums(products, BLOCK_N, BLOCK_K, VECTOR_SIZE)

    y = acc if USE_DOT else tl.sum(acc, 1, keep_dims=True)
    if norm.weight_ptr is not None and norm.bias_ptr is None:
        inverse_rms = tl.rsqrt(tl.sum(squares, 1) / k + norm.eps) / HEADROOM
        y *= inverse_rms[None, :]
    return y


@triton.jit
def _linear(
    x_ptr, weight, bias_ptr, norm, residual_ptr, residual2_ptr, out_ptr,
    num_rows, n, k, strides,
    ACTIVATION: tl.constexpr, GATED: tl.constexpr, FORMAT: tl.constexpr, USE_DOT: tl.constexpr, EVEN_K: tl.constexpr,
    BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr,
    BLOCK_NORM: tl.constexpr, NUM_STAGES: tl.constexpr, BLOCK_LOADS: tl.constexpr,
):  # fmt: skip
    """BLOCK_N rows of the weight [n, k] with all rows of x; accumulators are transposed, [BLOCK_N, BLOCK_M].

    `weight` is a pointer to a dense one, whose FORMAT is None, or the planes of a packed one.
    """
    # Offsets. Gated: gate and up rows alternate, so that a pair are neighbours in the accumulator.
    BLOCK_OUT: tl.constexpr = BLOCK_N // 2 if GATED else BLOCK_N
    num_outputs = n // 2 if GATED else n
    lane = tl.arange(0, BLOCK_N)
    output = tl.program_id(0) * BLOCK_OUT + (lane // 2 if GATED else lane)
    weight_row_mask = output < num_outputs
    weight_row = output + lane % 2 * num_outputs if GATED else output
    output = tl.program_id(0) * BLOCK_OUT + tl.arange(0, BLOCK_OUT)[:, None]
    row = tl.arange(0, BLOCK_M)[None, :]
    out_mask = (output < num_outputs) & (row < num_rows)

    # The epilogue's operands are prefetched: they take as long as a tile, and nothing would hide them there.
    if bias_ptr is not None and not BLOCK_LOADS:
        bias = tl.load(bias_ptr + weight_row, mask=weight_row_mask, other=0.0).to(tl.float32)[
            :, None
        ]
    if residual_ptr is not None:
        residual_offsets = residual_ptr + row * strides.residual + output
        residual = tl.load(residual_offsets, mask=out_mask, other=0.0).to(tl.float32)
        if residual2_ptr is not None:
            residual2_offsets = residual2_ptr + row * strides.residual2 + output
            residual += tl.load(residual2_offsets, mask=out_mask, other=0.0).to(tl.float32)

    if BLOCK_LOADS:
        first = tl.program_id(0) * BLOCK_OUT
        y, up = dot_of_blocks(
            x_ptr, weight, bias_ptr, norm, first, num_outputs + first, num_outputs - first,
            num_rows, k, strides,
            1, GATED, EVEN_K, BLOCK_M, BLOCK_OUT, BLOCK_K, BLOCK_NORM, NUM_STAGES,
        )  # fmt: skip
    else:
        if FORMAT is None:
            weight_row_ptrs = weight + weight_row.to(tl.int64)[:, None] * strides.weight
            y = gemv_or_dot(
                x_ptr, weight_row_ptrs, norm, weight_row_mask, num_rows, k, strides.x,
                USE_DOT, EVEN_K, BLOCK_M, BLOCK_N, BLOCK_K, BLOCK_NORM, NUM_STAGES,
            )  # fmt: skip
        else:
            y = packed_gemv_or_dot(
                x_ptr, weight, tl.minimum(weight_row, n - 1), norm, num_rows, k, strides.x,
                FORMAT, USE_DOT, EVEN_K, BLOCK_M, BLOCK_N, BLOCK_K, BLOCK_NORM, NUM_STAGES,
            )  # fmt: skip
        if bias_ptr is not None:
            y += bias
        if GATED:
            y, up = tl.split(tl.permute(tl.reshape(y, (BLOCK_OUT, 2, BLOCK_M)), (0, 2, 1)))

    if GATED:
        y = activate(y, ACTIVATION) * up
    elif ACTIVATION is not None:
        y = activate(y, ACTIVATION)
    if residual_ptr is not None:
        y += residual
    tl.store(out_ptr + row * strides.out + output, y, mask=out_mask)


def linear(
    x: Tensor,
    weight: Weight,
    bias: Tensor | None = None,
    norm: Any = None,
    activation: str | None = None,
    gated: bool = False,
    residuals: tuple[Tensor, ...] = (),
    *,
    launch: LaunchConfig | None = None,
) -> Tensor:
    """x [..., k], at most 16 rows, times weight [n, k]; norm before; bias, activation, residuals after.

    `norm` has `weight`, `bias` and `eps`: a LayerNorm, or an RMSNorm where its bias is None. `gated`: the first half of
    the outputs is activated and multiplied by the second. Returns [..., n], gated [..., n / 2], as are the residuals.
    A packed weight is one launch for each of its parts, and one more for a gate across parts; with a part that these
    kernels do not read it is torch's. Raises ValueError for more rows, more than two residuals, an unknown activation,
    or shapes that do not fit.
    """
    sources = launch_sources(weight)
    if not sources:
        return TORCH.linear(x, weight, bias, norm, activation, gated, residuals)
    n, k = weight.shape
    out_shape = (*x.shape[:-1], n // 2 if gated else n)
    x_rows = as_rows(x)
    _check(x_rows, weight, activation, gated, residuals, out_shape)
    check_vectors(n, bias=bias)
    check_norm(norm, k)
    if gated and len(sources) > 1:
        out = activate_and_multiply(linear(x, weight, bias, norm, launch=launch), activation)
        for residual in residuals:
            out += residual
        return out
    out = x.new_empty(out_shape)
    out_rows = out.view(-1, out_shape[-1])
    operands = [as_rows(residual) for residual in residuals]
    first = 0
    for source in sources:
        columns = slice(first, first + source.shape[0])
        _launch(
            x_rows, source, None if bias is None else bias[columns], norm, activation, gated,
            tuple(residual[:, columns] for residual in operands), out_rows[:, columns], launch,
        )  # fmt: skip
        first = columns.stop
    return out


def _launch(
    x: Tensor, matrix: Tensor | PackedRows, bias: Tensor | None, norm: Any, activation: str | None,
    gated: bool, residuals: tuple[Tensor, ...], out: Tensor, launch: LaunchConfig | None,
) -> None:  # fmt: skip
    """One launch: rows x times a dense matrix, or one part of a packed one, into columns of out."""
    n, k = matrix.shape
    use_dot = len(x) > 1
    if isinstance(matrix, PackedRows):
        weight = packed_pointers(matrix)
        x = x if use_dot else aligned(x)
        stride = 0
        grid, constants = packed_launch(
            n, k, matrix.format.name, pairs=gated, num_rows=len(x),
            device_type=x.device.type, launch=launch,
        )  # fmt: skip
    else:
        weight = matrix
        stride = matrix.stride(0)
        grid, constants = gemv_launch(
            n, k, matrix.element_size(), pairs=gated, use_dot=use_dot,
            aligned=is_aligned(x, matrix, launch, first_row=gcd(MIN_ROWS, n // 2 if gated else 0)),
            device_type=x.device.type, launch=launch,
        )  # fmt: skip
    residual, residual2 = (*residuals, None, None)[:2]
    strides = LinearStrides(
        x=x.stride(0),
        weight=stride,
        block=stride,
        residual=0 if residual is None else residual.stride(0),
        residual2=0 if residual2 is None else residual2.stride(0),
        out=out.stride(0),
    )
    _linear[grid](
        x, weight, bias, norm_pointers(norm), residual, residual2, out,
        len(x), n, k, strides,
        ACTIVATION=activation, GATED=gated, **constants,
    )  # fmt: skip


def check_norm(norm: Any, k: int) -> None:
    """Raise ValueError unless a norm in front of a matrix product, where there is one, is of rows of k."""
    if norm is not None:
        check_vectors(k, norm_weight=norm.weight, norm_bias=norm.bias)


def norm_pointers(norm: Any) -> NormPointers:
    """The norm in front of a matrix product as a kernel receives it; None: no norm."""
    if norm is None:
        return NormPointers(None, None, 0.0)
    bias = None if norm.bias is None else aligned(norm.bias)
    return NormPointers(aligned(norm.weight), bias, norm.eps)


def is_aligned(x: Tensor, weight: Tensor, launch: LaunchConfig | None, *, first_row: int) -> bool:
    """Whether several rows of x and the weight, at multiples of `first_row`, are loaded as blocks and can be."""
    launch = launch or launch_for("linear_matrix", x.device.type)
    return (
        launch.block_loads
        and len(x) > 1
        and has_blocks(x)
        and has_blocks(weight, first_row=first_row)
    )


def gemv_launch(
    n: int, k: int, element_size: int, *, pairs: bool, use_dot: bool, aligned: bool,
    device_type: str, launch: LaunchConfig | None, neighbours: int = 0,
) -> tuple[tuple[int], dict[str, Any]]:  # fmt: skip
    """The grid and the constants of a launch for a weight [n, k].

    `pairs`: a program holds both rows of each pair (gate and up, or the two elements of a rotation). `neighbours`:
    so many pairs follow one another in memory; 0: all. Computed once for each shape of a weight, unless a launch is
    given.
    """
    compute = _gemv_launch if launch is None else _gemv_launch.__wrapped__
    return compute(n, k, element_size, pairs, use_dot, aligned, device_type, launch, neighbours)


@cache
def _gemv_launch(
    n: int, k: int, element_size: int, pairs: bool, use_dot: bool, aligned: bool,
    device_type: str, launch: LaunchConfig | None, neighbours: int,
) -> tuple[tuple[int], dict[str, Any]]:  # fmt: skip
    launch = launch or launch_for("linear_matrix" if use_dot else "linear_vector", device_type)
    block_m = MAX_ROWS if use_dot else 1  # a tile of tl.dot has 16 rows, even where few are used
    blocks = 2 if pairs else 1
    block_rows, block_k = weight_tile(n, k, element_size, launch, blocks)
    block_rows = gcd(block_rows, neighbours)
    block_loads = launch.block_loads and use_dot and aligned and block_rows >= MIN_ROWS
    if block_loads:
        block_n = blocks * block_rows
    else:
        block_n, block_k = weight_tile(n, k, element_size, launch)
        block_n = max(block_n, blocks)
    constants = {
        "FORMAT": None,
        "USE_DOT": use_dot,
        "EVEN_K": k % block_k == 0,
        "BLOCK_M": block_m,
        "BLOCK_N": block_n,
        "BLOCK_K": block_k,
        "BLOCK_NORM": min(next_power_of_2(k), launch.blocks["norm_tile"] // block_m),
        "NUM_STAGES": launch.num_stages,
        "BLOCK_LOADS": block_loads,
    }
    return (cdiv(n, block_n),), constants | launch.options


def _check(
    x: Tensor,
    weight: Weight,
    activation: str | None,
    gated: bool,
    residuals: tuple[Tensor, ...],
    out_shape: tuple[int, ...],
) -> None:
    if len(x) > MAX_ROWS:
        raise ValueError(
            f"x has {len(x)} rows: expected at most {MAX_ROWS}; more belong to torch's matmul"
        )
    check_weight(weight, x.shape[1])
    n = weight.shape[0]
    if gated and (activation is None or n % 2):
        raise ValueError(
            f"gated needs an activation and an even number of outputs: got {activation}, {n}"
        )
    if activation is not None:
        check_activation(activation)
    if len(residuals) > 2 or any(r.shape != out_shape for r in residuals):
        shapes = [list(r.shape) for r in residuals]
        raise ValueError(f"residuals are {shapes}: expected at most two {list(out_shape)}")


def check_weight(weight: Weight, k: int) -> None:
    """Raise ValueError unless a weight is of rows of k, and dense or in planes that a kernel can read."""
    if isinstance(weight, PackedWeight):
        for part in weight.parts:
            check_planes(part, k)
    elif weight.shape[1] != k or weight.data.stride(1) != 1:
        raise ValueError(
            f"weight is {list(weight.shape)}, strides {weight.data.stride()}: expected dense [n, {k}]"
        )
