"""Weights as the library receives them: matrices in parts, which are read in place."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ..block_formats import FORMATS
from ..packed import is_listed
from ..weights import DenseWeight, PackedRows, PackedWeight, Weight
from .checks import check_shape, check_tensor, check_weight
from .structs import Matrix, MatrixPart, address

DENSE_TYPES = {torch.float32: 0, torch.float16: 1, torch.bfloat16: 30}  # ggml's numbers


def matrix_of(weight: Weight) -> Matrix:
    """A weight that has been checked; the memory of its parts has to live as long as the matrix."""
    parts = matrix_parts(weight)
    return Matrix(parts=(MatrixPart * len(parts))(*parts), num_parts=len(parts))


def matrix_parts(weight: Weight) -> list[MatrixPart]:
    """Where the rows of a weight lie, format by format."""
    if isinstance(weight, DenseWeight):
        return [dense_part(weight)]
    return [packed_part(rows) for rows in weight.parts]


def dense_part(weight: DenseWeight) -> MatrixPart:
    """A contiguous tensor."""
    n, k = weight.shape
    data = weight.data
    row_bytes = k * data.element_size()
    return MatrixPart(
        data=address(data), rows=n, row_bytes=row_bytes, format=DENSE_TYPES[data.dtype]
    )


def packed_part(rows: PackedRows) -> MatrixPart:
    """Blocks as a GGUF file has them."""
    n, row_bytes = rows.blocks.shape
    return MatrixPart(
        data=address(rows.blocks), rows=n, row_bytes=row_bytes, format=rows.format.ggml_type
    )


def tensors_of(weight: Weight) -> list[torch.Tensor]:
    """The memory that a weight lies in."""
    if isinstance(weight, DenseWeight):
        return [weight.data]
    return [rows.blocks for rows in weight.parts]


def check_matrix(name: str, weight: Weight, dtype: torch.dtype, shape: Sequence[int]) -> None:
    """Raise ValueError unless a weight can be read in place, and is of this shape and dtype."""
    if isinstance(weight, DenseWeight):
        check_weight(name, weight.data, dtype, shape)
        return
    n, k = shape
    check_packed_weight(name, weight, dtype, k)
    if weight.shape[0] != n:
        raise ValueError(f"{name} has shape {list(weight.shape)}, expected {[n, k]}")


def check_packed_weight(name: str, weight: PackedWeight, dtype: torch.dtype, k: int) -> None:
    """Raise ValueError unless all parts have rows of `k` weights that can be read in place."""
    if not isinstance(weight, PackedWeight):
        given = type(weight).__name__
        raise ValueError(f"{name} is a {given}: expected a DenseWeight or a PackedWeight")
    if not weight.parts:
        raise ValueError(f"{name} has no parts: expected at least one")
    if weight.dtype != dtype:
        raise ValueError(f"{name} is for activations in {weight.dtype}, expected {dtype}")
    for rows in weight.parts:
        check_packed_rows(name, rows, k)


def check_packed_rows(name: str, rows: PackedRows, k: int) -> None:
    """Raise ValueError unless rows of `k` weights can be read in place."""
    if not is_listed(rows.format):
        raise ValueError(f"{name} is in {rows.format}: expected one of {list(FORMATS)}")
    if rows.planar:
        raise ValueError(
            f"{name} has planar blocks: expected those of a file, `rows.arranged(planar=False)`"
        )
    check_shape(f"{name}: blocks", rows.blocks, "n row_bytes")
    check_tensor(name, rows.blocks, torch.uint8, [0, 0])
    given = rows.blocks.shape[1]
    expected = rows.format.row_bytes(k)
    if given != expected:
        raise ValueError(
            f"{name} has rows of {given} bytes, expected {expected}: {k} weights in {rows.format}"
        )
    if not rows.blocks.is_contiguous():
        raise ValueError(
            f"{name} has strides {rows.blocks.stride()}: expected contiguous blocks, read in place"
        )
