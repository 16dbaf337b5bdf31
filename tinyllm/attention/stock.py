"""Attention as torch ships it: `scaled_dot_product_attention`, on each segment, merged by log-sum-exp."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from tinyllm.attention.metadata import (
    AttentionOptions,
    DecodeMetadata,
    Metadata,
    PrefillMetadata,
    Segment,
    Segments,
    visible_range,
)
from tinyllm.kernels.torch_attention import (
    PartialAttention,
    align_rows,
    attention_with_lse,
    by_request,
    by_sequence,
    merge_by_lse,
)

NO_OPTIONS = AttentionOptions()


def stock_attention(
    q: Float[Tensor, "b h t d"],
    segments: Segments,
    metadata: Metadata,
    options: AttentionOptions = NO_OPTIONS,
) -> Float[Tensor, "b t hd"]:
    """Softmax(q k^T / sqrt(d) + bias) v over all segments, the heads side by side.

    With one segment there is nothing to merge, and torch's own attention is all (notebook 08); with
    two, each part comes with its log-sum-exp, by which they are merged exactly (notebook 09). Keys and values in int8
    are dequantised, those of one layer at a time.
    """
    if isinstance(metadata, PrefillMetadata):
        return prefill(q, segments[0], metadata, options)
    return decode(q, segments, metadata, options)


def prefill(
    q: Float[Tensor, "b h t d"],
    prompt: Segment,
    metadata: PrefillMetadata,
    options: AttentionOptions,
) -> Float[Tensor, "b t hd"]:
    """Causal attention of the last `t` tokens of a prompt."""
    b, h, t, d = q.shape
    k, v = prompt.part(0, metadata.length).dequantize(q.dtype)
    bias = metadata.bias(k, options)
    if options.softcap is not None:
        return softcapped_attention(q, k, v, bias, options)
    if t == 1:
        return one_token(q, k, v, bias, options)
    out = F.scaled_dot_product_attention(
        q, k, v, attn_mask=bias, is_causal=bias is None, scale=options.scale, enable_gqa=True
    )
    return out.transpose(1, 2).reshape(b, t, h * d)


def one_token(
    q: Float[Tensor, "b h 1 d"],
    k: Float[Tensor, "b g n d"],
    v: Float[Tensor, "b g n d"],
    bias: Float[Tensor, "#b #h 1 n"] | None,
    options: AttentionOptions,
) -> Float[Tensor, "b 1 hd"]:
    """A single query needs no causal mask: heads that share a key/value head are rows, keys are never repeated."""
    b, h, _, d = q.shape
    g = k.shape[1]
    if bias is not None and bias.shape[1] > 1:
        bias = bias.reshape(len(bias), g, h // g, -1)
    rows = q.reshape(b, g, -1, d)
    out = F.scaled_dot_product_attention(rows, k, v, attn_mask=bias, scale=options.scale)
    return out.reshape(b, 1, h * d)


def softcapped_attention(
    q: Float[Tensor, "b h t d"],
    k: Float[Tensor, "b g n d"],
    v: Float[Tensor, "b g n d"],
    bias: Float[Tensor, "#b 1 t n"] | None,
    options: AttentionOptions,
) -> Float[Tensor, "b t hd"]:
    """The same with soft-capped scores, which no kernel of torch has: operation by operation, in float32."""
    b, h, t, d = q.shape
    g, n = k.shape[1:3]
    scale = d**-0.5 if options.scale is None else options.scale
    scores = (q.reshape(b, g, -1, d) @ k.mT).float() * (scale / options.softcap)
    capped = (torch.tanh(scores) * options.softcap).view(b, h, t, n)
    weights = (capped if bias is None else capped + bias).softmax(dim=-1).to(v.dtype)
    out = (weights.view(b, g, -1, n) @ v).view(b, h, t, d)
    return out.transpose(1, 2).reshape(b, t, h * d)


def decode(
    q: Float[Tensor, "b h w d"],
    segments: Segments,
    metadata: DecodeMetadata,
    options: AttentionOptions,
) -> Float[Tensor, "b w hd"]:
    """One token of each of `w` sequences, which are rows of one matmul, so that every key is read once."""
    b, h, w, d = q.shape
    prompt, *responses = segments
    bias = metadata.bias(q)
    visible = visible_range(metadata.prompt_tokens, metadata.steps, options.window)
    if not responses:
        keys = prompt.part(visible.first_token, metadata.prompt_tokens)
        return one_segment(q, keys, visible_bias(bias.prompt, visible.first_token), options)
    grouped = q.reshape(b, prompt.k.shape[1], -1, d)
    parts = []
    if visible.first_token < metadata.prompt_tokens:
        keys = prompt.part(visible.first_token, metadata.prompt_tokens)
        prompt_bias = visible_bias(bias.prompt, visible.first_token)
        parts.append(segment_part(grouped, keys, prompt_bias, options, fixed_length=True))
    for response in responses:
        parts.append(
            response_part(grouped, response, bias.response, visible.first_step, metadata, options)
        )
    return merge_by_lse(parts).reshape(b, h, w, d).transpose(1, 2).reshape(b, w, h * d)


def one_segment(
    q: Float[Tensor, "b h 1 d"],
    segment: Segment,
    bias: Float[Tensor, "#b #h 1 n"] | None,
    options: AttentionOptions,
) -> Float[Tensor, "b 1 hd"]:
    """Nothing to merge: torch's own attention."""
    segment = segment.dequantize(q.dtype)
    if options.softcap is not None:
        return softcapped_attention(q, segment.k, segment.v, bias, options)
    return one_token(q, segment.k, segment.v, bias, options)


def visible_bias(
    bias: Float[Tensor, "#b #g #rows n"] | None, start: int
) -> Float[Tensor, "#b #g #rows visible"] | None:
    """The bias of the keys from `start` on, its rows aligned as kernels need it."""
    return bias if bias is None or start == 0 else align_rows(bias[..., start:])


def response_part(
    q: Float[Tensor, "b g rows d"],
    response: Segment,
    bias: Float[Tensor, "#b #g #rows n"] | None,
    first_step: int,
    metadata: DecodeMetadata,
    options: AttentionOptions,
) -> PartialAttention:
    """Beams attend to all slots of their request, of which a bias leaves each its path; others to their own alone."""
    w = metadata.copies
    keys = response.part(first_step * w, metadata.steps * w)
    if w == 1 or metadata.beam_index is not None:
        return segment_part(q, keys, visible_bias(bias, first_step * w), options)
    keys = keys.dequantize(q.dtype)
    own = Segment(by_sequence(keys.k, w), by_sequence(keys.v, w))
    bias = visible_bias(bias, first_step)
    if bias is not None:  # of the heads [1, g, group, steps]; every request has them
        bias = bias.expand(len(q), -1, -1, -1).flatten(0, 1)[:, None]
    return by_request(segment_part(by_sequence(q, w), own, bias, options), q)


def segment_part(
    q: Float[Tensor, "b g rows d"],
    segment: Segment,
    bias: Float[Tensor, "#b #g #rows n"] | None,
    options: AttentionOptions,
    *,
    fixed_length: bool = False,
) -> PartialAttention:
    """Attention over the keys of one segment, with its log-sum-exp."""
    segment = segment.dequantize(q.dtype)
    return attention_with_lse(
        q, segment.k, segment.v, bias, options.scale, options.softcap, fixed_length=fixed_length
    )
