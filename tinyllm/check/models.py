"""Checks a stage: its tokens against those of transformers, on a tiny random model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import torch

from tinyllm.check import Verdict
from tinyllm.drop_in import optimize
from tinyllm.stages import STAGES

if TYPE_CHECKING:
    from transformers import PreTrainedModel

NEW_TOKENS = 32
SIZES: dict[str, Any] = {
    "vocab_size": 257,
    "hidden_size": 96,
    "intermediate_size": 160,
    "num_hidden_layers": 3,
    "num_attention_heads": 6,
    "max_position_embeddings": 256,
    "initializer_range": 0.3,
    "bos_token_id": None,
    "eos_token_id": None,
    "pad_token_id": 0,
}
SHARED_KEYS, WINDOW = {"num_key_value_heads": 2, "head_dim": 32}, {"sliding_window": 8}
# Further settings by model type; all other types have SHARED_KEYS.
OWN: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "mistral": SHARED_KEYS | WINDOW,
        "gemma2": SHARED_KEYS | WINDOW,
        "gemma3_text": SHARED_KEYS | WINDOW | {"sliding_window_pattern": 2},
        "smollm3": {"num_key_value_heads": 2, "no_rope_layer_interval": 2},
        "gptj": {"rotary_dim": 8},
        "gpt_neox": {},
        "opt": {"ffn_dim": 160, "word_embed_proj_dim": 96, "init_std": 0.3},
        "bloom": {},
        "starcoder2": {"num_key_value_heads": 2} | WINDOW,
    }
)


def small_model(model_type: str = "llama") -> PreTrainedModel:
    """A small model of a transformers model type, with fixed random weights."""
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.for_model(model_type, **SIZES | OWN.get(model_type, SHARED_KEYS))
    attention = (
        {"attn_implementation": "eager"} if getattr(config, "attn_logit_softcapping", None) else {}
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return AutoModelForCausalLM.from_config(
            config, **attention
        ).eval()  # SDPA has no soft-capping


def check_stages(device: torch.device, model_type: str = "llama") -> Iterator[Verdict]:
    """Greedy tokens of every stage in float32, for a batch padded on the left."""
    oracle = small_model(model_type).to(device)
    generator = torch.Generator("cpu").manual_seed(0)
    input_ids = torch.randint(
        1, SIZES["vocab_size"], (3, 9), generator=generator, dtype=torch.int64, device="cpu"
    ).to(device)
    mask = torch.ones_like(input_ids)
    mask[0, :5] = mask[1, :1] = 0
    expected = oracle.generate(
        input_ids, attention_mask=mask, max_new_tokens=NEW_TOKENS, do_sample=False
    )
    for name in STAGES:
        got = optimize(oracle, stage=name).generate(
            input_ids, mask, max_new_tokens=NEW_TOKENS, do_sample=False
        )
        same = int((got == expected).sum())
        failure = (
            None
            if torch.equal(got, expected)
            else f"{expected.numel() - same} tokens differ from transformers'"
        )
        yield Verdict(f"{name} tokens", same, expected.numel(), 0.0, failure)
