"""GGUF: tensors under transformers' names and in its layout; the `gguf` package decodes quantised blocks."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from tinyllm.checkpoint.cuts import Cut
from tinyllm.checkpoint.gguf_header import Header, TensorInfo, block_of
from tinyllm.checkpoint.gguf_layout import Heads, change_of, half_split, heads_in, restore
from tinyllm.checkpoint.gguf_parts import open_parts
from tinyllm.checkpoint.weights import Weights
from tinyllm.kernels.block_formats import BY_GGML_TYPE
from tinyllm.kernels.weights import PackedRows

# Tensors that hold numbers of RoPE, not weights: `gguf_config` reads them.
ROPE_FACTORS = "rope_freqs.weight"
ROPE_BUFFERS = "attn_rot_embd.weight"


class GGUFFile(Weights):
    """The metadata of a GGUF file, and its tensors, decoded when read. Raises ValueError for a damaged file."""

    def __init__(self, path: Path) -> None:
        parts = open_parts(path)
        self.header = parts[0]
        self.path = self.header.path
        self.metadata = self.header.metadata
        self.tensors = {name: info for part in parts for name, info in part.tensors.items()}
        self.heads = Heads(1, 1)
        self._part_of = {name: part for part in parts for name in part.tensors}
        self._decoded_kinds: set[int] = set()
        self._offer({name: name for name in self.tensors})

    @property
    def architecture(self) -> str:
        """llama.cpp's name of the family."""
        key = "general.architecture"
        if not isinstance(self.metadata.get(key, ""), str):
            raise ValueError(f"{self.path}: {key} is {self.metadata[key]!r}: expected a string")
        return self.field(key)

    def field(self, key: str) -> Any:
        """A value of the metadata. Raises ValueError where the file does not have it."""
        if key not in self.metadata:
            raise ValueError(f"{self.path}: its metadata has no {key!r}; copy or convert it again")
        return self.metadata[key]

    @property
    def has_tokenizer(self) -> bool:
        """Is a vocabulary stored beside the weights?"""
        return "tokenizer.ggml.tokens" in self.metadata

    def rename(self, names: Iterable[str], heads: Heads) -> None:
        """Offer tensors under transformers' `names` (module.kind), which llama.cpp's own table translates."""
        blocks = self.field(f"{self.architecture}.block_count")
        stored = stored_names(self.architecture, blocks, names)
        known = {name: there for name, there in stored.items() if there in self.tensors}
        rest = self.tensors.keys() - known.values() - {ROPE_FACTORS}
        self._offer(known | {name: name for name in rest if not name.endswith(ROPE_BUFFERS)})
        self.heads = heads

    def _offer(self, names: dict[str, str]) -> None:
        """Set the name of every tensor in the file by the name it is offered by, and its shape."""
        self.names = names
        self.shapes = {name: self.tensors[there].shape for name, there in names.items()}

    def check(self, name: str) -> None:
        """Decode a first block of the tensor's encoding. Raises ValueError where it cannot be read."""
        info = self.tensors[self.names[name]]
        if info.kind not in self._decoded_kinds:
            self._decode(info, block_of(info.kind).nbytes)
            self._decoded_kinds.add(info.kind)

    def read(self, name: str) -> Tensor:
        """Decode one tensor to float32."""
        there = self.names[name]
        return restore(self.architecture, there, self.read_stored(there), self.heads)

    def packed(self, name: str, dtype: torch.dtype) -> PackedRows | None:
        """A matrix in its blocks, mapped from the file where its rows need no other order.

        None where it takes no fewer bytes than in `dtype`, or has an encoding that kernels do not read.
        """
        return self.packed_part(name, dtype, Cut())

    def packed_part(self, name: str, dtype: torch.dtype, cut: Cut) -> PackedRows | None:
        there = self.names[name]
        info = self.tensors[there]
        blocks = BY_GGML_TYPE.get(info.kind)
        if blocks is None or blocks.bits >= 8 * dtype.itemsize or len(info.shape) != 2:
            return None
        rows = PackedRows(self._encoded_part(name, cut), blocks)
        if not rows.has_finite_scales:
            raise ValueError(
                f"{self.file(name)}: tensor {there!r} has a block whose scale is no number: copy or download it again"
            )
        return rows

    def unread_encoding(self, name: str) -> str | None:
        """What a matrix is packed in that no kernel reads; None for others."""
        import gguf

        info = self.tensors[self.names[name]]
        if info.kind in BY_GGML_TYPE or block_of(info.kind).elements == 1:
            return None
        return gguf.GGMLQuantizationType(info.kind).name

    def block_elements(self, name: str) -> int:
        """Columns of a block of a matrix."""
        return block_of(self.tensors[self.names[name]].kind).elements

    def read_part(self, name: str, cut: Cut) -> Tensor:
        """Decode some rows and columns of a tensor to float32."""
        import gguf

        info = self.tensors[self.names[name]]
        if len(info.shape) != 2:
            return cut.of(self.read(name))
        elements = block_of(info.kind).elements
        if cut.columns is not None and any(edge % elements for edge in cut.edges):
            return Cut(columns=cut.columns).of(self.read_part(name, Cut(cut.rows)))
        rows = self._encoded_part(name, cut).numpy()
        values = gguf.quants.dequantize(rows, gguf.GGMLQuantizationType(info.kind))
        return torch.from_numpy(np.require(values, np.float32, "W"))

    def _encoded_part(self, name: str, cut: Cut) -> UInt8[Tensor, "n row_bytes"]:
        """The bytes of a part of a matrix, its rows in transformers' order: mapped where nothing is moved.

        Raises ValueError for columns that end inside a block.
        """
        there = self.names[name]
        info = self.tensors[there]
        raw = self._part_of[there].mapped(info).view(info.shape[0], -1)
        if cut.columns is not None:
            block = block_of(info.kind)
            cut.check_blocks(block.elements, f"{self.file(name)}: tensor {there!r}")
            first, last = (edge // block.elements * block.nbytes for edge in cut.edges)
            raw = raw[:, first:last].contiguous()
        if change_of(self.architecture, there) is half_split:  # within each head
            own = cut.of_rows(raw)
            return half_split(own, heads_in(there, self.heads) * len(own) // len(raw))
        return cut.of_rows(restore(self.architecture, there, raw, self.heads))

    def read_stored(self, name: str) -> Tensor:
        """One tensor by its name in the file, in float32 and as it is laid out there."""
        info = self.tensors[name]
        rows = info.shape[0] if len(info.shape) == 2 else 1
        values = self._decode(info, info.nbytes, rows)
        return torch.from_numpy(np.require(values, np.float32, "W")).reshape(info.shape)

    def encoded(self, name: str) -> np.ndarray:
        """The bytes of one tensor by its name in the file."""
        info = self.tensors[name]
        return self._part_of[name].encoded(info, info.nbytes)

    def _decode(self, info: TensorInfo, nbytes: int, rows: int = 1) -> np.ndarray:
        """The first so many bytes, by rows: the package decodes a few at a time, which stay in the cache."""
        import gguf

        try:
            raw = np.asarray(self._part_of[info.name].encoded(info, nbytes)).reshape(rows, -1)
            return gguf.quants.dequantize(raw, gguf.GGMLQuantizationType(info.kind))
        except NotImplementedError as error:
            raise ValueError(
                f"{self.file(None)}: tensor {info.name!r} has an encoding that cannot be read: {error}"
            ) from error

    def file(self, name: str | None) -> str:
        """The path of the part that holds a tensor, or of the first part."""
        holder: Header | None = self._part_of.get(self.names.get(name, "")) if name else None
        return str(self.path if holder is None else holder.path)


def stored_names(architecture: str, layers: int, names: Iterable[str]) -> dict[str, str | None]:
    """llama.cpp's names of tensors by transformers' (module.kind), from its own table; None for one it lacks."""
    import gguf

    arch = next(key for key, value in gguf.MODEL_ARCH_NAMES.items() if value == architecture)
    table = gguf.get_tensor_name_map(arch, layers)
    suffixes = (".weight", ".bias")

    def translated(name: str) -> str | None:
        """The name in the table, where some models have a prefix that llama.cpp leaves out."""
        short = name.removeprefix("transformer.")
        return table.get_name(name, suffixes) or table.get_name(short, suffixes)

    return {name: translated(name) for name in names}
