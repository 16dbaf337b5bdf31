"""Matrices of quantised checkpoints: small integers, the codes, with a scale and a zero point for a group of inputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int32, Int64, UInt8
from torch import Tensor

from tinyllm.checkpoint.weights import SafetensorsFolder
from tinyllm.kernels.block_formats import FORMATS
from tinyllm.kernels.weights import PackedRows

SMALLEST_BLOCK = 32  # weights of a block
BLOCK_SIZES = (128, 64, SMALLEST_BLOCK)
AGAIN = "copy or download the quantised model again"
SCALES = ("F16", "BF16", "F32")  # number formats that float32 holds exactly


class Groups(NamedTuple):
    """A matrix [n, k] in `groups` runs of k / groups inputs: scale * (code - zero)."""

    codes: UInt8[Tensor, "n k"]
    scales: Float[Tensor, "n groups"]
    zeros: Float[Tensor, "n groups"]
    bits: int

    @property
    def size(self) -> int:
        """Inputs of a group."""
        return self.codes.shape[1] // self.scales.shape[1]

    def reordered(self, group_of: Int64[Tensor, " k"] | None) -> Groups:
        """The same codes with the group of every input, as groups of one input; None for groups in order."""
        if group_of is None:
            return self
        return self._replace(scales=self.scales[:, group_of], zeros=self.zeros[:, group_of])

    def dense(self) -> Float[Tensor, "n k"]:
        """The weights, in float32."""
        codes = self.codes.unflatten(1, (-1, self.size)).float()
        return codes.sub_(self.zeros[..., None]).mul_(self.scales[..., None]).flatten(1)

    def packed(self) -> PackedRows:
        """Blocks, each with the scale and the zero point of its group, which has a multiple of 32 inputs."""
        elements = next(size for size in BLOCK_SIZES if self.size % size == 0)
        blocks = FORMATS[f"INT{self.bits}_{elements}"]
        n, k = self.codes.shape
        empty = torch.empty(n, blocks.row_bytes(k), dtype=torch.uint8, device=self.codes.device)
        rows = PackedRows(empty, blocks)
        for name, values in (("scale", self.scales), ("zero", self.zeros)):
            of_blocks = values.repeat_interleave(self.size // elements, dim=1)
            rows.fields[name].view(torch.float32).copy_(of_blocks[..., None])
        codes = self.codes if self.bits == 8 else pack_nibbles(self.codes)
        rows.fields["codes"].copy_(codes.unflatten(1, (k // elements, -1)))
        return rows


def pack_nibbles(codes: UInt8[Tensor, "n k"]) -> UInt8[Tensor, "n _"]:
    """Two codes a byte: of every 32 the first 16 are the low halves of 16 bytes."""
    low, high = codes.unflatten(1, (-1, 2, 16)).unbind(2)
    return (low | high << 4).flatten(1)


def num_words(codes: int, bits: int) -> int:
    """Words of 32 bits for so many codes."""
    return -(-codes * bits // 32)


def unpack_words(
    words: Int32[Tensor, "rows words"], bits: int, count: int
) -> UInt8[Tensor, "rows count"]:
    """The first codes of words of 32 bits, the lowest bits of a word first."""
    data = words.contiguous().view(torch.uint8)
    if bits == 4:
        data = torch.stack([data & 15, data >> 4], dim=-1).flatten(1)
    return data[:, :count]


@dataclass(frozen=True)
class StoredMatrix:
    """The tensors of one matrix of a quantised checkpoint, by the last part of their names."""

    folder: SafetensorsFolder
    module: str

    def has(self, part: str) -> bool:
        """Whether there is such a tensor."""
        return f"{self.module}.{part}" in self.folder.shapes

    def name(self, part: str) -> str:
        """The name of a tensor. Raises ValueError where there is none."""
        name = f"{self.module}.{part}"
        if not self.has(part):
            raise ValueError(
                f"{self.folder.file(None)} has no tensor {name!r}: expected one beside the others of {self.module!r}; "
                f"{AGAIN}"
            )
        return name

    def shape(self, part: str) -> tuple[int, ...]:
        """The shape of a tensor."""
        return self.folder.shapes[self.name(part)]

    def stored_as(self, part: str) -> str:
        """The number format of a tensor, as safetensors names it."""
        return self.folder.stored_as(self.name(part))

    def sizes(self, part: str) -> tuple[int, int]:
        """Rows and columns of a tensor. Raises ValueError where it has others."""
        shape = self.shape(part)
        if len(shape) != 2 or not all(shape):
            raise self.error(part, f"has shape {list(shape)}", "rows and columns")
        return shape

    def read(self, part: str) -> Tensor:
        """A tensor as it is stored."""
        return self.folder.read(self.name(part))

    def error(self, part: str, given: str, expected: str, *, advice: str = AGAIN) -> ValueError:
        """A tensor that cannot be read."""
        name = self.name(part)
        return ValueError(
            f"{self.folder.file(name)}: tensor {name!r} {given}: expected {expected}; {advice}"
        )

    def check(self, part: str, shape: tuple[int, ...], kinds: tuple[str, ...]) -> None:
        """Raise ValueError unless a tensor has this shape and one of these number formats."""
        if self.shape(part) != shape:
            raise self.error(part, f"has shape {list(self.shape(part))}", str(list(shape)))
        kind = self.stored_as(part)
        if kind not in kinds:
            raise self.error(part, f"is stored as {kind}", f"one of {list(kinds)}")

    def check_groups(self, part: str, groups: int, inputs: int, group_size: int | None) -> None:
        """Raise ValueError unless so many groups of `group_size` inputs, or one of all, make up a row."""
        size = group_size or inputs
        if groups * size != inputs:
            given = f"has {groups} groups of {size} of {inputs} inputs (group_size)"
            raise self.error(part, given, "groups that make up a row")

    def read_scales(self, part: str) -> Float[Tensor, "rows columns"]:
        """Scales in float32. Raises ValueError for one that is no number."""
        scales = self.read(part).float()
        if not scales.isfinite().all():
            raise self.error(part, "has a scale that is no number", "finite scales")
        return scales

    def read_codes(self, part: str, bits: int) -> UInt8[Tensor, "rows columns"]:
        """Integers around 0 of a few bits, one a byte, from 0 on. Raises ValueError for one of more bits."""
        middle = 2 ** (bits - 1)
        codes = self.read(part)
        smallest = int(codes.min())
        largest = int(codes.max())
        if smallest < -middle or largest >= middle:
            given = f"has values from {smallest} to {largest}"
            raise self.error(part, given, f"{-middle} to {middle - 1}, which {bits} bits hold")
        return codes.short().add_(middle).to(torch.uint8)

    def read_groups(self, part: str, inputs: int, groups: int) -> Int64[Tensor, " inputs"] | None:
        """The group of every input; None where groups lie one after the other, or the tensor is absent or all -1.

        Raises ValueError for a group that does not exist.
        """
        if not self.has(part):
            return None
        found = self.read(part).long()
        if found.eq(-1).all():
            return None
        if found.min() < 0 or found.max() >= groups:
            given = f"has groups {found.min()} to {found.max()}"
            raise self.error(part, given, f"groups 0 to {groups - 1}")
        one_each = torch.arange(groups, dtype=found.dtype, device=found.device)
        in_order = one_each.repeat_interleave(inputs // groups)
        return None if torch.equal(found, in_order) else found


@runtime_checkable
class Layout(Protocol):
    """How a method of quantisation stores a matrix: its tensors, by the last part of their names."""

    parts: tuple[str, ...]

    def shape(self, matrix: StoredMatrix) -> tuple[int, int]:
        """Outputs and inputs. Raises ValueError naming a tensor that is absent or does not fit the others."""
        ...

    def groups(self, matrix: StoredMatrix) -> Groups:
        """Codes, scales and zero points. Raises ValueError naming a tensor with values that cannot be meant."""
        ...
