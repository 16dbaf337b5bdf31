"""The metadata of one GGUF file below the name of its architecture: every value is checked, and none is lost."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from tinyllm.checkpoint.gguf_file import GGUFFile
from tinyllm.checkpoint.gguf_header import StringArray
from tinyllm.checkpoint.gguf_keys import HARMLESS, NEUTRAL, REFUSED, USED

SHOWN = 60  # characters of a value in a message
TOKEN_IDS = {
    "bos_token_id": "tokenizer.ggml.bos_token_id",
    "eos_token_id": "tokenizer.ggml.eos_token_id",
    "pad_token_id": "tokenizer.ggml.padding_token_id",
}


def special_tokens_of(fields: dict[str, Any]) -> dict[str, int]:
    """The ids of special tokens among the fields of a configuration."""
    return {name: fields[name] for name in TOKEN_IDS if fields[name] is not None}


class Metadata:
    """Values by their keys without the architecture's name, checked by `gguf_keys.USED`.

    Errors are ValueErrors that name the file, the key and its value.
    """

    def __init__(self, file: GGUFFile) -> None:
        self.file = file
        self.architecture = file.architecture
        self._read: set[str] = set()

    def get(self, key: str, default: Any = None) -> Any:
        """A value, or `default` where the file has none."""
        self._read.add(key)
        value = self._plain(key)
        if value is None:
            return default
        if not USED[key].accepts(value):
            raise self.error(key, USED[key].expected)
        return value

    def require(self, key: str) -> Any:
        """A value that the file must have."""
        value = self.get(key)
        return self.file.field(f"{self.architecture}.{key}") if value is None else value

    def size(self, key: str, default: int | None = None) -> int:
        """A number of heads, rows or columns: no larger than the largest dimension of a tensor."""
        value = self.require(key) if default is None else self.get(key, default)
        largest = max(
            (max(info.shape, default=1) for info in self.file.tensors.values()), default=1
        )
        if value > largest:
            raise self.error(key, f"at most {largest}, the largest dimension of its tensors")
        return value

    def layers(self) -> int:
        """The number of layers: each has tensors of its own."""
        layers, tensors = self.require("block_count"), len(self.file.tensors)
        if layers > tensors:
            raise self.error(
                "block_count", f"no more layers than the {tensors} tensors of the file"
            )
        return layers

    def expect(self, key: str, value: Any, reason: str) -> None:
        """Refuse a value that is neither absent nor the one that the other keys imply."""
        if self.get(key, value) != value:
            raise self.error(key, f"{value}, {reason}")

    def ignore(self, *keys: str) -> None:
        """Keys without a meaning for this architecture."""
        self._read |= set(keys)

    def token_ids(self) -> dict[str, int | None]:
        """The ids of special tokens; None for those that the file does not name."""
        found = {field: self.file.metadata.get(key) for field, key in TOKEN_IDS.items()}
        for field, value in found.items():
            if value is not None and type(value) is not int:
                raise ValueError(
                    f"{self.file.path}: {TOKEN_IDS[field]} is {value!r}: expected an integer"
                )
        return found

    def has(self, tensor: str) -> bool:
        """Is there a tensor of this name in the first layer, or beside the layers?"""
        return bool({tensor, f"blk.0.{tensor}"} & self.file.tensors.keys())

    def finish(self) -> None:
        """Refuse what is left and changes the mathematics; warn of keys that are not listed."""
        prefix = f"{self.architecture}."
        left = {key.removeprefix(prefix) for key in self.file.metadata if key.startswith(prefix)}
        unknown = []
        for key in sorted(left - self._read - HARMLESS):
            if key.startswith(REFUSED):
                raise self.error(key, f"a {self.architecture} without it")
            if key not in NEUTRAL:
                unknown.append(prefix + key)
            elif not self._is_neutral(key):
                neutral = " or ".join(repr(value) for value in NEUTRAL[key])
                raise self.error(key, f"{neutral} for a {self.architecture}")
        if unknown:
            warnings.warn(
                f"{self.file.path}: its metadata has {', '.join(unknown)}, which tinyllm does not "
                "know and does not use",
                UserWarning,
                stacklevel=2,
            )

    def error(self, key: str, expected: str) -> ValueError:
        """The error for a value that is not what is expected."""
        shown = repr(self._plain(key))
        cut = shown if len(shown) <= SHOWN else f"{shown[:SHOWN]}..."
        return ValueError(
            f"{self.file.path}: {self.architecture}.{key} is {cut}: expected {expected}"
        )

    def _is_neutral(self, key: str) -> bool:
        value = self._plain(key)
        return type(value) in (int, float, bool, str) and value in NEUTRAL[key]

    def _plain(self, key: str) -> Any:
        """A value in Python's own types; numbers that are the same for all layers are one number."""
        value = self.file.metadata.get(f"{self.architecture}.{key}")
        if isinstance(value, StringArray):
            return repr(value)
        if not isinstance(value, np.ndarray):
            return value
        if value.dtype == bool:
            return value.tolist()
        if len(value) and (value == value[0]).all():
            return value[0].item()
        return value[:SHOWN].tolist()
