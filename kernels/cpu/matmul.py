"""The matrix product of a prefill in float32: a matrix as it lies, dense or in blocks, times many rows."""

from __future__ import annotations

import torch
from torch import Tensor

from ..weights import DenseWeight, Weight
from .checks import check_shape, check_tensor
from .matrices import check_matrix, matrix_of
from .operations import kernels
from .structs import Library, MatmulArgs, Scratch, address


def matmul(
    x: Tensor,
    weight: Weight,
    bias: Tensor | None = None,
    residual: Tensor | None = None,
    *,
    library: Library | None = None,
) -> Tensor:
    """x W^T + bias + residual, [rows, n] in float32; blocks are unpacked by tiles that a cache holds.

    `library`: another than the one that is built for this processor. Raises ValueError for shapes or dtypes that the
    kernel does not take, MemoryError, BuildError where there are no kernels.
    """
    library = library or kernels().library
    check_shape("x", x, "rows k")
    check_tensor("x", x, torch.float32, [0, 1])
    rows, k = x.shape
    if isinstance(weight, DenseWeight):
        check_shape("weight", weight.data, "n k")
        weight = DenseWeight(weight.data.contiguous())
    n = weight.shape[0]
    check_matrix("weight", weight, torch.float32, [n, k])
    check_tensor("bias", bias, torch.float32, [n])
    check_tensor("residual", residual, torch.float32, [rows, n])
    out = x.new_empty(rows, n)
    if not out.numel():
        return out
    args = MatmulArgs(
        weight=matrix_of(weight),
        x=address(x),
        bias=address(bias),
        residual=address(residual),
        out=address(out),
        x_stride=x.stride(0),
        residual_stride=0 if residual is None else residual.stride(0),
        rows=rows,
        k=k,
        n=n,
        num_threads=torch.get_num_threads(),
    )
    scratch = Scratch(library)
    if library.matmul(args, scratch.address):
        raise MemoryError(f"no memory for a product of {rows} rows with {n} x {k} weights")
    return out
