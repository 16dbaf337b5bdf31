"""Qwen2 and Qwen2.5 without a sliding window: Llama with biases on q, k and v alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tinyllm.config import DecoderConfig
from tinyllm.families import Family
from tinyllm.families.llama import LLAMA, described

if TYPE_CHECKING:
    from transformers import PreTrainedConfig


def describe(config: PreTrainedConfig) -> DecoderConfig:
    """Read a `Qwen2Config`. Raises ValueError naming what we do not have."""
    return described(config, "qwen2", qkv_bias=True)


QWEN2 = Family("qwen2", {"qwen2": "Qwen2ForCausalLM"}, describe, LLAMA.modules, LLAMA.buffers)
