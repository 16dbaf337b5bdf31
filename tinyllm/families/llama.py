"""Llama 1, 2 and 3, SmolLM2, and Mistral without a sliding window."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinyllm.config import DecoderConfig, LinearScaling, Llama3Scaling, Rope
from tinyllm.families import Family
from tinyllm.ops.mlp import ACTIVATIONS

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

SCALINGS = {
    "default": lambda p: None,
    "linear": lambda p: LinearScaling(p["factor"]),
    "llama3": lambda p: Llama3Scaling(
        p["factor"], p["low_freq_factor"], p["high_freq_factor"], p["original_max_position_embeddings"]
    ),
}


def rope_of(config: PreTrainedConfig, dim: int) -> Rope:
    """The rotary embedding of `dim` elements of a head. Raises ValueError for a scaling we do not have."""
    parameters = config.rope_parameters
    kind = parameters.get("rope_type", "default")
    if kind not in SCALINGS:
        raise ValueError(f"rope_type {kind!r} is not supported: expected one of {sorted(SCALINGS)}")
    return Rope(theta=parameters["rope_theta"], dim=dim, scaling=SCALINGS[kind](parameters))


def describe(config: PreTrainedConfig) -> DecoderConfig:
    """Read a `LlamaConfig` or `MistralConfig`. Raises ValueError naming what we do not have."""
    bias = getattr(config, "attention_bias", False)
    return described(config, "llama", qkv_bias=bias, o_bias=bias, mlp_bias=getattr(config, "mlp_bias", False))


def described(config: PreTrainedConfig, family: str, *, rotated: float = 1.0, **biases: bool) -> DecoderConfig:
    """A decoder of RMSNorm, RoPE over a part of each head, and a gated feed-forward block, with the biases named.

    Raises ValueError naming what we do not have.
    """
    if getattr(config, "sliding_window", None) is not None:
        raise ValueError(f"sliding_window={config.sliding_window} is not supported: expected a model without one")
    if config.hidden_act not in ACTIVATIONS:
        raise ValueError(f"hidden_act {config.hidden_act!r} is not supported: expected one of {sorted(ACTIVATIONS)}")
    head_dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return DecoderConfig(
        family=family,
        vocab_size=config.vocab_size,
        hidden_size=config.hidden_size,
        intermediate_size=config.intermediate_size,
        num_hidden_layers=config.num_hidden_layers,
        num_attention_heads=config.num_attention_heads,
        num_key_value_heads=config.num_key_value_heads,
        head_dim=head_dim,
        max_position_embeddings=config.max_position_embeddings,
        norm_eps=config.rms_norm_eps,
        rope=rope_of(config, int(head_dim * rotated)),
        activation=config.hidden_act,
        tie_word_embeddings=config.tie_word_embeddings,
        **biases,
    )


ATTENTION, MLP = "model.layers.{i}.self_attn", "model.layers.{i}.mlp"

LLAMA = Family(
    name="llama",
    architectures={"llama": "LlamaForCausalLM", "mistral": "MistralForCausalLM"},
    describe=describe,
    modules={
        "embed_tokens": ("model.embed_tokens",),
        "layers.{i}.attention_norm": ("model.layers.{i}.input_layernorm",),
        "layers.{i}.qkv_proj": (f"{ATTENTION}.q_proj", f"{ATTENTION}.k_proj", f"{ATTENTION}.v_proj"),
        "layers.{i}.o_proj": (f"{ATTENTION}.o_proj",),
        "layers.{i}.mlp_norm": ("model.layers.{i}.post_attention_layernorm",),
        "layers.{i}.gate_up_proj": (f"{MLP}.gate_proj", f"{MLP}.up_proj"),
        "layers.{i}.down_proj": (f"{MLP}.down_proj",),
        "norm": ("model.norm",),
        "lm_head": ("lm_head",),
    },
    buffers=("rotary_emb.inv_freq",),
)
