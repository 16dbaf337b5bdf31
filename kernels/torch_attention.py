"""Attention over some of the keys, in torch: the result and the log-sum-exp by which parts are merged.

Two parts of one softmax are merged exactly by the logarithms of their sums (FlashDecoding; notebook 10).
"""

from __future__ import annotations

from functools import reduce
from typing import NamedTuple

import torch
from torch import Tensor

aten = torch.ops.aten
ALIGNMENT = 8  # elements; CUDA's attention kernels refuse a bias whose rows start anywhere else
MANY_HEADS = 512  # requests times key/value heads, from which cuDNN's kernel pays for its planning


class PartialAttention(NamedTuple):
    """Attention over some of the keys, [b, g, rows, d], and the log-sum-exp of their scores, [b, g, rows]."""

    out: Tensor
    lse: Tensor


def bias_of_mask(visible: Tensor, dtype: torch.dtype) -> Tensor:
    """0 where visible, minus infinity where not: the logarithm. Rows start on a multiple of `ALIGNMENT` elements."""
    return torch.log(visible, out=_aligned_empty(visible.shape, dtype, visible.device))


def align_rows(bias: Tensor) -> Tensor:
    """A copy whose rows start on a multiple of `ALIGNMENT` elements."""
    return _aligned_empty(bias.shape, bias.dtype, bias.device).copy_(bias)


def _aligned_empty(shape: torch.Size, dtype: torch.dtype, device: torch.device) -> Tensor:
    *leading, n = shape
    padded = -(-n // ALIGNMENT) * ALIGNMENT
    return torch.empty(*leading, padded, dtype=dtype, device=device)[..., :n]


def merge_by_lse(parts: list[PartialAttention]) -> Tensor:
    """Attention over all keys, from that over disjoint parts: exact, in any order."""
    *first, last = parts
    if not first:
        return last.out
    return _weighted_mean(reduce(_merge, first), last)


def _merge(a: PartialAttention, b: PartialAttention) -> PartialAttention:
    return PartialAttention(_weighted_mean(a, b), torch.logaddexp(a.lse, b.lse))


def _weighted_mean(a: PartialAttention, b: PartialAttention) -> Tensor:
    weight_b = (b.lse - a.lse).sigmoid()[..., None]  # e^b / (e^a + e^b)
    return torch.lerp(a.out, b.out, weight_b.to(a.out.dtype))


def by_sequence(x: Tensor, w: int) -> Tensor:
    """[b, g, n * w, d] as [b * g, w, n, d], in place where it can be: the `n` rows or slots of every sequence."""
    return x.unflatten(2, (-1, w)).flatten(0, 1).transpose(1, 2)


def by_request(part: PartialAttention, q: Tensor) -> PartialAttention:
    """Attention of `by_sequence(q, w)` as that of q [b, g, n * w, d]."""
    out = part.out.transpose(1, 2).reshape(q.shape)
    lse = part.lse.transpose(1, 2).reshape(q.shape[:-1])
    return PartialAttention(out, lse)


def attention_with_lse(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    bias: Tensor | None,
    scale: float | None = None,
    softcap: float | None = None,
    *,
    fixed_length: bool = False,
) -> PartialAttention:
    """q [b, g, rows, d] over k and v [b, g, n, d]; bias [b, 1, 1 or rows, n]. Moves 2*g*n*d*s bytes a request.

    `fixed_length`: the next step has as many keys, so that a kernel may plan for this number.
    """
    device = q.device.type
    if (
        softcap is not None
        or device not in ("cpu", "cuda")
        or (device == "cuda" and q.shape[-1] % 8)
    ):
        return unfused_attention(q, k, v, bias, scale, softcap)
    if device == "cpu":
        flash = aten._scaled_dot_product_flash_attention_for_cpu(
            q, k, v, attn_mask=bias, scale=scale
        )
        return PartialAttention(*flash)
    if (
        fixed_length
        and len(q) * q.shape[1] >= MANY_HEADS
        and q.shape[-1] <= 128
        and q.dtype != torch.float32
    ):
        return _cudnn_attention(q, k, v, bias, scale)
    if bias is not None or q.dtype == torch.float32:
        return _memory_efficient_attention(q, k, v, bias, scale)
    out, lse, *_ = aten._scaled_dot_product_flash_attention(q, k, v, scale=scale)
    return PartialAttention(out, lse)


def _cudnn_attention(
    q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None, scale: float | None
) -> PartialAttention:
    """The fastest reader, but it plans for 60 ms whenever a shape is new (H200)."""
    bias = _expanded(bias, q, k)
    out, lse, *_ = aten._scaled_dot_product_cudnn_attention(
        q, k, v, bias, compute_log_sumexp=True, scale=scale
    )
    return PartialAttention(out, lse[..., 0])


def _memory_efficient_attention(
    q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None, scale: float | None
) -> PartialAttention:
    bias = _expanded(bias, q, k)
    out, lse, *_ = aten._scaled_dot_product_efficient_attention(
        q, k, v, bias, compute_log_sumexp=True, scale=scale
    )
    return PartialAttention(out, lse[..., : q.shape[2]])  # the kernel pads the rows


def _expanded(bias: Tensor | None, q: Tensor, k: Tensor) -> Tensor | None:
    b, g, rows, _ = q.shape
    return None if bias is None else bias.expand(b, g, rows, k.shape[2])


def unfused_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    bias: Tensor | None,
    scale: float | None = None,
    softcap: float | None = None,
) -> PartialAttention:
    """The same operation by operation: where no kernel of torch returns its log-sum-exp, or soft-caps the scores."""
    scale = q.shape[-1] ** -0.5 if scale is None else scale
    products = (q @ k.mT).float()
    scores = (
        products * scale if softcap is None else torch.tanh(products * (scale / softcap)) * softcap
    )
    scores = scores if bias is None else scores + bias
    lse = scores.logsumexp(dim=-1)
    return PartialAttention((scores - lse[..., None]).exp().to(v.dtype) @ v, lse)


def attend(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    visible: Tensor | None,
    alibi: Tensor | None,
    *,
    scale: float | None,
    softcap: float | None,
) -> PartialAttention:
    """One segment: `attention_with_lse` over its `visible` keys, None for all.

    In float32 with ALiBi, whose bias is too large for 16 bits.
    """
    if alibi is None:
        bias = None if visible is None else bias_of_mask(visible, q.dtype)
        return attention_with_lse(q, k, v, bias, scale, softcap)
    bias = alibi if visible is None else alibi.masked_fill(~visible, float("-inf"))
    out, lse = unfused_attention(q.float(), k.float(), v.float(), bias, scale, softcap)
    return PartialAttention(out.to(q.dtype), lse)


def alibi_of_segments(
    slopes: Tensor | None, positions: Tensor | None, t: int, steps: int, q_shape: torch.Size, g: int
) -> tuple[Tensor | None, Tensor | None]:
    """ALiBi's bias of the prompt's tokens [#b, g, group * w, t], of a sequence's steps [b * g, 1, group, steps]."""
    if slopes is None:
        return None, None
    b, _, w, _ = q_shape
    if positions is None:
        positions = torch.arange(t, dtype=torch.int64, device=slopes.device)[None]
    step = torch.arange(1, steps + 1, dtype=torch.int64, device=slopes.device)
    response_positions = positions[:, -1:] + step
    prompt = slopes[:, None].expand(-1, w).reshape(1, g, -1, 1) * positions[:, None, None]
    response = slopes.view(1, g, -1, 1) * response_positions[:, None, None]
    return prompt, response.expand(b, -1, -1, -1).flatten(0, 1)[:, None]


def slots_of_paths(beam_index: Tensor) -> Tensor:
    """The slots that sequences read, [b, steps * w]: those of a step side by side, as the sequences write them."""
    _, w, steps = beam_index.shape
    first_slots = torch.arange(0, steps * w, w, dtype=torch.int32, device=beam_index.device)
    return (beam_index + first_slots).transpose(1, 2).flatten(1)


def select_slots(x: Tensor, slots: Tensor) -> Tensor:
    """A copy of these slots [b, n] of x [b, g, slots, d]."""
    b, g, _, d = x.shape
    out = x.new_empty(b, g, slots.shape[1], d)
    for request in range(b):
        torch.index_select(x[request], 1, slots[request], out=out[request])
    return out
