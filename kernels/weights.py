"""How the matrix of a linear layer lies in memory, as kernels receive it: element by element, or packed in blocks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from .block_formats import BlockFormat, Fields, Sizes


class DenseWeight(NamedTuple):
    """A matrix [n, k], element by element: n*k*s bytes for elements of s bytes."""

    data: Tensor

    @property
    def shape(self) -> torch.Size:
        """Outputs and inputs of the matrix."""
        return self.data.shape

    @property
    def dtype(self) -> torch.dtype:
        """The number format of the elements."""
        return self.data.dtype

    @property
    def device(self) -> torch.device:
        """Where the matrix lies."""
        return self.data.device

    @property
    def nbytes(self) -> int:
        """Bytes that one matmul reads of it."""
        return self.data.nbytes


class PackedRows(NamedTuple):
    """Rows of a matrix in blocks of one format.

    `planar`: the codes of all blocks of all rows lie together, then their high bits, then the scales of each block;
    else all fields of a block do, as in a GGUF file.
    """

    blocks: UInt8[Tensor, "n row_bytes"]
    format: BlockFormat
    planar: bool = False

    @property
    def shape(self) -> torch.Size:
        """Outputs and inputs."""
        n, row_bytes = self.blocks.shape
        return torch.Size([n, row_bytes // self.format.nbytes * self.format.elements])

    @property
    def fields(self) -> Fields:
        """Every field by its name: views [n, blocks, bytes]."""
        if self.planar:
            pairs = zip(self.format.planes, self.planes, strict=True)
        else:
            n, row_bytes = self.blocks.shape
            blocks = self.blocks.view(n, row_bytes // self.format.nbytes, self.format.nbytes)
            pairs = ((self.format.fields, blocks),)
        return {name: field for sizes, plane in pairs for name, field in _split(sizes, plane)}

    @property
    def planes(self) -> tuple[UInt8[Tensor, "n blocks bytes"], ...]:
        """Views of the planes, in the order of `BlockFormat.planes`."""
        n, row_bytes = self.blocks.shape
        blocks = row_bytes // self.format.nbytes
        block_bytes = [sum(size for _, size in sizes) for sizes in self.format.planes]
        planes = self.blocks.view(-1).split([n * blocks * size for size in block_bytes])
        return tuple(plane.view(n, blocks, -1) for plane in planes)

    @property
    def has_finite_scales(self) -> bool:
        """Whether scale, minimum and zero point of every block are numbers."""
        fields = self.fields
        found = [fields[name] for name in ("scale", "minimum", "zero") if name in fields]
        return all(bool(x.view(self.format.scale_dtype).isfinite().all()) for x in found)

    def arranged(self, planar: bool) -> PackedRows:
        """The same rows in the other arrangement, in as many bytes: a copy, unless they have it already."""
        if planar == self.planar:
            return self
        moved = PackedRows(torch.empty_like(self.blocks), self.format, planar)
        for name, field in moved.fields.items():
            field.copy_(self.fields[name])
        return moved

    def unpack(self, first: int = 0, last: int | None = None) -> Float[Tensor, "rows k"]:
        """The weights of rows `first` to `last`, in float32."""
        fields = {name: field[first:last] for name, field in self.fields.items()}
        return self.format.decode(fields).flatten(1)

    def lookup(self, ids: Int[Tensor, " rows"]) -> Float[Tensor, "rows k"]:
        """The weights of the rows that are named, in float32."""
        fields = {name: field[ids] for name, field in self.fields.items()}
        return self.format.decode(fields).flatten(1)


def _split(sizes: Sizes, plane: Tensor) -> Iterator[tuple[str, Tensor]]:
    """The fields of a plane by their names: views [n, blocks, bytes]."""
    names = [name for name, _ in sizes]
    return zip(names, plane.split([size for _, size in sizes], dim=-1), strict=True)


class PackedWeight(NamedTuple):
    """A matrix [n, k] in blocks: the rows of its parts one below the other, each part in a format of its own.

    `dtype` is the number format of the activations that it is multiplied with.
    """

    parts: tuple[PackedRows, ...]
    dtype: torch.dtype

    @property
    def shape(self) -> torch.Size:
        """Outputs and inputs of the matrix."""
        rows = sum(part.shape[0] for part in self.parts)
        return torch.Size([rows, self.parts[0].shape[1]])

    @property
    def device(self) -> torch.device:
        """Where the matrix lies."""
        return self.parts[0].blocks.device

    @property
    def nbytes(self) -> int:
        """Bytes that one matmul reads of it."""
        return sum(part.blocks.nbytes for part in self.parts)

    @property
    def formats(self) -> tuple[BlockFormat, ...]:
        """The format of each part."""
        return tuple(part.format for part in self.parts)

    def unpack(self) -> Float[Tensor, "n k"]:
        """All weights, in float32."""
        return torch.cat([part.unpack() for part in self.parts])


Weight = DenseWeight | PackedWeight
