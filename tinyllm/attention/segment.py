"""Attention over separate memories: torch's own over each segment, merged by the logarithms of their sums."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from tinyllm.attention import PLAIN, Scores
from tinyllm.attention.stock import KeysAndValues, stock_attention
from tinyllm.kernels.partial import aligned, attend_partly, merged


@runtime_checkable
class KeysAndValuesInSegments(Protocol):
    """A layer's cache whose keys and values lie in a prompt and in the blocks of a response."""

    prompt: KeysAndValues

    @property
    def response(self) -> list[KeysAndValues]:
        """What has been written after the prompt, in order."""


def segment_attention(
    q: Float[Tensor, "b h t d"], kv: KeysAndValuesInSegments, bias: object, scores: Scores = PLAIN
) -> Float[Tensor, "b t n"]:
    """Softmax(q k^T / sqrt(d) + bias) v over prompt and response, the heads laid side by side: `n = h * d`.

    In the prompt, stock attention. After it, the `t` tokens of a row are sequences that share it: all query heads
    of all of them that use a key/value head are the rows of one product, so that every key is read once; those that
    a window leaves out of sight are not read.
    """
    if not kv.response:
        return stock_attention(q, kv.prompt, bias, scores)
    b, h, w, d = q.shape
    tokens, slots = kv.prompt.k.shape[2], sum(block.k.shape[2] for block in kv.response)
    hidden = 0 if scores.window is None else max(0, tokens + slots // w - scores.window)  # tokens out of sight
    grouped, how = q.reshape(b, kv.prompt.k.shape[1], -1, d), (scores.scale, scores.softcap)
    parts = [attend_partly(grouped, *in_sight(kv.prompt, bias.prompt, hidden), *how)] if hidden < tokens else []
    start, hidden = 0, max(0, hidden - tokens) * w
    for block in kv.response:
        end = start + block.k.shape[2]
        seen = None if bias.response is None else bias.response[..., start:end]
        if hidden < end:
            parts.append(attend_partly(grouped, *in_sight(block, seen, hidden - start), *how, growing=True))
        start = end
    out = merged(parts)
    return out.reshape(b, h, w, d).transpose(1, 2).reshape(b, w, h * d)


def in_sight(
    kv: KeysAndValues, bias: Float[Tensor, "#b #g #rows n"] | None, hidden: int
) -> tuple[tuple[Tensor, Tensor], Float[Tensor, "#b #g #rows seen"] | None]:
    """Keys and values without the first `hidden` of them, and what says who sees them."""
    if hidden <= 0:
        return (kv.k, kv.v), bias
    return (kv.k[:, :, hidden:], kv.v[:, :, hidden:]), None if bias is None else aligned(bias[..., hidden:])
