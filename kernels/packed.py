"""Packed weights in torch: rows of a matrix made dense, as operations of torch's dispatcher.

`torch.ops.tinyllm.unpack`, `lookup` and `matmul` are one operation each where operations are counted, as a kernel is
one launch. On a CPU `unpack` and `matmul` run the native code of the folder `cpu`, where it can be built.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from .block_formats import FORMATS, BlockFormat
from .weights import DenseWeight, PackedRows, PackedWeight, Weight

# Those that Triton's and SYCL's kernels decode.
GPU_FORMATS = ("Q4_0", "Q4_1", "Q8_0", "Q4_K", "Q5_K", "Q6_K")
DENSE = "F32"
PLANE_ALIGNMENT = 16  # bytes of a lane's widest load
DECODE_ELEMENTS = 4 << 20  # weights that torch's operations decode at a time
NUMBERS = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


def unpack(rows: PackedRows, first: int, last: int, dtype: torch.dtype) -> Float[Tensor, "n k"]:
    """Rows `first` to `last`, dense. Moves their bytes, and n*k*s."""
    if not is_listed(rows.format):
        return rows.unpack(first, last).to(dtype)
    blocks = rows.blocks
    if not rows.planar:
        blocks = blocks[first:last]
        last = len(blocks)
        first = 0
    return torch.ops.tinyllm.unpack(blocks, rows.format.name, rows.planar, first, last, dtype)


def lookup(weight: PackedWeight, ids: Int[Tensor, "*ids"]) -> Float[Tensor, "*ids k"]:
    """The rows of a table of one part that are named, dense."""
    (rows,) = weight.parts
    if not is_listed(rows.format):
        return rows.lookup(ids.flatten()).to(weight.dtype).unflatten(0, ids.shape)
    found = torch.ops.tinyllm.lookup(
        rows.blocks, rows.format.name, rows.planar, ids.flatten(), weight.dtype
    )
    return found.unflatten(0, ids.shape)


def matmul(
    x: Float[Tensor, "rows k"],
    weight: Weight,
    bias: Float[Tensor, " n"] | None = None,
    residual: Float[Tensor, "rows n"] | None = None,
) -> Float[Tensor, "rows n"]:
    """x W^T + bias + residual in one operation, for weights that `is_read_in_place` takes. Moves their bytes."""
    if isinstance(weight, DenseWeight):
        return torch.ops.tinyllm.matmul(x, [weight.data], [DENSE], bias, residual)
    blocks = [part.blocks for part in weight.parts]
    formats = [part.format.name for part in weight.parts]
    return torch.ops.tinyllm.matmul(x, blocks, formats, bias, residual)


def is_read_in_place(x: Tensor, weight: PackedWeight) -> bool:
    """Whether `matmul` reads the blocks themselves: on a CPU in float32."""
    if x.device.type != "cpu" or x.dtype != torch.float32:
        return False
    return all(is_listed(part.format) and not part.planar for part in weight.parts)


def is_listed(blocks: BlockFormat) -> bool:
    """Whether a format is one of `FORMATS`, which operations find by name; others decode themselves."""
    return FORMATS.get(blocks.name) is blocks


def has_gpu_kernel(rows: PackedRows) -> bool:
    """Whether the kernels of GPUs decode a format; others are number formats, groups, or a reader's own."""
    return rows.format.name in GPU_FORMATS and is_listed(rows.format)


def launch_sources(weight: Weight) -> list[Tensor | PackedRows]:
    """What each launch of a GPU's matmul reads: a dense matrix, or packed rows, one for each part of a weight.

    None at all where a part is neither packed for these kernels, nor in the number format of the activations.
    """
    if isinstance(weight, DenseWeight):
        return [weight.data]
    sources: list[Tensor | PackedRows] = []
    for part in weight.parts:
        if has_gpu_kernel(part):
            sources.append(part)
        elif NUMBERS.get(part.format.name) == weight.dtype:
            sources.append(part.blocks.view(weight.dtype))
        else:
            return []
    return sources


def check_planes(rows: PackedRows, k: int) -> None:
    """Raise ValueError unless rows are of `k` weights, and where GPU kernels decode them in aligned planes."""
    blocks = rows.blocks
    if rows.shape[1] != k:
        raise ValueError(f"packed rows are {list(rows.shape)}: expected rows of {k} weights")
    if has_gpu_kernel(rows) and not rows.planar:
        raise ValueError(
            f"packed rows in {rows.format} lie block by block: expected planes, from `arranged(planar=True)`"
        )
    if not blocks.is_contiguous() or blocks.data_ptr() % PLANE_ALIGNMENT:
        raise ValueError(
            f"packed rows have strides {blocks.stride()} and the address {blocks.data_ptr():#x}: "
            f"expected contiguous memory at a multiple of {PLANE_ALIGNMENT} bytes"
        )


def unpack_matrix(weight: PackedWeight, first: int, last: int) -> Float[Tensor, "n k"]:
    """Rows `first` to `last` of all parts together, dense."""
    tiles = []
    begin = 0
    for part in weight.parts:
        end = begin + part.shape[0]
        if first < end and begin < last:
            tiles.append(
                unpack(part, max(first, begin) - begin, min(last, end) - begin, weight.dtype)
            )
        begin = end
    return tiles[0] if len(tiles) == 1 else torch.cat(tiles)


def decode_rows(
    blocks: Tensor, name: str, planar: bool, first: int, last: int, dtype: torch.dtype
) -> Tensor:
    """`unpack` by the torch operations of a format: of `DECODE_ELEMENTS` at a time, since these are in float32."""
    rows = PackedRows(blocks, FORMATS[name], planar)
    k = rows.shape[1]
    height = max(1, DECODE_ELEMENTS // k)
    if last - first <= height:
        return rows.unpack(first, last).to(dtype)
    out = torch.empty(last - first, k, dtype=dtype, device=blocks.device)
    for start in range(first, last, height):
        end = min(start + height, last)
        out[start - first : end - first] = rows.unpack(start, end)
    return out


def decode_and_multiply(
    x: Tensor,
    parts: Sequence[Tensor],
    formats: Sequence[str],
    bias: Tensor | None,
    residual: Tensor | None,
) -> Tensor:
    """`matmul` by torch's operations: every part is dense for a moment."""
    columns = [F.linear(x, _dense(part, name)) for part, name in zip(parts, formats, strict=True)]
    out = torch.cat(columns, dim=-1)
    out = out if bias is None else out.add_(bias)
    return out if residual is None else out.add_(residual)


def _dense(part: Tensor, name: str) -> Tensor:
    if part.dtype == torch.float32:
        return part
    return decode_rows(part, name, False, 0, len(part), torch.float32)


def _lookup(blocks: Tensor, name: str, planar: bool, ids: Tensor, dtype: torch.dtype) -> Tensor:
    return PackedRows(blocks, FORMATS[name], planar).lookup(ids).to(dtype)


def _register() -> torch.library.Library:
    library = torch.library.Library("tinyllm", "DEF")
    blocks = "Tensor blocks, str format, bool planar"
    library.define(f"unpack({blocks}, int first, int last, ScalarType dtype) -> Tensor")
    library.define(f"lookup({blocks}, Tensor ids, ScalarType dtype) -> Tensor")
    library.define(
        "matmul(Tensor x, Tensor[] parts, str[] formats, Tensor? bias, Tensor? residual) -> Tensor"
    )
    library.impl("unpack", decode_rows, "CompositeExplicitAutograd")
    library.impl("matmul", decode_and_multiply, "CompositeExplicitAutograd")
    library.impl("lookup", _lookup, "CompositeExplicitAutograd")
    return library


if __name__.startswith("tinyllm."):  # transformers imports any folder that is called `kernels`
    LIBRARY = _register()
