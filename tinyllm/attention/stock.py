"""Attention as torch ships it: `scaled_dot_product_attention` over a contiguous cache."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from tinyllm.attention import PLAIN, Scores
from tinyllm.attention.mask import bias_elements
from tinyllm.config import DecoderConfig
from tinyllm.ops.cost import Cost, Workload, launch


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


def stock_attention_cost(config: DecoderConfig, work: Workload) -> Cost:
    """What `stock_attention` moves and computes; torch's kernel also writes a float32 log-sum-exp per row and head."""
    h, g, d, size = config.num_attention_heads, config.num_key_value_heads, config.head_dim, work.size
    q, bias = size * work.rows * h * d, size * bias_elements(config, work)
    kv, flops = size * work.batch * g * work.total * d, 4 * work.rows * h * work.total * d
    if config.score_softcap is not None:
        return bent_attention_cost(config, work, bias)
    log_sum_exp = 4 * work.rows * h
    return launch(read=q + bias, kv_read=2 * kv, write=q + log_sum_exp, flops=flops)


def bent_attention_cost(config: DecoderConfig, work: Workload, bias: int) -> Cost:
    """What `bent_attention` moves and computes, with so many bytes of bias."""
    h, g, d, size = config.num_attention_heads, config.num_key_value_heads, config.head_dim, work.size
    q, scores = size * work.rows * h * d, work.rows * h * work.total
    wide, kv, flops = 4 * scores, size * work.batch * g * work.total * d, 2 * scores * d
    copied = launch(read=q, write=q) if work.tokens > 1 else Cost()
    narrow = launch(read=size * scores, write=wide) + launch(read=wide, write=size * scores)
    return (
        copied * 2  # rows of a head side by side, before and after
        + launch(read=q, kv_read=kv, write=size * scores, flops=flops)
        + (narrow if size != 4 else Cost())
        + launch(read=wide, write=wide) * 3  # * scale, tanh, * softcap
        + (launch(read=wide + bias, write=wide) if bias else Cost())
        + launch(read=wide, write=wide)  # softmax
        + launch(read=size * scores, kv_read=kv, write=q, flops=flops)
    )
