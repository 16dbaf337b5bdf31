"""What a family is: a description of its decoders, and the names of their tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from tinyllm.config import DecoderConfig

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

# Endings of tensors that hold nothing learned: buffers that older checkpoints stored.
BUFFERS = (
    "rotary_emb.inv_freq",
    "rotary_emb.cos_cached",
    "rotary_emb.sin_cached",
    ".attn.bias",
    ".attn.masked_bias",
    ".attn.embed_positions",
    ".attention.bias",
    ".attention.masked_bias",
    "position_ids",
)
# Beginnings of tensors of heads for other tasks: classes, spans of an answer, rewards.
OTHER_HEADS = ("score.", "classifier.", "qa_outputs.", "v_head.")


@dataclass(frozen=True)
class Family:
    """How one family of checkpoints maps onto the decoder.

    `modules` maps each of our modules to the checkpoint's; several names are stacked along the rows.
    `{i}` stands for the layer. `norm_shift` is what the stored weights of RMSNorms lack. `renamed` maps beginnings of
    names in older checkpoints to those of today.
    `models` are those people know, `refused` what transformers has of this family and we have not.
    """

    name: str
    architectures: Mapping[str, str]  # model_type of a config -> class name in transformers
    describe: Callable[[PreTrainedConfig], DecoderConfig]
    modules: Mapping[str, tuple[str, ...]]
    norm_shift: float = 0.0
    renamed: Mapping[str, str] = field(default_factory=dict)
    models: str = ""
    refused: str = ""

    def name_today(self, stored: str) -> str:
        """The name of a stored tensor, as transformers has it today."""
        old = next((beginning for beginning in self.renamed if stored.startswith(beginning)), "")
        name = self.renamed.get(old, "") + stored.removeprefix(old)
        inner, outer = name.removeprefix(self.base_prefix), self.base_prefix + name
        if inner != name and inner.startswith(self.beginnings):
            return inner
        if not name.startswith(self.beginnings) and outer.startswith(self.beginnings):
            return outer
        return name

    @cached_property
    def base_prefix(self) -> str:
        """What a checkpoint of the model without its head leaves out of every name, as `model.` of Llama's."""
        return self.modules["embed_tokens"][0].partition(".")[0] + "."

    @cached_property
    def beginnings(self) -> tuple[str, ...]:
        """How the names of all tensors of a family begin."""
        names = {name for parts in self.modules.values() for name in parts}
        return tuple(f"{name}.".partition("{i}")[0] for name in sorted(names))

    def sources(self, parameter: str) -> tuple[str, ...]:
        """Names in the checkpoint of the tensors that, stacked, make up our `parameter`."""
        module, kind = parameter.rsplit(".", 1)
        parts = module.split(".")
        layer = parts[1] if parts[0] == "layers" else None
        key = ".".join(["layers", "{i}", *parts[2:]]) if layer else module
        return tuple(f"{name.format(i=layer)}.{kind}" for name in self.modules[key])
