"""Packed GGUF weights by transformers' own interface: the functions and numbers of its published kernel.

`mul_mat_vec`, `mul_mat_id`, `get_rows` and `dequantize` receive blocks as the file stores them, uint8 [n, row_bytes],
and read them as they lie, without a copy: on CUDA and XPU in Triton's kernels, elsewhere in torch's operations. ggml's
names are part of the interface. `python -m tinyllm.kernels.gguf FOLDER` exports it for the package `kernels`.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

import torch
import torch.nn.functional as F
from torch import Tensor

from ..block_formats import BY_GGML_TYPE, FORMATS
from ..packed import GPU_FORMATS
from ..weights import PackedRows

__all__ = [
    "GEMV_TYPES",
    "MAX_GEMV_ROWS",
    "dequantize",
    "get_rows",
    "mul_mat_id",
    "mul_mat_vec",
]

GEMV_TYPES = frozenset(FORMATS[name].ggml_type for name in GPU_FORMATS)
MAX_GEMV_ROWS = 8
NUMBER_FORMATS = (torch.float32, torch.float16, torch.bfloat16)
TILE_BYTES = 8 << 20  # of rows that torch's operations make dense at a time


def mul_mat_vec(weight: Tensor, x: Tensor, ggml_type: int, out_features: int) -> Tensor:
    """x [m, k], up to `MAX_GEMV_ROWS` rows, times the transposed weight [n, k]: float32 [m, n].

    Several rows are multiplied in the number format of x on a GPU, one row in float32. Raises ValueError for more
    rows, a type without a kernel, or shapes that do not fit.
    """
    if x.ndim != 2 or len(x) > MAX_GEMV_ROWS:
        raise ValueError(
            f"x is {list(x.shape)}: expected [m, k] of at most {MAX_GEMV_ROWS} rows; "
            "for more, multiply with the rows of `dequantize`"
        )
    rows = _packed_rows(weight, ggml_type, x.shape[1], out_features)
    _check_numbers(x, weight)
    if _has_kernels(weight):
        from ..triton import stored_blocks

        with torch.accelerator.device_index(weight.device.index):
            return stored_blocks.matmul(rows, x)
    return torch.cat([F.linear(x.float(), tile) for tile in _tiles(rows)], dim=1)


def mul_mat_id(weight: Tensor, x: Tensor, ids: Tensor, ggml_type: int, out_features: int) -> Tensor:
    """x [m, k] times the experts of each row, of weights [experts, n, k]: float32 [m, top_k, n].

    `ids` [m, top_k] are the numbers of the experts. Raises ValueError as `mul_mat_vec` does, for any number of rows.
    """
    if weight.ndim != 3 or weight.shape[1] != out_features:
        raise ValueError(
            f"weight is {list(weight.shape)}: expected [experts, {out_features}, row_bytes]"
        )
    if x.ndim != 2 or ids.ndim != 2 or len(ids) != len(x) or ids.is_floating_point():
        raise ValueError(
            f"x is {list(x.shape)} and ids are {list(ids.shape)} of {ids.dtype}: "
            "expected [m, k] and integers [m, top_k]"
        )
    experts = len(weight)
    rows = _packed_rows(weight.flatten(0, 1), ggml_type, x.shape[1], experts * out_features)
    _check_numbers(x, weight)
    if _has_kernels(weight):
        from ..triton import stored_blocks

        with torch.accelerator.device_index(weight.device.index):
            return stored_blocks.gemv(rows, x, ids, n=out_features)
    out = torch.empty(*ids.shape, out_features, dtype=torch.float32, device=x.device)
    for expert in ids.unique().tolist():
        row, choice = (ids == expert).nonzero(as_tuple=True)
        expert_rows = rows._replace(blocks=weight[expert])
        found = [F.linear(x[row].float(), tile) for tile in _tiles(expert_rows)]
        out[row, choice] = torch.cat(found, dim=1)
    return out


def get_rows(
    weight: Tensor, indices: Tensor, ggml_type: int, cols: int, dtype: torch.dtype
) -> Tensor:
    """The weights of the rows that `indices` [m] names, of [n, cols], in a number format: [m, cols].

    They are computed in float32, which the last operation rounds. Raises ValueError as `dequantize` does.
    """
    rows = _packed_rows(weight, ggml_type, cols, len(weight))
    if indices.ndim != 1 or indices.is_floating_point():
        raise ValueError(
            f"indices are {list(indices.shape)} of {indices.dtype}: expected integers [m]"
        )
    _check_dtype(dtype)
    if _has_kernels(weight):
        from ..triton import stored_blocks

        with torch.accelerator.device_index(weight.device.index):
            return stored_blocks.unpack(rows, indices, dtype)
    return rows.lookup(indices).to(dtype)


def dequantize(weight: Tensor, ggml_type: int, rows: int, cols: int, dtype: torch.dtype) -> Tensor:
    """All weights, [rows, cols], in a number format. Raises ValueError for other types, formats or shapes."""
    stored = _packed_rows(weight, ggml_type, cols, rows)
    _check_dtype(dtype)
    if _has_kernels(weight):
        from ..triton import stored_blocks

        with torch.accelerator.device_index(weight.device.index):
            return stored_blocks.unpack(stored, None, dtype)
    return torch.cat([tile.to(dtype) for tile in _tiles(stored)])


def _packed_rows(weight: Tensor, ggml_type: int, k: int, n: int) -> PackedRows:
    """The blocks of a matrix [n, k] as our kernels receive them; raises ValueError where they are not that."""
    if ggml_type not in GEMV_TYPES:
        names = {FORMATS[name].ggml_type: name for name in GPU_FORMATS}
        raise ValueError(f"ggml type {ggml_type} has no kernel here: expected one of {names}")
    blocks = BY_GGML_TYPE[ggml_type]
    shape = (n, blocks.row_bytes(k))
    if weight.shape != shape or weight.dtype != torch.uint8 or not weight.is_contiguous():
        raise ValueError(
            f"weight is {list(weight.shape)} of {weight.dtype}, strides {weight.stride()}: expected "
            f"contiguous blocks of {blocks}, uint8 {list(shape)}, for a matrix {[n, k]}"
        )
    alignment = 4 if blocks.nbytes % 4 == 0 else 2
    if weight.data_ptr() % alignment:
        raise ValueError(
            f"weight is at the address {weight.data_ptr():#x}: expected a multiple of {alignment}"
        )
    return PackedRows(weight, blocks)


def _check_numbers(x: Tensor, weight: Tensor) -> None:
    _check_dtype(x.dtype)
    if x.device != weight.device:
        raise ValueError(f"x is on {x.device}, its weight on {weight.device}: expected one device")


def _check_dtype(dtype: torch.dtype) -> None:
    if dtype not in NUMBER_FORMATS:
        raise ValueError(f"numbers are {dtype}: expected one of {list(NUMBER_FORMATS)}")


def _has_kernels(weight: Tensor) -> bool:
    """Whether Triton compiles for the device of a weight."""
    return weight.device.type in ("cuda", "xpu") and find_spec("triton") is not None


def _tiles(rows: PackedRows) -> Iterator[Tensor]:
    """The weights of all rows in float32, a few rows at a time."""
    n, k = rows.shape
    height = max(1, TILE_BYTES // (4 * k))
    for first in range(0, max(n, 1), height):
        yield rows.unpack(first, first + height)
