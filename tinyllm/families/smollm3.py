"""SmolLM3: Llama in which some layers rotate nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinyllm.config import DecoderConfig, LayerKind
from tinyllm.families.family import Family
from tinyllm.families.llama import LLAMA, like_llama
from tinyllm.families.reading import layers, rope_of_head, window

if TYPE_CHECKING:
    from transformers import PreTrainedConfig


def describe(config: PreTrainedConfig) -> DecoderConfig:
    """Read a `SmolLM3Config`. Raises ValueError naming what we do not have."""
    rotary, bias = rope_of_head(config, config.rope_parameters), config.attention_bias

    def kind(layer: int) -> LayerKind:
        return LayerKind(rotary if config.no_rope_layers[layer] else None, window(config, layer))

    biases = {"qkv_bias": bias, "o_bias": bias, "mlp_bias": config.mlp_bias}
    return like_llama(config, "smollm3", **biases, **layers(config, kind))


SMOLLM3 = Family(
    "smollm3",
    {"smollm3": "SmolLM3ForCausalLM"},
    describe,
    LLAMA.modules,
    models="SmolLM3",
    refused="YaRN scaling",
)
