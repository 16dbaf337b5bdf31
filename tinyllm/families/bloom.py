"""Bloom: ALiBi instead of positions, a LayerNorm behind the embedding, a bias on every matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinyllm.config import DecoderConfig
from tinyllm.families.family import Family
from tinyllm.families.reading import described, heads_of_their_own, kind_without_window, refuse

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

NO_LIMIT = 1 << 20  # tokens: ALiBi has none of its own


def describe(config: PreTrainedConfig) -> DecoderConfig:
    """Read a `BloomConfig`. Raises ValueError naming what we do not have."""
    refuse(config, apply_residual_connection_post_layernorm=False)
    return described(
        config,
        "bloom",
        intermediate_size=4 * config.hidden_size,
        max_position_embeddings=NO_LIMIT,
        norm_eps=config.layer_norm_epsilon,
        kinds=(kind_without_window(config, None),),
        activation="gelu_pytorch_tanh",
        gated=False,
        **heads_of_their_own(config),
        qkv_bias=True,
        qkv_per_head=True,
        o_bias=True,
        mlp_bias=True,
        layer_norm=True,
        alibi=True,
        embedding_norm=True,
    )


LAYER = "transformer.h.{i}"
BLOOM = Family(
    name="bloom",
    architectures={"bloom": "BloomForCausalLM"},
    describe=describe,
    modules={
        "embed_tokens": ("transformer.word_embeddings",),
        "embed_tokens.norm": ("transformer.word_embeddings_layernorm",),
        "layers.{i}.attention_norm": (f"{LAYER}.input_layernorm",),
        "layers.{i}.qkv_proj": (f"{LAYER}.self_attention.query_key_value",),
        "layers.{i}.o_proj": (f"{LAYER}.self_attention.dense",),
        "layers.{i}.mlp_norm": (f"{LAYER}.post_attention_layernorm",),
        "layers.{i}.gate_up_proj": (f"{LAYER}.mlp.dense_h_to_4h",),
        "layers.{i}.down_proj": (f"{LAYER}.mlp.dense_4h_to_h",),
        "norm": ("transformer.ln_f",),
        "lm_head": ("lm_head",),
    },
    models="Bloom, Bloomz",
    refused="residuals taken after the norm",
)
