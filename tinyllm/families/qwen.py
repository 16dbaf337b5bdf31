"""Qwen2 and Qwen2.5, Llama with biases on q, k and v alone; Qwen3, which normalises every head of q and k instead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinyllm.config import DecoderConfig
from tinyllm.families.family import Family
from tinyllm.families.llama import HEAD_NORMS, LLAMA, like_llama, windowed_layers

if TYPE_CHECKING:
    from transformers import PreTrainedConfig


def describe_2(config: PreTrainedConfig) -> DecoderConfig:
    """Read a `Qwen2Config`. Raises ValueError naming what we do not have."""
    return like_llama(config, "qwen2", **windowed_layers(config), qkv_bias=True)


def describe_3(config: PreTrainedConfig) -> DecoderConfig:
    """Read a `Qwen3Config`. Raises ValueError naming what we do not have."""
    return like_llama(
        config,
        "qwen3",
        **windowed_layers(config),
        qkv_bias=config.attention_bias,
        o_bias=config.attention_bias,
        head_norms=True,
    )


QWEN2 = Family(
    "qwen2",
    {"qwen2": "Qwen2ForCausalLM"},
    describe_2,
    LLAMA.modules,
    models="Qwen2, Qwen2.5",
    refused="YaRN scaling",
)
QWEN3 = Family(
    "qwen3",
    {"qwen3": "Qwen3ForCausalLM"},
    describe_3,
    {**LLAMA.modules, **HEAD_NORMS},
    models="Qwen3, dense",
    refused="YaRN scaling",
)
