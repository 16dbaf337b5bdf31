"""Phi-3 and Phi-4 without LongRoPE: Llama whose checkpoints store what we merge already merged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinyllm.config import DecoderConfig
from tinyllm.families.family import Family
from tinyllm.families.llama import ATTENTION, LLAMA, MLP, like_llama
from tinyllm.families.reading import head_dim, kind_with_window, rope

if TYPE_CHECKING:
    from transformers import PreTrainedConfig


def describe(config: PreTrainedConfig) -> DecoderConfig:
    """Read a `Phi3Config`, of which some rotate a part of each head. Raises ValueError naming what we do not have."""
    rotated = int(head_dim(config) * config.rope_parameters.get("partial_rotary_factor", 1.0))
    kind = kind_with_window(config, rope(config.rope_parameters, rotated))
    return like_llama(config, "phi3", kinds=(kind,))


MERGED = {
    "layers.{i}.qkv_proj": (f"{ATTENTION}.qkv_proj",),
    "layers.{i}.gate_up_proj": (f"{MLP}.gate_up_proj",),
}
PHI3 = Family(
    "phi3",
    {"phi3": "Phi3ForCausalLM"},
    describe,
    {**LLAMA.modules, **MERGED},
    models="Phi-3, Phi-4",
    refused="LongRoPE scaling",
)
