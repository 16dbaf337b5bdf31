"""Where tokens stand, and who may look at whom: computed once per forward pass, from the padding mask."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from tinyllm.config import DecoderConfig
from tinyllm.ops.cost import Cost, Workload, launch


def token_positions(
    attention_mask: Int[Tensor, "b total"] | None, held: int, tokens: int, device: torch.device
) -> Int[Tensor, "#b tokens"]:
    """Positions of the last `tokens` tokens, counted from the first that is not padding."""
    if attention_mask is None:
        return torch.arange(held, held + tokens, device=device)[None]
    return (attention_mask.cumsum(-1) - 1).clamp(min=0)[:, -tokens:]


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


def position_cost(config: DecoderConfig, work: Workload) -> Cost:
    """What `token_positions` and `attention_bias` move."""
    b, t, total = work.batch, work.tokens, work.total
    if not work.padded:
        return launch(write=8 * t)
    row, square, scores = 8 * b * total, t * total, b * t * total
    compare = launch(read=8 * (total + t), write=square)
    return (
        launch(read=row, write=row) * 3  # cumsum, - 1, clamp
        + launch(write=8 * total)  # arange
        + compare * 2  # <=, ==
        + launch(read=row, write=b * total)  # to bool
        + launch(read=square + b * total, write=scores)  # &
        + launch(read=square + scores, write=scores)  # |
        + launch(read=scores, write=scores)  # ~
        + launch(write=work.size * scores)  # zeros
        + launch(read=(work.size + 1) * scores, write=work.size * scores)  # masked_fill_
    )
