"""A Llama of two layers whose heads are as long as real ones: every kernel of a decode step takes part."""

from __future__ import annotations

import torch
from transformers import LlamaConfig, LlamaForCausalLM


def small_llama() -> LlamaForCausalLM:
    """In float32, with random weights from one seed."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=61,
        hidden_size=48,
        intermediate_size=80,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=64,
        initializer_range=0.4,
        attention_bias=True,
        eos_token_id=None,
        pad_token_id=0,
    )
    return LlamaForCausalLM(config).eval().requires_grad_(False)
