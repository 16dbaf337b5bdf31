"""GGUF: the header read here, the quantised blocks decoded by the `gguf` package."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

MAGIC, VERSIONS = b"GGUF", (2, 3)
SCALARS = {
    0: "B",
    1: "b",
    2: "H",
    3: "h",
    4: "I",
    5: "i",
    6: "f",
    7: "?",
    10: "Q",
    11: "q",
    12: "d",
}
STRING, ARRAY = 8, 9
# llama.cpp stores the rows of these projections in pairs for interleaved rotation; ours is half-split.
INTERLEAVED = {"llama": ("attn_q", "attn_k")}


@dataclass(frozen=True)
class TensorInfo:
    """Where a tensor lies in the file, and how it is encoded."""

    name: str
    shape: tuple[int, ...]
    kind: int
    start: int


class _Header:
    """A cursor over the little-endian header."""

    def __init__(self, data: np.ndarray) -> None:
        self.data, self.at = data, 0

    def scalar(self, code: str) -> int | float | bool:
        size = struct.calcsize("<" + code)
        if self.at + size > len(self.data):
            raise ValueError("the file ends inside its header")
        self.at += size
        return struct.unpack("<" + code, self.data[self.at - size : self.at].tobytes())[0]

    def string(self) -> str:
        size = self.scalar("Q")
        if self.at + size > len(self.data):
            raise ValueError("the file ends inside its header")
        self.at += size
        return self.data[self.at - size : self.at].tobytes().decode()

    def value(self, kind: int) -> object:
        if kind == STRING:
            return self.string()
        if kind == ARRAY:
            inner, count = self.scalar("I"), self.scalar("Q")
            return [self.value(inner) for _ in range(count)]
        if kind not in SCALARS:
            raise ValueError(f"metadata type {kind} is unknown")
        return self.scalar(SCALARS[kind])


class GGUFFile:
    """The metadata of a GGUF file, and its tensors, decoded when read. Raises ValueError for a damaged file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._data = np.memmap(path, mode="r") if path.stat().st_size else np.empty(0, np.uint8)
        try:
            self._parse(_Header(self._data))
        except (ValueError, UnicodeDecodeError) as error:
            raise ValueError(
                f"{path}: not a complete GGUF file ({error}); copy or download it again"
            ) from error
        self.names = {name: name for name in self.tensors}

    def _parse(self, header: _Header) -> None:
        if self._data[:4].tobytes() != MAGIC:
            raise ValueError(f"it starts with {self._data[:4].tobytes()!r}: expected {MAGIC!r}")
        header.at = 4
        version = header.scalar("I")
        if version not in VERSIONS:
            raise ValueError(f"version {version}: expected one of {VERSIONS}, little-endian")
        tensors, pairs = header.scalar("Q"), header.scalar("Q")
        self.metadata = {header.string(): header.value(header.scalar("I")) for _ in range(pairs)}
        infos = [self._info(header) for _ in range(tensors)]
        align = self.metadata.get("general.alignment", 32)
        data = -(-header.at // align) * align
        self.tensors = {
            info.name: TensorInfo(info.name, info.shape, info.kind, data + info.start)
            for info in infos
        }
        for info in self.tensors.values():
            if info.start + _stored_bytes(info) > len(self._data):
                raise ValueError(f"the file ends inside tensor {info.name!r}")

    @staticmethod
    def _info(header: _Header) -> TensorInfo:
        name, dims = header.string(), header.scalar("I")
        shape = tuple(header.scalar("Q") for _ in range(dims))[::-1]
        return TensorInfo(name, shape, header.scalar("I"), header.scalar("Q"))

    @property
    def architecture(self) -> str:
        """llama.cpp's name of the family."""
        return self._field("general.architecture")

    def _field(self, key: str) -> Any:
        if key not in self.metadata:
            raise ValueError(f"{self.path}: its metadata has no {key!r}; copy or convert it again")
        return self.metadata[key]

    @property
    def has_tokenizer(self) -> bool:
        """Is a vocabulary stored beside the weights?"""
        return "tokenizer.ggml.tokens" in self.metadata

    def rename(self, names: Iterable[str]) -> None:
        """Offer tensors under transformers' `names` (module.kind), which llama.cpp's own table translates."""
        import gguf

        blocks = self._field(f"{self.architecture}.block_count")
        arch = next(
            key for key, value in gguf.MODEL_ARCH_NAMES.items() if value == self.architecture
        )
        table = gguf.get_tensor_name_map(arch, blocks)
        stored = {name: table.get_name(name, try_suffixes=(".weight", ".bias")) for name in names}
        known = {name: there for name, there in stored.items() if there in self.tensors}
        rest = {name: name for name in self.tensors.keys() - known.values()}
        self.names = known | rest

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of every tensor under the name it is offered by."""
        return {name: self.tensors[there].shape for name, there in self.names.items()}

    def check(self, name: str) -> None:
        """Decode the first block of a tensor. Raises ValueError where its encoding cannot be read."""
        info = self.tensors[self.names[name]]
        self._decode(info, _block(info)[1])

    def read(self, name: str) -> Tensor:
        """Decode one tensor to float32."""
        info = self.tensors[self.names[name]]
        values = self._decode(info, _stored_bytes(info))
        tensor = torch.from_numpy(np.require(values, np.float32, "W")).reshape(info.shape)
        return self._half_split(info.name, tensor)

    def _decode(self, info: TensorInfo, size: int) -> np.ndarray:
        import gguf

        try:
            raw = self._data[info.start : info.start + size]
            return gguf.quants.dequantize(raw, gguf.GGMLQuantizationType(info.kind))
        except NotImplementedError as error:
            raise ValueError(
                f"{self.path}: tensor {info.name!r} has an encoding that cannot be read: {error}"
            ) from error

    def _half_split(self, name: str, tensor: Tensor) -> Tensor:
        if not any(part in name for part in INTERLEAVED.get(self.architecture, ())):
            return tensor
        heads = self._field(f"{self.architecture}.attention.head_count")
        if "attn_k" in name:
            heads = self.metadata.get(f"{self.architecture}.attention.head_count_kv", heads)
        return tensor.unflatten(0, (heads, -1, 2)).transpose(1, 2).reshape(tensor.shape)

    def file(self, name: str | None) -> str:
        return str(self.path)


def _stored_bytes(info: TensorInfo) -> int:
    block, size = _block(info)
    return prod(info.shape) // block * size


def _block(info: TensorInfo) -> tuple[int, int]:
    """Elements that are encoded together, and the bytes they take."""
    import gguf

    try:
        return gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType(info.kind)]
    except ValueError as error:
        raise ValueError(f"tensor {info.name!r} has the unknown encoding {info.kind}") from error
