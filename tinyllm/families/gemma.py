"""Gemma 2 and 3, text only: norms before and after each block, scaled embeddings, windows in most layers.

Gemma 2 bends scores and logits by soft caps; Gemma 3 normalises every head of q and k, and rotates the layers with a
window by another base than those without.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinyllm.config import DecoderConfig, LayerKind
from tinyllm.families.family import Family
from tinyllm.families.llama import HEAD_NORMS, LLAMA
from tinyllm.families.reading import activation, described, layers, refuse, rope_of_head, window

if TYPE_CHECKING:
    from transformers import PreTrainedConfig


def describe_2(config: PreTrainedConfig) -> DecoderConfig:
    """Read a `Gemma2Config`. Raises ValueError naming what we do not have."""
    rotary = rope_of_head(config, config.rope_parameters)
    own = {"score_softcap": config.attn_logit_softcapping}
    kinds = layers(config, lambda i: LayerKind(rotary, window(config, i)))
    return like_gemma(config, "gemma2", **own | kinds)


def describe_3(config: PreTrainedConfig) -> DecoderConfig:
    """Read a `Gemma3TextConfig`, whose class ignores `attn_logit_softcapping`.

    Raises ValueError naming what we do not have.
    """

    def kind(layer: int) -> LayerKind:
        parameters = config.rope_parameters[config.layer_types[layer]]
        return LayerKind(rope_of_head(config, parameters), window(config, layer))

    return like_gemma(config, "gemma3", head_norms=True, **layers(config, kind))


def like_gemma(config: PreTrainedConfig, family: str, **traits: Any) -> DecoderConfig:
    """What the two have in common."""
    if config.use_bidirectional_attention:
        refuse(config, use_bidirectional_attention=None)
    own = {
        "norm_eps": config.rms_norm_eps,
        "activation": activation(config.hidden_activation),
        "qkv_bias": config.attention_bias,
        "o_bias": config.attention_bias,
        "post_norms": True,
        "embedding_scale": config.hidden_size**0.5,
        "score_scale": config.query_pre_attn_scalar**-0.5,
        "logit_softcap": config.final_logit_softcapping,
    }
    return described(config, family, **own | traits)


LAYER = "model.layers.{i}"
MODULES = LLAMA.modules | {
    "layers.{i}.attention_post_norm": (f"{LAYER}.post_attention_layernorm",),
    "layers.{i}.mlp_norm": (f"{LAYER}.pre_feedforward_layernorm",),
    "layers.{i}.mlp_post_norm": (f"{LAYER}.post_feedforward_layernorm",),
}
GEMMA2 = Family(
    "gemma2",
    {"gemma2": "Gemma2ForCausalLM"},
    describe_2,
    MODULES,
    norm_shift=1.0,
    models="Gemma 2",
    refused="bidirectional attention",
)
GEMMA3 = Family(
    "gemma3",
    {"gemma3_text": "Gemma3ForCausalLM"},
    describe_3,
    MODULES | HEAD_NORMS,
    norm_shift=1.0,
    models="Gemma 3, text",
    refused="images, bidirectional attention",
)
