"""Llama 1, 2 and 3, SmolLM2, Mistral and Ministral: RMSNorm, RoPE, and a gated feed-forward block."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinyllm.config import DecoderConfig, LayerKind
from tinyllm.families.family import Family
from tinyllm.families.reading import (
    activation,
    described,
    kind_with_window,
    kind_without_window,
    layers,
    rope_of_head,
    window,
)

if TYPE_CHECKING:
    from transformers import PreTrainedConfig


def describe(config: PreTrainedConfig) -> DecoderConfig:
    """Read a `LlamaConfig`, `MistralConfig` or `MinistralConfig`. Raises ValueError naming what we do not have."""
    if config.model_type == "ministral":
        return like_llama(config, "llama", **windowed_layers(config))
    rotary = rope_of_head(config, config.rope_parameters)
    if config.model_type == "mistral":
        return like_llama(config, "llama", kinds=(kind_with_window(config, rotary),))
    return like_llama(
        config,
        "llama",
        kinds=(kind_without_window(config, rotary),),
        qkv_bias=config.attention_bias,
        o_bias=config.attention_bias,
        mlp_bias=config.mlp_bias,
    )


def like_llama(config: PreTrainedConfig, family: str, **traits: Any) -> DecoderConfig:
    """A decoder as Llama's, with the traits named; its kinds of layers are among them."""
    own = {"norm_eps": config.rms_norm_eps, "activation": activation(config.hidden_act)}
    return described(config, family, **own | traits)


def windowed_layers(config: PreTrainedConfig) -> dict[str, tuple]:
    """Layers of one rotation, some of them with a sliding window."""
    rotary = rope_of_head(config, config.rope_parameters)
    return layers(config, lambda i: LayerKind(rotary, window(config, i)))


ATTENTION, MLP = "model.layers.{i}.self_attn", "model.layers.{i}.mlp"

LLAMA = Family(
    name="llama",
    architectures={
        "llama": "LlamaForCausalLM",
        "mistral": "MistralForCausalLM",
        "ministral": "MinistralForCausalLM",  # what transformers makes of a Mistral with layer_types
    },
    describe=describe,
    modules={
        "embed_tokens": ("model.embed_tokens",),
        "layers.{i}.attention_norm": ("model.layers.{i}.input_layernorm",),
        "layers.{i}.qkv_proj": (
            f"{ATTENTION}.q_proj",
            f"{ATTENTION}.k_proj",
            f"{ATTENTION}.v_proj",
        ),
        "layers.{i}.o_proj": (f"{ATTENTION}.o_proj",),
        "layers.{i}.mlp_norm": ("model.layers.{i}.post_attention_layernorm",),
        "layers.{i}.gate_up_proj": (f"{MLP}.gate_proj", f"{MLP}.up_proj"),
        "layers.{i}.down_proj": (f"{MLP}.down_proj",),
        "norm": ("model.norm",),
        "lm_head": ("lm_head",),
    },
    models="Llama 1, 2, 3; SmolLM2; Mistral, Ministral",
    refused="dynamic, YaRN and LongRoPE scaling",
)
HEAD_NORMS = {
    "layers.{i}.qkv_proj.q_norm": (f"{ATTENTION}.q_norm",),
    "layers.{i}.qkv_proj.k_norm": (f"{ATTENTION}.k_norm",),
}
