"""`quantization_config` of a config.json: options of a method of quantisation, and errors that name file and key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tinyllm.checkpoint.config_files import CONFIG, shorten

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

SMALLEST_GROUP = 32  # inputs, of those that people have
KEYS = ("quantization_config", "compression_config")
ADVICE = (
    "load the model that was quantised, or a GGUF file; or restore the weights with transformers' "
    "AutoModelForCausalLM.from_pretrained(folder).dequantize(), and save them with save_pretrained"
)


class QuantizationConfig(NamedTuple):
    """The options at one place of a config.json."""

    path: Path
    place: str
    values: Mapping[str, Any]

    def choice(self, name: str, expected: tuple, default: Any = None) -> Any:
        """An option that has few values. Raises ValueError for another one."""
        value = self.values.get(name, default)
        if not any(value == one and type(value) is type(one) for one in expected):
            raise self.error(name, f"one of {list(expected)}")
        return value

    def group_size(self, name: str) -> int | None:
        """The inputs of a group; None for all of a row. Raises ValueError for what is no size."""
        size = self.values.get(name)
        if type(size) is not int or (size != -1 and (size < 1 or size % SMALLEST_GROUP)):
            raise self.error(name, f"a multiple of {SMALLEST_GROUP} inputs, or -1 for all of a row")
        return None if size == -1 else size

    def objects(self, name: str) -> Iterator[QuantizationConfig]:
        """The objects in an object. Raises ValueError where there are none."""
        found = self.values.get(name)
        if not isinstance(found, dict) or not found:
            raise self.error(name, "an object of objects")
        for key in found:
            yield QuantizationConfig(self.path, f"{self.place}.{name}", found).object(key)

    def object(self, name: str) -> QuantizationConfig:
        """An object. Raises ValueError where there is none."""
        found = self.values.get(name)
        if not isinstance(found, dict):
            raise self.error(name, "an object")
        return QuantizationConfig(self.path, f"{self.place}.{name}", found)

    def error(self, name: str, expected: str) -> ValueError:
        """An option that is not supported."""
        given = shorten(repr(self.values.get(name)))
        return ValueError(
            f"{self.path}: {self.place}.{name}={given} is not supported: expected {expected}; {ADVICE}"
        )


def remove_quantization(config: PreTrainedConfig) -> None:
    """Let a configuration describe the dense model: transformers would quantise the one that it makes of it."""
    for key in KEYS:
        vars(config).pop(key, None)


def find_quantization(folder: Path, values: Mapping[str, Any]) -> QuantizationConfig | None:
    """The options in the values of a config.json; None where its weights are dense.

    Raises ValueError for what is no object.
    """
    path = folder / CONFIG
    for key in KEYS:
        given = values.get(key)
        if not given and isinstance(given, dict | None):
            continue
        if not isinstance(given, dict):
            raise ValueError(f"{path}: {key}={shorten(repr(given))}: expected an object, or none")
        return QuantizationConfig(path, key, given)
    return None
