"""Positions, causal masks and ALiBi's bias, from the padding mask."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int, Int32
from torch import Tensor

from tinyllm.config import DecoderConfig


def extend_mask(
    old: Int[Tensor, "b held"] | None, new: Int[Tensor, "b tokens"] | None, held: int, tokens: int
) -> Int[Tensor, "b total"] | None:
    """The mask of old and new tokens together; None stands for one without padding."""
    if held == 0 or (new is None and old is None):
        return new
    known = old if new is None else new

    def ones(length: int) -> Tensor:
        return torch.ones(len(known), length, dtype=known.dtype, device=known.device)

    parts = [ones(held) if old is None else old, ones(tokens) if new is None else new]
    return torch.cat(parts, dim=1)


def token_positions(
    attention_mask: Int[Tensor, "b total"] | None, held: int, tokens: int, device: torch.device
) -> Int[Tensor, "#b tokens"]:
    """Positions of the last `tokens` tokens, counted from the first that is not padding."""
    if attention_mask is None:
        return torch.arange(held, held + tokens, dtype=torch.int64, device=device)[None]
    return (attention_mask.cumsum(-1) - 1).clamp(min=0)[:, -tokens:]


def prompt_positions(mask: Int[Tensor, "b t"]) -> Int32[Tensor, "b t"]:
    """Positions of a prompt's tokens as kernels read them: negative for padding."""
    return (mask.cumsum(-1) * mask - 1).int()


def causal_bias(
    attention_mask: Int[Tensor, "b total"] | None,
    held: int,
    tokens: int,
    like: Float[Tensor, ...],
    *,
    window: int | None = None,
    slopes: Float[Tensor, " h"] | None = None,
    always: bool = False,
) -> Float[Tensor, "#b #h tokens total"] | None:
    """0 where the last `tokens` of `total` positions attend, minus infinity where not: the future, and padding.

    With a `window`, tokens further back are masked too; with `slopes` [h], ALiBi's (arXiv
    2108.12409), a score falls with every token in between. A padding token sees itself, so that no
    row of the softmax is empty; nothing else sees it. None where torch's own causal mask is the
    same, unless `always`. `like` has the dtype and device of the keys.
    """
    total = held + tokens
    window = None if window is None or window >= total else window
    plain = attention_mask is None and window is None and slopes is None
    if plain and (tokens == 1 or (held == 0 and not always)):
        return None
    key = torch.arange(total, dtype=torch.int64, device=like.device)
    query = key[total - tokens :, None]
    visible = key <= query if window is None else (key <= query) & (key > query - window)
    if attention_mask is None:
        visible = visible[None, None]
    else:
        visible = visible & attention_mask[:, None, None, :].bool() | (key == query)
    bias = torch.zeros(visible.shape, dtype=like.dtype, device=like.device)
    bias = bias.masked_fill_(~visible, float("-inf"))
    if slopes is None:
        return bias
    positions = token_positions(attention_mask, 0, total, like.device)
    distances = positions[:, None, total - tokens :, None] - positions[:, None, None, :]
    return bias - (slopes[:, None, None] * distances).to(like.dtype)


def alibi_slopes(heads: int, device: torch.device | str = "cpu") -> Float[Tensor, " h"]:
    """ALiBi's slope of every head: powers of two, evenly spaced, and in between where their number is no power."""
    power = 1 << (heads.bit_length() - 1)
    exponents = torch.arange(1, power + 1, dtype=torch.float32, device=device)
    between = torch.arange(1, 2 * (heads - power) + 1, 2, dtype=torch.float32, device=device)
    return torch.cat([2.0 ** (-8 / power * exponents), 2.0 ** (-4 / power * between)])


def slopes_of(
    config: DecoderConfig, device: torch.device | str = "cpu"
) -> Float[Tensor, " h"] | None:
    """ALiBi's slopes of the heads of a decoder, or of one rank's part of it; None without ALiBi."""
    if not config.alibi:
        return None
    if config.part is None:
        return alibi_slopes(config.num_attention_heads, device)
    own = config.part.heads
    return alibi_slopes(config.part.num_attention_heads, device)[own.start : own.stop]


def alibi_bias(
    slopes: Float[Tensor, " h"],
    distances: Int[Tensor, "#b n"],
    group: int,
    w: int,
    dtype: torch.dtype,
) -> Float[Tensor, "#b g rows n"]:
    """ALiBi's bias of keys at these distances, counted below zero; the rows of a head are its group's `w` sequences."""
    slopes = slopes[:, None].expand(-1, w).reshape(1, -1, group * w, 1)
    return (slopes * distances[:, None, None]).to(dtype)
