"""GPT-NeoX and Pythia: attention and feed-forward block side by side, each behind its LayerNorm."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinyllm.config import DecoderConfig
from tinyllm.families.family import Family
from tinyllm.families.reading import (
    activation,
    described,
    head_dim,
    heads_of_their_own,
    kind_without_window,
    rope,
)

if TYPE_CHECKING:
    from transformers import PreTrainedConfig


def describe(config: PreTrainedConfig) -> DecoderConfig:
    """Read a `GPTNeoXConfig`. Raises ValueError naming what we do not have."""
    rotated = int(head_dim(config) * config.rope_parameters.get("partial_rotary_factor", 1.0))
    return described(
        config,
        "gpt_neox",
        norm_eps=config.layer_norm_eps,
        kinds=(kind_without_window(config, rope(config.rope_parameters, rotated)),),
        activation=activation(config.hidden_act),
        gated=False,
        **heads_of_their_own(config),
        qkv_bias=config.attention_bias,
        qkv_per_head=True,
        o_bias=config.attention_bias,
        mlp_bias=True,
        layer_norm=True,
        parallel=config.use_parallel_residual,
    )


LAYER = "gpt_neox.layers.{i}"
GPT_NEOX = Family(
    name="gpt_neox",
    architectures={"gpt_neox": "GPTNeoXForCausalLM"},
    describe=describe,
    modules={
        "embed_tokens": ("gpt_neox.embed_in",),
        "layers.{i}.attention_norm": (f"{LAYER}.input_layernorm",),
        "layers.{i}.qkv_proj": (f"{LAYER}.attention.query_key_value",),
        "layers.{i}.o_proj": (f"{LAYER}.attention.dense",),
        "layers.{i}.mlp_norm": (f"{LAYER}.post_attention_layernorm",),
        "layers.{i}.gate_up_proj": (f"{LAYER}.mlp.dense_h_to_4h",),
        "layers.{i}.down_proj": (f"{LAYER}.mlp.dense_4h_to_h",),
        "norm": ("gpt_neox.final_layer_norm",),
        "lm_head": ("lm_head",),
    },
    renamed={"embed_out.": "lm_head."},
    models="GPT-NeoX, Pythia",
)
