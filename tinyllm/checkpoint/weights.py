"""Named tensors that stay on disk until they are read."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from tinyllm.checkpoint.config_files import read_json, shorten
from tinyllm.checkpoint.cuts import Cut
from tinyllm.kernels.weights import PackedRows

STORED = {
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F64": torch.float64,
}
LONGEST_NAME = 255  # characters, of a file


@runtime_checkable
class Weights(Protocol):
    """Tensors under the names transformers gives them; shapes are known before anything is read.

    A class that inherits this has dense tensors, unless it defines how they are packed.
    """

    shapes: Mapping[str, tuple[int, ...]]

    def check(self, name: str) -> None:
        """Raise ValueError where `name` is stored in a way that cannot be read."""

    def read(self, name: str) -> Tensor: ...

    def equal(self, name: str, other: str) -> bool:
        """Whether two names stand for one tensor: equal numbers, as what is stored does not change."""
        first = self.read(name)
        second = self.read(other)
        return first.data_ptr() == second.data_ptr() or torch.equal(first, second)

    def packed(self, name: str, dtype: torch.dtype) -> PackedRows | None:
        """A matrix in its blocks; None where it is stored dense, or takes no fewer bytes than in `dtype`."""
        ...

    def block_elements(self, name: str) -> int:
        """Columns of a matrix that are packed together; 1 for a dense one."""
        return 1

    def read_part(self, name: str, cut: Cut) -> Tensor:
        """Some rows and columns of a tensor, dense; where a file allows, the others are not read."""
        return cut.of(self.read(name))

    def packed_part(self, name: str, dtype: torch.dtype, cut: Cut) -> PackedRows | None:
        """The same in blocks. Raises ValueError for columns that end inside a block."""
        rows = self.packed(name, dtype)
        return None if rows is None else cut.of_blocks(rows, f"{self.file(name)}: tensor {name!r}")

    def unread_encoding(self, name: str) -> str | None:
        """What a matrix is packed in that no kernel reads; None for others."""
        ...

    def file(self, name: str | None) -> str:
        """Where `name` stands, or where it was looked for."""
        ...


class SafetensorsFolder(Weights):
    """One or many safetensors files in a folder, memory-mapped; `name_today` may give their tensors other names."""

    def __init__(self, folder: Path, name_today: Callable[[str], str] = str) -> None:
        self.folder, self._name_today = folder, name_today
        self.shapes: dict[str, tuple[int, ...]] = {}
        self._files: dict[str, tuple[object, Path, str]] = {}
        self._formats: dict[str, str] = {}
        for path in safetensors_files(folder):
            self._open(path)

    def _open(self, path: Path) -> None:
        from safetensors import SafetensorError, safe_open

        try:
            opened = safe_open(path, framework="pt")
        except (SafetensorError, OSError) as error:
            raise ValueError(
                f"{path}: not a complete safetensors file ({error}); copy or download it again"
            ) from error
        for own_name in opened.keys():  # noqa: SIM118 (not a mapping)
            stored, name = opened.get_slice(own_name), self._name_today(own_name)
            if name in self._files and self._files[name][2] != own_name:
                raise ValueError(
                    f"{path}: {own_name!r} and {self._files[name][2]!r} are two names of one tensor: expected one"
                )
            self.shapes[name], self._formats[name] = tuple(stored.get_shape()), stored.get_dtype()
            self._files[name] = (opened, path, own_name)

    def add_alias(self, name: str, stored: str) -> None:
        """Offer the tensor `stored` as `name` too, where there is none of that name."""
        if name not in self._files and stored in self._files:
            self.shapes[name] = self.shapes[stored]
            self._files[name] = self._files[stored]
            self._formats[name] = self._formats[stored]

    @property
    def dtype(self) -> torch.dtype:
        """The format of the first tensor that is no quantised one."""
        formats = (STORED[kind] for kind in self._formats.values() if kind in STORED)
        return next(formats, torch.float32)

    def stored_as(self, name: str) -> str:
        """The number format of a tensor, as safetensors names it."""
        return self._formats[name]

    def check(self, name: str) -> None:
        kind = self._formats[name]
        if kind not in STORED:
            raise ValueError(
                f"{self.file(name)}: tensor {name!r} is stored as {kind}: expected one of {list(STORED)}"
            )

    def read(self, name: str) -> Tensor:
        opened, _, own_name = self._files[name]
        return opened.get_tensor(own_name)

    def read_part(self, name: str, cut: Cut) -> Tensor:
        opened, _, own_name = self._files[name]
        stored = opened.get_slice(own_name)
        ranges = [range(self.shapes[name][0])] if cut.rows is None else cut.rows
        if cut.columns is None:
            parts = [stored[r.start : r.stop] for r in ranges]
        else:
            first, last = cut.edges
            parts = [stored[r.start : r.stop, first:last] for r in ranges]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def file(self, name: str | None) -> str:
        return str(self._files[name][1] if name in self._files else self.folder)


def safetensors_files(folder: Path) -> list[Path]:
    """The files that hold a folder's weights, one file before an index of many.

    Raises FileNotFoundError or ValueError naming what is absent, or cannot be meant.
    """
    index, single = folder / "model.safetensors.index.json", folder / "model.safetensors"
    names = shard_names(index) if index.is_file() else []  # damaged: refused beside a file too
    if single.is_file():
        return [single]
    if names:
        missing = [name for name in names if not os.path.isfile(folder / name)]
        if missing:
            raise FileNotFoundError(
                f"{index} names {shorten(', '.join(missing), 400)}, which {folder} does not have"
            )
        return [folder / name for name in names]
    if list(folder.glob("pytorch_model*.bin")):
        raise ValueError(
            f"{folder} holds pickled weights (*.bin), which can run code when read: convert them with "
            "transformers' AutoModelForCausalLM.from_pretrained(folder).save_pretrained(folder)"
        )
    raise FileNotFoundError(
        f"{folder} has no model.safetensors and no model.safetensors.index.json"
    )


def shard_names(index: Path) -> list[str]:
    """The files that an index names. Raises ValueError for what is no index, and for a file outside its folder."""
    weight_map = read_json(index).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise ValueError(
            f"{index}: weight_map={shorten(repr(weight_map))}: expected an object that maps tensors to files"
        )
    for tensor, name in weight_map.items():
        if not is_file_name(name):
            raise ValueError(
                f"{index}: weight_map[{tensor!r}]={shorten(repr(name))}: expected the name of a file in its folder"
            )
    return sorted(set(weight_map.values()))


def is_file_name(name: object) -> bool:
    """Whether a file system could have this file in a folder or below it."""
    if not isinstance(name, str) or not name or os.path.isabs(name):
        return False
    parts = Path(name).parts
    return ".." not in parts and all(len(part) <= LONGEST_NAME for part in parts)
