"""What a family is: a description of its decoders, and the names of their tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tinyllm.config import DecoderConfig

if TYPE_CHECKING:
    from transformers import PreTrainedConfig


@dataclass(frozen=True)
class Family:
    """How one family of checkpoints maps onto the decoder.

    `modules` maps each of our modules to the checkpoint's; several names are stacked along the rows.
    `{i}` stands for the layer. `buffers` are endings of tensors that hold nothing learned; `norm_shift` is what the
    stored weights of RMSNorms lack. `renamed` maps beginnings of names in older checkpoints to those of today.
    `models` are those people know, `refused` what transformers has of this family and we have not.
    """

    name: str
    architectures: Mapping[str, str]  # model_type of a config -> class name in transformers
    describe: Callable[[PreTrainedConfig], DecoderConfig]
    modules: Mapping[str, tuple[str, ...]]
    buffers: tuple[str, ...] = ()
    norm_shift: float = 0.0
    renamed: Mapping[str, str] = field(default_factory=dict)
    models: str = ""
    refused: str = ""

    def name_today(self, stored: str) -> str:
        """The name of a stored tensor, as transformers has it today."""
        old = next((beginning for beginning in self.renamed if stored.startswith(beginning)), "")
        return self.renamed.get(old, "") + stored.removeprefix(old)

    def sources(self, parameter: str) -> tuple[str, ...]:
        """Names in the checkpoint of the tensors that, stacked, make up our `parameter`."""
        module, kind = parameter.rsplit(".", 1)
        parts = module.split(".")
        layer = parts[1] if parts[0] == "layers" else None
        key = ".".join(["layers", "{i}", *parts[2:]]) if layer else module
        return tuple(f"{name.format(i=layer)}.{kind}" for name in self.modules[key])
