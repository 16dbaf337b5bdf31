"""What a matmul moves, computes and launches, with its prologue and its epilogue."""

from __future__ import annotations

from dataclasses import replace

from tinyllm.config import DecoderConfig
from tinyllm.cost.norm import torch_norm_cost
from tinyllm.cost.packed import (
    is_unpacked_for_few_rows,
    num_launches,
    tiled_matmul_cost,
    unpacked_matmul_cost,
)
from tinyllm.cost.workload import Cost, PackedPart, Workload, launch
from tinyllm.kernels.sycl.linear import MAX_LAYER_NORM_ROWS
from tinyllm.ops.matmul import MAX_GEMV_ROWS


def matmul_cost(
    work: Workload,
    rows: int,
    inputs: int,
    outputs: int,
    bias: bool,
    matrix: str = "",
    first: int = 0,
) -> Cost:
    """What one matrix matmul moves and computes: with the rows from `first` on of `matrix`, where that is packed."""
    parts = work.parts(matrix)
    if parts:
        span = range(first, first + outputs)
        return unpacked_matmul_cost(work, parts, rows, inputs, span, bias)
    weights = work.size * outputs * (inputs + bias)
    flops = 2 * rows * inputs * outputs
    x = work.size * rows * inputs
    return launch(read=x, weights=weights, write=work.size * rows * outputs, flops=flops)


def add_cost(rows: int, m: int, size: int) -> Cost:
    """What adding the residual moves."""
    return launch(read=2 * size * rows * m, write=size * rows * m)


def has_residual(config: DecoderConfig, matrix: str) -> bool:
    """Whether the residual is added to the output of a matrix: to partial sums on the first rank alone.

    Behind a sum over all ranks every rank does, and so does the feed-forward block of two parallel ones, whose
    residual is the partial sum of attention.
    """
    on_first = config.part is None or config.part.rank == 0
    return on_first or config.post_norms or (config.parallel and matrix == "down_proj")


def gate_cost(rows: int, f: int, size: int) -> Cost:
    """What activation and multiplication move, one after the other."""
    inner = size * rows * f
    return launch(read=inner, write=inner) + launch(read=2 * inner, write=inner)


def activation_cost(rows: int, f: int, size: int) -> Cost:
    """What an activation moves."""
    return launch(read=size * rows * f, write=size * rows * f)


def bias_and_activation_cost(rows: int, f: int, size: int, fused: bool) -> Cost:
    """What `bias_and_activate` moves: in one launch, or in torch's two."""
    x = size * rows * f
    if fused:
        return activation_cost(rows, f, size) + Cost(weights=size * f)
    return launch(read=x, weights=size * f, write=x) + activation_cost(rows, f, size)


def fused_matmul_cost(
    config: DecoderConfig,
    work: Workload,
    matrix: str,
    rows: int,
    inputs: int,
    outputs: int,
    bias: bool,
    normed: bool = False,
    activated: bool = False,
    gated: bool = False,
    residual: bool = False,
) -> Cost:
    """What `fused_matmul` moves and computes with a norm, an activation or a gate, one residual, on `work`'s kernels.

    Our kernels take all of that along with few rows. The vendor's matmul takes a bias, or a residual.
    """
    size = work.size
    kept = outputs // 2 if gated else outputs
    norms = 1 + config.layer_norm
    x = size * rows * inputs
    out = size * rows * kept
    own_kernels = work.kernels != "torch"
    few = rows <= MAX_GEMV_ROWS
    parts = work.parts(matrix)
    unfused_norm = normed and (not own_kernels or norm_is_unfused(config, work, rows, parts))
    cost = Cost()
    if unfused_norm:
        cost += (
            launch(read=x, weights=norms * size * inputs, write=x)
            if own_kernels
            else torch_norm_cost(config, rows, size)
        )
    fused_norm = normed and not unfused_norm
    if few and is_unpacked_for_few_rows(work, parts):
        return cost + fused_matmul_cost(
            config, replace(work, kernels="torch"), matrix, rows, inputs, outputs, bias,
            normed=fused_norm, activated=activated, gated=gated, residual=residual,
        )  # fmt: skip
    if own_kernels and few:
        launches = num_launches(work, parts)
        packed = sum(part.rows * part.row_bytes for part in parts)
        weights = (packed or size * outputs * inputs) + size * outputs * bias
        weights += size * norms * inputs * fused_norm * launches
        cost += Cost(
            launches=launches,
            flops=2 * rows * inputs * outputs,
            weights=weights,
            activations_read=x * launches + out * residual,
            activations_written=out,
        )
        if gated and launches > 1:  # gate and up are made in different launches
            cost += Cost(activations_written=out) + launch(read=2 * out, write=out)
        return cost
    # In front of an activation, the bias is no epilogue of the vendor's matmul.
    after = activated and not gated and bias and (own_kernels or not few)
    fused_residual = residual and not bias
    if parts:
        cost += tiled_matmul_cost(work, parts, rows, inputs, bias and not after, residual)
    else:
        cost += matmul_cost(work, rows, inputs, outputs, bias and not after, matrix)
        cost += Cost(activations_read=out * fused_residual)
        cost += add_cost(rows, outputs, size) if residual and bias else Cost()
    if gated:
        cost += launch(read=2 * out, write=out) if own_kernels else gate_cost(rows, kept, size)
    elif after:
        cost += bias_and_activation_cost(rows, kept, size, own_kernels)
    elif activated:
        cost += activation_cost(rows, kept, size)
    return cost


def matmul_and_add_cost(
    config: DecoderConfig, work: Workload, matrix: str, inputs: int, bias: bool
) -> Cost:
    """What `matmul_and_add` moves and computes, back to the residual stream."""
    rows = work.rows
    m = config.hidden_size
    size = work.size
    if not config.post_norms:
        residual = has_residual(config, matrix)
        return fused_matmul_cost(config, work, matrix, rows, inputs, m, bias, residual=residual)
    matmul = fused_matmul_cost(config, work, matrix, rows, inputs, m, bias)
    x = size * rows * m
    if work.kernels == "torch":
        return matmul + torch_norm_cost(config, rows, size) + add_cost(rows, m, size)
    return matmul + launch(read=2 * x, weights=size * m, write=x)


def norm_is_unfused(
    config: DecoderConfig, work: Workload, rows: int, parts: tuple[PackedPart, ...]
) -> bool:
    """Whether our kernels normalise so many rows in a launch of its own, as `prologue_is_free` does."""
    if work.kernels == "triton":
        return rows > 1
    if work.kernels == "sycl" and parts and config.layer_norm:
        return rows > MAX_LAYER_NORM_ROWS
    return rows > MAX_GEMV_ROWS
