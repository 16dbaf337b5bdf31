"""Packed weights in torch: rows of a matrix made dense, as operations of torch's dispatcher.

`torch.ops.tinyllm.unpack` and `lookup` are one operation each where operations are counted, as a kernel is one launch.
On a CPU `unpack` runs the native code of the folder `cpu`, where it can be built.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from .block_formats import FORMATS, BlockFormat
from .weights import DenseWeight, PackedRows, PackedWeight, Weight

# Those that Triton's and SYCL's kernels decode.
GPU_FORMATS = ("Q4_0", "Q4_1", "Q8_0", "Q4_K", "Q5_K", "Q6_K")
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


def _lookup(blocks: Tensor, name: str, planar: bool, ids: Tensor, dtype: torch.dtype) -> Tensor:
    return PackedRows(blocks, FORMATS[name], planar).lookup(ids).to(dtype)


def _register() -> torch.library.Library:
    library = torch.library.Library("tinyllm", "DEF")
    blocks = "Tensor blocks, str format, bool planar"
    library.define(f"unpack({blocks}, int first, int last, ScalarType dtype) -> Tensor")
    library.define(f"lookup({blocks}, Tensor ids, ScalarType dtype) -> Tensor")
    library.impl("unpack", decode_rows, "CompositeExplicitAutograd")
    library.impl("lookup", _lookup, "CompositeExplicitAutograd")
    return library


if __name__.startswith("tinyllm."):  # transformers imports any folder that is called `kernels`
    LIBRARY = _register()
