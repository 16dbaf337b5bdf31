"""The header of a GGUF file: its metadata, and where each tensor lies. No length in it is trusted."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import cache, cached_property
from itertools import pairwise
from math import prod
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

MAGIC = b"GGUF"
VERSIONS = (2, 3)
BIG_ENDIAN = tuple(int.from_bytes(version.to_bytes(4, "big"), "little") for version in VERSIONS)
DEFAULT_ALIGNMENT = 32  # bytes
MOST_DIMENSIONS = 4
# Types of metadata: numbers, as `struct` and numpy name them, strings, and arrays of either.
NUMBERS = {
    kind: struct.Struct(f"<{code}")
    for kind, code in {**dict(enumerate("BbHhIif?")), 10: "Q", 11: "q", 12: "d"}.items()
}
STRING = 8
ARRAY = 9
SMALLEST_PAIR = 8 + 4 + 1  # bytes: an empty key, a type, a value
SMALLEST_TENSOR = 8 + 4 + 4 + 8  # bytes: an empty name, no dimensions, an encoding, an offset
KIND = struct.Struct("<I")
LENGTH = struct.Struct("<Q")
KIND_AND_LENGTH = struct.Struct("<IQ")
START = struct.Struct("<4sIQQ")
SHAPES = [struct.Struct(f"<{dimensions}Q") for dimensions in range(MOST_DIMENSIONS + 1)]


class StringArray(NamedTuple):
    """An array of strings, which stays in the file: `start` is the byte at which the first one begins."""

    count: int
    start: int

    def __repr__(self) -> str:
        return f"{self.count} strings"


class ValueType(NamedTuple):
    """The type of a value of metadata, and of the elements of an array."""

    kind: int
    element: int | None


class TensorInfo(NamedTuple):
    """The encoding of a tensor, and its bytes: `start` counts from where those of all tensors begin."""

    name: str
    shape: tuple[int, ...]
    kind: int
    start: int
    nbytes: int


class Block(NamedTuple):
    """Elements that are encoded together, and the bytes they take."""

    elements: int
    nbytes: int


class Header:
    """The header of one file. Raises ValueError naming the file and what is wrong in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.data = np.memmap(path, mode="r") if path.stat().st_size else np.empty(0, np.uint8)
        self._view = memoryview(self.data)
        self._at = 0
        self.types: dict[str, ValueType] = {}
        try:
            tensors, pairs = self._counts()
            self.metadata = self._metadata(pairs)
            infos = self._tensors(tensors)
            self.tensors = self._placed(infos)
        except (ValueError, struct.error) as error:
            reason = "the file ends inside its header" if isinstance(error, struct.error) else error
            raise ValueError(
                f"{path}: not a complete GGUF file ({reason}); copy or download it again"
            ) from error

    def _counts(self) -> tuple[int, int]:
        """How many tensors, and how many pairs of metadata."""
        magic = bytes(self._view[:4])
        if magic != MAGIC:
            raise ValueError(f"it starts with {magic!r}: expected {MAGIC!r}")
        _, version, tensors, pairs = self._take(START)
        if version in BIG_ENDIAN:
            raise ValueError("it is big-endian: expected little-endian")
        if version not in VERSIONS:
            raise ValueError(f"version {version}: expected one of {VERSIONS}, little-endian")
        if pairs * SMALLEST_PAIR + tensors * SMALLEST_TENSOR > len(self._view) - self._at:
            raise struct.error  # before anything is made for so many
        return tensors, pairs

    def _metadata(self, pairs: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for _ in range(pairs):
            key = self._string()
            if key in found:
                raise ValueError(f"its metadata has {key!r} twice")
            (kind,) = self._take(KIND)
            element = KIND.unpack_from(self._view, self._at)[0] if kind == ARRAY else None
            self.types[key] = ValueType(kind, element)
            try:
                found[key] = self._value(kind)
            except ValueError as error:
                raise ValueError(f"{key!r}: {error}") from error
        return found

    def _value(self, kind: int) -> Any:
        if kind == STRING:
            return self._string()
        if kind == ARRAY:
            return self._array(*self._take(KIND_AND_LENGTH))
        return self._take(number_of(kind))[0]

    def _array(self, kind: int, count: int) -> np.ndarray | StringArray:
        if kind == ARRAY:
            raise ValueError("an array of arrays: expected one of numbers or strings")
        if kind != STRING:
            return self._numbers(kind, count)
        if count * LENGTH.size > len(self._view) - self._at:
            raise struct.error
        start = self._at
        self._skip_strings(count)
        return StringArray(count, start)

    def _numbers(self, kind: int, count: int) -> np.ndarray:
        """So many numbers, as a view of the file."""
        number = number_of(kind)
        return np.frombuffer(self._bytes(count * number.size), number.format)

    def _skip_strings(self, count: int) -> None:
        """Step from length to length, without reading the strings."""
        view, at, end = self._view, self._at, len(self._view)
        length_at, size = LENGTH.unpack_from, LENGTH.size
        for _ in range(count):
            at += size + length_at(view, at)[0]
            if at > end:
                raise struct.error
        self._at = at

    def _tensors(self, count: int) -> Iterator[TensorInfo]:
        """The entry of each tensor in the header."""
        for _ in range(count):
            name = self._string()
            (dimensions,) = self._take(KIND)
            if dimensions > MOST_DIMENSIONS:
                raise ValueError(
                    f"tensor {name!r} has {dimensions} dimensions: expected at most {MOST_DIMENSIONS}"
                )
            shape = self._take(SHAPES[dimensions])[::-1]
            kind, start = self._take(KIND_AND_LENGTH)
            yield TensorInfo(name, shape, kind, start, stored_bytes(name, shape, kind))

    def _placed(self, infos: Iterator[TensorInfo]) -> dict[str, TensorInfo]:
        """The tensors by name, each with bytes of its own within the file."""
        found: dict[str, TensorInfo] = {}
        for info in infos:
            if info.name in found:
                raise ValueError(f"it has the tensor {info.name!r} twice")
            found[info.name] = info
        alignment = self._alignment()
        first = -(-self._at // alignment) * alignment
        for info in found.values():
            if info.start % alignment:
                raise ValueError(
                    f"tensor {info.name!r} starts at {info.start}: expected a multiple of {alignment}"
                )
            if first + info.start + info.nbytes > len(self._view):
                raise ValueError(f"the file ends inside tensor {info.name!r}")
        for one, other in pairwise(sorted(found.values(), key=attrgetter("start"))):
            if one.start + one.nbytes > other.start:
                raise ValueError(f"tensors {one.name!r} and {other.name!r} overlap")
        self.first_byte = first
        return found

    def _alignment(self) -> int:
        """Tensors start at multiples of so many bytes."""
        given = self.metadata.get("general.alignment", DEFAULT_ALIGNMENT)
        if type(given) is not int or given < 1 or given & (given - 1):
            raise ValueError(f"'general.alignment' is {given!r}: expected a power of two")
        return given

    def encoded(self, info: TensorInfo, nbytes: int) -> np.ndarray:
        """The first so many bytes of a tensor, as a view of the file."""
        start = self.first_byte + info.start
        return self.data[start : start + nbytes]

    def mapped(self, info: TensorInfo) -> UInt8[Tensor, " nbytes"]:
        """The bytes of a tensor, which the system reads when they are used; to write to them copies them."""
        start = self.first_byte + info.start
        return self._mapped_file[start : start + info.nbytes]

    @cached_property
    def _mapped_file(self) -> UInt8[Tensor, " size"]:
        return torch.from_file(str(self.path), shared=False, size=len(self.data), dtype=torch.uint8)

    def value(self, key: str) -> Any:
        """A value of metadata in Python's own types, strings included."""
        value = self.metadata[key]
        if isinstance(value, StringArray):
            self._at = value.start
            return [self._string() for _ in range(value.count)]
        return value.tolist() if isinstance(value, np.ndarray) else value

    def _take(self, layout: struct.Struct) -> tuple:
        """The next values, laid out like this; struct.error where the file ends."""
        values = layout.unpack_from(self._view, self._at)
        self._at += layout.size
        return values

    def _bytes(self, count: int) -> memoryview:
        """The next so many bytes."""
        start = self._at
        if count > len(self._view) - start:
            raise struct.error
        self._at += count
        return self._view[start : self._at]

    def _string(self) -> str:
        start = self._at + LENGTH.size
        end = start + LENGTH.unpack_from(self._view, self._at)[0]
        if end > len(self._view):
            raise struct.error
        self._at = end
        return str(self._view[start:end], "utf-8")


def number_of(kind: int) -> struct.Struct:
    """The layout of a number. Raises ValueError for a type that does not exist."""
    if kind not in NUMBERS:
        raise ValueError(f"metadata type {kind} is unknown")
    return NUMBERS[kind]


def stored_bytes(name: str, shape: tuple[int, ...], kind: int) -> int:
    """The bytes of a tensor. Raises ValueError for an unknown encoding, or rows that end inside a block."""
    block = block_of(kind)
    if block is None:
        raise ValueError(f"tensor {name!r} has the unknown encoding {kind}")
    elements = prod(shape)
    row = shape[-1] if shape else 1
    if not elements or row % block.elements:
        raise ValueError(
            f"tensor {name!r} has shape {list(shape)}: expected rows of whole blocks of {block.elements}"
        )
    return elements // block.elements * block.nbytes


@cache
def block_of(kind: int) -> Block | None:
    """The block of an encoding; None for an encoding that does not exist."""
    import gguf

    try:
        return Block(*gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType(kind)])
    except (ValueError, KeyError):
        return None
