"""Is a whole stage right? Tokens against transformers, on a tiny random model made on the spot."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from tinyllm.api import optimize
from tinyllm.check import Verdict
from tinyllm.stages import STAGES

NEW_TOKENS = 32


def check_stages(device: torch.device) -> Iterator[Verdict]:
    """Greedy tokens of every stage in float32, for a batch padded on the left."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=257, hidden_size=96, intermediate_size=160, num_hidden_layers=3, num_attention_heads=6,
        num_key_value_heads=2, head_dim=32, initializer_range=0.3, eos_token_id=None, pad_token_id=0,
    )  # fmt: skip
    oracle = LlamaForCausalLM(config).to(device).eval()
    input_ids = torch.randint(1, 257, (3, 9), device=device)
    mask = torch.ones_like(input_ids)
    mask[0, :5] = mask[1, :1] = 0
    expected = oracle.generate(input_ids, attention_mask=mask, max_new_tokens=NEW_TOKENS, do_sample=False)
    for name in STAGES:
        got = optimize(oracle, stage=name).generate(input_ids, mask, max_new_tokens=NEW_TOKENS, do_sample=False)
        same = int((got == expected).sum())
        failure = None if torch.equal(got, expected) else f"{expected.numel() - same} tokens differ from transformers'"
        yield Verdict(f"{name} tokens", same, expected.numel(), 0.0, failure)
