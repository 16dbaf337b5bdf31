"""Who may look at whom, as a term added to the attention scores."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor


def attention_bias(
    attention_mask: Int[Tensor, "b total"], tokens: int, dtype: torch.dtype
) -> Float[Tensor, "b 1 tokens total"]:
    """0 where the last `tokens` of `total` positions may look, minus infinity where not: the future, and padding.

    A padding token sees itself, so that no row of the softmax is empty; nothing else sees it.
    """
    total = attention_mask.shape[1]
    key = torch.arange(total, device=attention_mask.device)
    query = key[total - tokens :, None]
    seen = (key <= query) & attention_mask[:, None, None, :].bool() | (key == query)
    return torch.zeros(seen.shape, dtype=dtype, device=seen.device).masked_fill_(~seen, float("-inf"))
