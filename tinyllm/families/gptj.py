"""GPT-J: attention and feed-forward block side by side behind one LayerNorm, neighbours of a head rotated."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinyllm.config import DecoderConfig, Rope
from tinyllm.families.family import Family
from tinyllm.families.reading import activation, described, heads_of_their_own, kind_without_window

if TYPE_CHECKING:
    from transformers import PreTrainedConfig


def describe(config: PreTrainedConfig) -> DecoderConfig:
    """Read a `GPTJConfig`. Raises ValueError naming what we do not have."""
    rotary = Rope(10000.0, config.rotary_dim, interleaved=True)
    return described(
        config,
        "gptj",
        intermediate_size=config.n_inner or 4 * config.hidden_size,
        norm_eps=config.layer_norm_epsilon,
        kinds=(kind_without_window(config, rotary),),
        activation=activation(config.activation_function),
        gated=False,
        **heads_of_their_own(config),
        mlp_bias=True,
        head_bias=True,
        layer_norm=True,
        parallel=True,
        shared_norm=True,
    )


LAYER, ATTENTION = "transformer.h.{i}", "transformer.h.{i}.attn"
GPTJ = Family(
    name="gptj",
    architectures={"gptj": "GPTJForCausalLM"},
    describe=describe,
    modules={
        "embed_tokens": ("transformer.wte",),
        "layers.{i}.attention_norm": (f"{LAYER}.ln_1",),
        "layers.{i}.qkv_proj": (
            f"{ATTENTION}.q_proj",
            f"{ATTENTION}.k_proj",
            f"{ATTENTION}.v_proj",
        ),
        "layers.{i}.o_proj": (f"{ATTENTION}.out_proj",),
        "layers.{i}.gate_up_proj": (f"{LAYER}.mlp.fc_in",),
        "layers.{i}.down_proj": (f"{LAYER}.mlp.fc_out",),
        "norm": ("transformer.ln_f",),
        "lm_head": ("lm_head",),
    },
    models="GPT-J",
)
