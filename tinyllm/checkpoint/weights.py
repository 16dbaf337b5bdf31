"""Named tensors that stay on disk until they are read."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

STORED = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


@runtime_checkable
class Weights(Protocol):
    """Tensors under the names transformers gives them; shapes are known before anything is read."""

    shapes: Mapping[str, tuple[int, ...]]

    def check(self, name: str) -> None:
        """Raise ValueError where `name` is stored in a way that cannot be read."""

    def read(self, name: str) -> Tensor: ...

    def file(self, name: str | None) -> str:
        """Where `name` stands, or where it was looked for."""
        ...


class SafetensorsFolder:
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
            self.shapes[name], self._formats[name] = tuple(stored.get_shape()), stored.get_dtype()
            self._files[name] = (opened, path, own_name)

    @property
    def dtype(self) -> torch.dtype:
        """The format of the first tensor that is no quantised one."""
        return next(
            (STORED[kind] for _, kind in sorted(self._formats.items()) if kind in STORED),
            torch.float32,
        )

    def check(self, name: str) -> None:
        kind = self._formats[name]
        if kind not in STORED:
            raise ValueError(
                f"{self.file(name)}: tensor {name!r} is stored as {kind}: expected one of {list(STORED)}"
            )

    def read(self, name: str) -> Tensor:
        opened, _, own_name = self._files[name]
        return opened.get_tensor(own_name)

    def file(self, name: str | None) -> str:
        return str(self._files[name][1] if name in self._files else self.folder)


def safetensors_files(folder: Path) -> list[Path]:
    """The files that hold a folder's weights. Raises FileNotFoundError or ValueError naming what is absent."""
    index, single = folder / "model.safetensors.index.json", folder / "model.safetensors"
    if index.exists():
        names = sorted(set(_weight_map(index).values()))
        missing = [name for name in names if not (folder / name).exists()]
        if missing:
            raise FileNotFoundError(
                f"{index} names {', '.join(missing)}, which {folder} does not have"
            )
        return [folder / name for name in names]
    if single.exists():
        return [single]
    if list(folder.glob("*.bin")):
        raise ValueError(
            f"{folder} holds pickled weights (*.bin), which can run code when read: convert them with "
            "transformers' AutoModelForCausalLM.from_pretrained(folder).save_pretrained(folder)"
        )
    raise FileNotFoundError(
        f"{folder} has no model.safetensors and no model.safetensors.index.json"
    )


def _weight_map(index: Path) -> dict[str, str]:
    try:
        return json.loads(index.read_text())["weight_map"]
    except (ValueError, KeyError) as error:
        raise ValueError(f"{index}: not an index of safetensors files ({error!r})") from error
