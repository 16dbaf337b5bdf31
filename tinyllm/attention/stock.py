"""Attention as torch ships it: `scaled_dot_product_attention` over a contiguous cache."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from tinyllm.attention import PLAIN, Scores


@runtime_checkable
class KeysAndValues(Protocol):
    """A layer's cache whose keys and values lie in one tensor each."""

    k: Float[Tensor, "b g total d"]
    v: Float[Tensor, "b g total d"]


def stock_attention(
    q: Float[Tensor, "b h t d"],
    kv: KeysAndValues,
    bias: Float[Tensor, "#b #h t total"] | None,
    scores: Scores = PLAIN,
) -> Float[Tensor, "b t n"]:
    """Softmax(q k^T / sqrt(d) + bias) v, the heads laid side by side: `n = h * d`.

    A single query token needs no causal mask, so the query heads that share a key/value head become the rows
    of one product: keys and values are never repeated. The window of `scores` is part of the bias already.
    """
    (b, h, t, d), g = q.shape, kv.k.shape[1]
    if scores.softcap is not None:
        return bent_attention(q, kv, bias, scores)
    if t == 1:
        own = bias if bias is None or bias.shape[1] == 1 else bias.reshape(len(bias), g, h // g, -1)
        rows = F.scaled_dot_product_attention(q.reshape(b, g, -1, d), kv.k, kv.v, attn_mask=own, scale=scores.scale)
        return rows.reshape(b, 1, h * d)
    out = F.scaled_dot_product_attention(
        q, kv.k, kv.v, attn_mask=bias, is_causal=bias is None, scale=scores.scale, enable_gqa=True
    )
    return out.transpose(1, 2).reshape(b, t, h * d)


def bent_attention(
    q: Float[Tensor, "b h t d"], kv: KeysAndValues, bias: Float[Tensor, "#b 1 t total"] | None, scores: Scores
) -> Float[Tensor, "b t n"]:
    """The same with scores bent by a soft cap, which no kernel of torch's has: spelled out, in float32."""
    b, h, t, d = q.shape
    g, scale = kv.k.shape[1], d**-0.5 if scores.scale is None else scores.scale
    products = (q.reshape(b, g, -1, d) @ kv.k.mT).float() * (scale / scores.softcap)
    bent = (torch.tanh(products) * scores.softcap).view(b, h, t, -1)
    weights = (bent if bias is None else bent + bias).softmax(dim=-1).to(kv.v.dtype)
    return (weights.view(b, g, -1, kv.v.shape[2]) @ kv.v).view(b, h, t, d).transpose(1, 2).reshape(b, t, h * d)
