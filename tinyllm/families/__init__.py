"""The model families: for each a table of configuration fields and weight names, nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
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


def registered() -> tuple[Family, ...]:
    """All families, in the order they are shown to users."""
    from tinyllm.families.bloom import BLOOM
    from tinyllm.families.gemma import GEMMA2, GEMMA3
    from tinyllm.families.gpt_neox import GPT_NEOX
    from tinyllm.families.gptj import GPTJ
    from tinyllm.families.llama import LLAMA
    from tinyllm.families.opt import OPT
    from tinyllm.families.phi3 import PHI3
    from tinyllm.families.qwen import QWEN2, QWEN3
    from tinyllm.families.smollm3 import SMOLLM3

    return (LLAMA, QWEN2, QWEN3, PHI3, GEMMA2, GEMMA3, SMOLLM3, GPTJ, GPT_NEOX, OPT, BLOOM)


def family_of(config: PreTrainedConfig) -> Family:
    """The family that can run a transformers configuration. Raises ValueError naming the closest one supported."""
    return family_named(config.model_type)


def family_named(model_type: object) -> Family:
    """The family of a model type as transformers names it. Raises ValueError naming the closest one supported."""
    supported = {kind: family for family in registered() for kind in family.architectures}
    if model_type in supported:
        return supported[model_type]
    name = str(model_type)
    related = [kind for kind in supported if name.startswith(kind) or kind.startswith(name)]
    close = sorted(related, key=len)[-1:] or get_close_matches(name, supported, n=1, cutoff=0.5)
    hint = f"; the closest supported is {close[0]!r}" if close else ""
    raise ValueError(f"model type {model_type!r} is not supported: expected one of {sorted(supported)}{hint}")
