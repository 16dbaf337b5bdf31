"""How the matrix of a linear layer lies in memory, as kernels receive it: element by element, or packed in blocks."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from .block_formats import BlockFormat, Fields


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

    `planar`: each field of all blocks of all rows lies together, the codes first; else the fields of a block do, as in
    a GGUF file.
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
        n, row_bytes = self.blocks.shape
        blocks = row_bytes // self.format.nbytes
        names, sizes = zip(*self.format.fields, strict=True)
        if not self.planar:
            parts = self.blocks.unflatten(1, (blocks, -1)).split(sizes, dim=-1)
            return dict(zip(names, parts, strict=True))
        largest_first = sorted(self.format.fields, key=lambda field: -field[1])
        planes = self.blocks.view(-1).split([n * blocks * size for _, size in largest_first])
        return {
            name: plane.view(n, blocks, size)
            for (name, size), plane in zip(largest_first, planes, strict=True)
        }

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


Weight = DenseWeight | PackedWeight
