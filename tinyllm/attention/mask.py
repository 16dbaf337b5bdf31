"""Where tokens stand, and who may look at whom: computed once per forward pass, from the padding mask."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from tinyllm.config import DecoderConfig
from tinyllm.ops.cost import Cost, Workload, launch


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


def bias_elements(config: DecoderConfig, work: Workload) -> int:
    """Elements of the bias that `attention_bias` makes for the first kind of layer; 0 where it makes none."""
    whole = config.score_softcap is None and (work.tokens == 1 or not work.held)
    near = hides_something(config.kinds[0].window, work)
    if not (work.padded or config.alibi or near) and (whole or work.tokens == 1):
        return 0
    heads, batch = config.num_attention_heads if config.alibi else 1, work.batch if work.padded else 1
    return batch * heads * work.tokens * work.total


def hides_something(window: int | None, work: Workload) -> bool:
    """Whether a window is shorter than what there is to see."""
    return window is not None and window < work.total


def position_cost(config: DecoderConfig, work: Workload) -> Cost:
    """What `grown_mask`, `token_positions` and every `attention_bias` move where only a prompt comes with a mask."""
    b, t, row = work.batch, work.tokens, 8 * work.batch * work.total
    cost = sum((bias_cost(config.of_kind(kind), work) for kind in kinds_of_windows(config)), Cost())
    if not work.padded:
        return cost + launch(write=8 * t)
    cost += launch(read=row, write=row) * 3  # cumsum, - 1, clamp
    grown = launch(write=8 * b * t) + launch(read=row, write=row)  # ones, cat
    return cost + grown if work.held else cost


def kinds_of_windows(config: DecoderConfig) -> list[int]:
    """A kind of layer for every window that there is."""
    return list({kind.window: number for number, kind in enumerate(config.kinds)}.values())


def bias_cost(config: DecoderConfig, work: Workload) -> Cost:
    """What `attention_bias` moves for the first kind of layer."""
    if not bias_elements(config, work):
        return Cost()
    b, t, total, size = work.batch if work.padded else 1, work.tokens, work.total, work.size
    square, scores = t * total, b * t * total
    compare = launch(read=8 * (total + t), write=square)
    cost = launch(write=8 * total) + compare  # arange, <=
    if hides_something(config.kinds[0].window, work):
        cost += launch(read=8 * t, write=8 * t) + compare + launch(read=2 * square, write=square)  # -, >, &
    if work.padded:
        cost += (
            compare  # ==
            + launch(read=8 * b * total, write=b * total)  # to bool
            + launch(read=square + b * total, write=scores)  # &
            + launch(read=square + scores, write=scores)  # |
        )
    cost += (
        launch(read=scores, write=scores)  # ~
        + launch(write=size * scores)  # zeros
        + launch(read=(size + 1) * scores, write=size * scores)  # masked_fill_
    )
    return cost + (_alibi_cost(config, work) if config.alibi else Cost())


def _alibi_cost(config: DecoderConfig, work: Workload) -> Cost:
    b, h, size = work.batch if work.padded else 1, config.num_attention_heads, work.size
    row, scores = 8 * b * work.total, b * work.tokens * work.total
    where = launch(read=row, write=row) * 3 if work.padded else launch(write=row)
    narrow = launch(read=4 * h * scores, write=size * h * scores) if size != 4 else Cost()
    return (
        where
        + launch(read=row + 8 * b * work.tokens, write=8 * scores)  # how many tokens lie in between
        + launch(read=4 * h + 8 * scores, write=4 * h * scores)  # * slope
        + narrow
        + launch(read=size * (scores + h * scores), write=size * h * scores)  # -
    )
