"""OPT: learned positions, LayerNorm, ReLU, a bias on every matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinyllm.config import DecoderConfig
from tinyllm.families.family import Family
from tinyllm.families.reading import (
    activation,
    described,
    heads_of_their_own,
    kind_without_window,
    refuse,
)

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

OFFSET = 2  # rows of the table in front of the first position


def describe(config: PreTrainedConfig) -> DecoderConfig:
    """Read an `OPTConfig`. Raises ValueError naming what we do not have."""
    refuse(
        config,
        do_layer_norm_before=True,
        _remove_final_layer_norm=False,
        layer_norm_elementwise_affine=True,
        word_embed_proj_dim=config.hidden_size,
    )
    return described(
        config,
        "opt",
        intermediate_size=config.ffn_dim,
        norm_eps=1e-5,
        kinds=(kind_without_window(config, None),),
        activation=activation(config.activation_function),
        gated=False,
        **heads_of_their_own(config),
        qkv_bias=config.enable_bias,
        o_bias=config.enable_bias,
        mlp_bias=config.enable_bias,
        layer_norm=True,
        learned_positions=config.max_position_embeddings + OFFSET,
        position_offset=OFFSET,
    )


LAYER, ATTENTION = "model.decoder.layers.{i}", "model.decoder.layers.{i}.self_attn"
OPT = Family(
    name="opt",
    architectures={"opt": "OPTForCausalLM"},
    describe=describe,
    modules={
        "embed_tokens": ("model.decoder.embed_tokens",),
        "embed_tokens.positions": ("model.decoder.embed_positions",),
        "layers.{i}.attention_norm": (f"{LAYER}.self_attn_layer_norm",),
        "layers.{i}.qkv_proj": (
            f"{ATTENTION}.q_proj",
            f"{ATTENTION}.k_proj",
            f"{ATTENTION}.v_proj",
        ),
        "layers.{i}.o_proj": (f"{ATTENTION}.out_proj",),
        "layers.{i}.mlp_norm": (f"{LAYER}.final_layer_norm",),
        "layers.{i}.gate_up_proj": (f"{LAYER}.fc1",),
        "layers.{i}.down_proj": (f"{LAYER}.fc2",),
        "norm": ("model.decoder.final_layer_norm",),
        "lm_head": ("lm_head",),
    },
    models="OPT",
    refused="350M: norms behind the blocks, projected embeddings",
)
