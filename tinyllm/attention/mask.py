"""Where tokens stand, and who may look at whom: computed once per forward pass, from the padding mask."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor


def grown_mask(
    old: Int[Tensor, "b held"] | None, new: Int[Tensor, "b tokens"] | None, held: int, tokens: int
) -> Int[Tensor, "b total"] | None:
    """The mask of old and new tokens together; None stands for one without padding."""
    if held == 0 or (new is None and old is None):
        return new
    known = old if new is None else new
    ones = lambda length: torch.ones(len(known), length, dtype=known.dtype, device=known.device)  # noqa: E731
    return torch.cat([ones(held) if old is None else old, ones(tokens) if new is None else new], dim=1)


def token_positions(
    attention_mask: Int[Tensor, "b total"] | None, held: int, tokens: int, device: torch.device
) -> Int[Tensor, "#b tokens"]:
    """Positions of the last `tokens` tokens, counted from the first that is not padding."""
    if attention_mask is None:
        return torch.arange(held, held + tokens, device=device)[None]
    return (attention_mask.cumsum(-1) - 1).clamp(min=0)[:, -tokens:]


def attention_bias(
    attention_mask: Int[Tensor, "b total"] | None,
    held: int,
    tokens: int,
    like: Float[Tensor, ...],
    window: int | None = None,
    slopes: Float[Tensor, " h"] | None = None,
    always: bool = False,
) -> Float[Tensor, "#b #h tokens total"] | None:
    """0 where the last `tokens` of `total` positions may look, minus infinity where not: the future, and padding.

    With a `window`, what is further back than that is out of sight too; with `slopes` [h], ALiBi's (arXiv 2108.12409),
    a score falls with every token in between. A padding token sees itself, so that no row of the softmax is empty;
    nothing else sees it. None where torch's own causal mask says the same, unless `always`. `like` has the number
    format and the device of the keys.
    """
    total = held + tokens
    window = None if window is None or window >= total else window
    if attention_mask is None and window is None and slopes is None and (tokens == 1 or (held == 0 and not always)):
        return None
    key = torch.arange(total, device=like.device)
    query = key[total - tokens :, None]
    seen = key <= query if window is None else (key <= query) & (key > query - window)
    if attention_mask is None:
        seen = seen[None, None]
    else:
        seen = seen & attention_mask[:, None, None, :].bool() | (key == query)
    bias = torch.zeros(seen.shape, dtype=like.dtype, device=like.device).masked_fill_(~seen, float("-inf"))
    if slopes is None:
        return bias
    where = token_positions(attention_mask, 0, total, like.device)
    ages = where[:, None, total - tokens :, None] - where[:, None, None, :]
    return bias - (slopes[:, None, None] * ages).to(like.dtype)


def alibi_slopes(heads: int) -> Float[Tensor, " h"]:
    """ALiBi's slope of every head: powers of two, evenly spaced, and in between where their number is no power."""
    whole = 1 << (heads.bit_length() - 1)
    first = 2.0 ** (-8 / whole * torch.arange(1, whole + 1))
    between = 2.0 ** (-4 / whole * torch.arange(1, 2 * (heads - whole) + 1, 2))
    return torch.cat([first, between])
