"""The meaning of each operation, in float64 and plain torch: the oracle of every implementation.

All arguments are float64 (`tinyllm.check` converts them); the code is written for clarity alone.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from tinyllm.kernels.kernel_set import KeyValueScales
from tinyllm.kernels.weights import DenseWeight, PackedRows

ACTIVATIONS = {
    "silu": lambda x: x / (1 + torch.exp(-x)),
    "gelu": lambda x: 0.5 * x * (1 + torch.erf(x / 2**0.5)),
    "gelu_pytorch_tanh": lambda x: (
        0.5 * x * (1 + torch.tanh((2 / torch.pi) ** 0.5 * (x + 0.044715 * x**3)))
    ),
    "relu": lambda x: x.clamp(min=0),
}


class NormWeights(NamedTuple):
    """The norm before a matmul: a LayerNorm with a bias, else an RMSNorm."""

    weight: Float[Tensor, " k"]
    bias: Float[Tensor, " k"] | None
    eps: float


class HeadNorms(NamedTuple):
    """RMSNorms of every head of q and of k, before they are rotated; weights [d]."""

    q: Float[Tensor, " d"]
    k: Float[Tensor, " d"]
    eps: float


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """x [r, m]: every row scaled to a root mean square of one."""
    return x / (x.square().mean(-1, keepdim=True) + eps).sqrt() * weight


def norm_and_add(x: Tensor, residual: Tensor, weight: Tensor, eps: float) -> Tensor:
    """residual [r, m] plus the RMSNorm of x [r, m]."""
    return residual + rms_norm(x, weight, eps)


def layer_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    """x [r, m]: every row shifted to mean zero and scaled to variance one."""
    centred = x - x.mean(-1, keepdim=True)
    return centred / (centred.square().mean(-1, keepdim=True) + eps).sqrt() * weight + bias


def rotate(x: Tensor, cos: Tensor, sin: Tensor, interleaved: bool) -> Tensor:
    """x [b, n, t, d]; cos and sin [b or 1, t, r / 2]: the first r elements of each head are rotated."""
    half = cos.shape[-1]
    rotary, kept = x[..., : 2 * half], x[..., 2 * half :]
    pairs = (
        rotary.unflatten(-1, (half, 2))
        if interleaved
        else rotary.unflatten(-1, (2, half)).transpose(-1, -2)
    )
    first, second, cos, sin = pairs[..., 0], pairs[..., 1], cos[:, None], sin[:, None]
    out = torch.stack([first * cos - second * sin, second * cos + first * sin], dim=-1)
    out = out if interleaved else out.transpose(-1, -2)
    return torch.cat([out.flatten(-2), kept], dim=-1)


def rope_and_store(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    cos: Tensor,
    sin: Tensor,
    k_slot: Tensor,
    v_slot: Tensor,
    interleaved: bool,
    start: Tensor | None = None,
    norms: HeadNorms | None = None,
    k_scale: Tensor | None = None,
    v_scale: Tensor | None = None,
) -> tuple[Tensor, ...]:
    """q [b, h, t, d] rotated; k [b, g, t, d] rotated into k_slot, v copied into v_slot, both returned.

    The slots are [b, g, t, d], or [b, g, n, d] with n > t, of which t from index `start` are written. With `norms`,
    every head of q and k is normalised before the rotation. With the scales [b, g, n] the slots are int8: rows are
    quantised, and the scales are returned too.
    """
    if norms is not None:
        q, k = rms_norm(q, norms.q, norms.eps), rms_norm(k, norms.k, norms.eps)
    first = 0 if start is None else int(start)
    slots = slice(first, first + k.shape[2])
    k_slot, v_slot = k_slot.clone(), v_slot.clone()
    k = rotate(k, cos, sin, interleaved)
    if k_scale is None:
        k_slot[:, :, slots], v_slot[:, :, slots] = k, v
        return rotate(q, cos, sin, interleaved), k_slot, v_slot
    k_scale, v_scale = k_scale.clone(), v_scale.clone()
    k_slot[:, :, slots], k_scale[:, :, slots] = quantize(k)
    v_slot[:, :, slots], v_scale[:, :, slots] = quantize(v)
    return rotate(q, cos, sin, interleaved), k_slot, v_slot, k_scale, v_scale


def quantize(x: Tensor) -> tuple[Tensor, Tensor]:
    """Rows [..., d] in int8, and their scales: the largest magnitude is 127."""
    scale = x.abs().amax(-1) / 127
    codes = torch.where(scale[..., None] > 0, x / scale[..., None], 0)
    return codes.round().to(torch.int8), scale


def activate_and_multiply(gate_up: Tensor, activation: str) -> Tensor:
    """gate_up [r, 2f]: activation(first half) * second half."""
    gate, up = gate_up.chunk(2, dim=-1)
    return ACTIVATIONS[activation](gate) * up


def bias_and_activate(x: Tensor, bias: Tensor, activation: str) -> Tensor:
    """x [r, f]: activation(x + bias)."""
    return ACTIVATIONS[activation](x + bias)


def linear(
    x: Tensor,
    weight: DenseWeight,
    bias: Tensor | None = None,
    norm: NormWeights | None = None,
    activation: str | None = None,
    gated: bool = False,
    residuals: tuple[Tensor, ...] = (),
) -> Tensor:
    """x [r, k] times weight [n, k]: norm before; bias, activation (gated: [r, n / 2]), residuals after."""
    if norm is not None:
        x = rms_norm(x, norm.weight, norm.eps) if norm.bias is None else layer_norm(x, *norm)
    out = F.linear(x, weight.data, bias)
    if gated:
        out = activate_and_multiply(out, activation)
    elif activation is not None:
        out = ACTIVATIONS[activation](out)
    return out + sum(residuals) if residuals else out


def unpack(rows: PackedRows, first: int, last: int, dtype: torch.dtype) -> Tensor:
    """Rows `first` to `last` of a packed matrix."""
    return rows.unpack(first, last).double()


def qkv_rope_and_store(
    x: Tensor,
    weight: DenseWeight,
    bias: Tensor | None,
    norm: NormWeights | None,
    cos: Tensor,
    sin: Tensor,
    k_slot: Tensor,
    v_slot: Tensor,
    interleaved: bool,
    start: Tensor | None = None,
    per_head: bool = False,
) -> tuple[Tensor, Tensor, Tensor]:
    """`linear` of x [b, t, m] with the stacked weights of q, k and v, then `rope_and_store`; q is [b, h, t, d].

    The rows of the weights are those of q, then k, then v; with `per_head`, q, k and v of one head after another.
    """
    (b, t, _), (_, g, _, d) = x.shape, k_slot.shape
    heads = linear(x.flatten(0, 1), weight, bias, norm).view(b, t, -1, d).transpose(1, 2)
    stacked = heads.split([heads.shape[1] - 2 * g, g, g], dim=1)
    q, k, v = heads.unflatten(1, (g, 3)).unbind(2) if per_head else stacked
    return rope_and_store(q, k, v, cos, sin, k_slot, v_slot, interleaved, start)


def attention(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None = None) -> Tensor:
    """softmax(q k^T / sqrt(d) + bias) v for q [b, h, t, d] over k, v [b, g, total, d]; returns [b, t, h * d]."""
    group = q.shape[1] // k.shape[1]
    k, v = k.repeat_interleave(group, dim=1), v.repeat_interleave(group, dim=1)
    scores = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
    weights = (scores if bias is None else scores + bias).softmax(dim=-1)
    return (weights @ v).transpose(1, 2).flatten(-2)


def segment_attention(
    q: Tensor,
    prompt_k: Tensor,
    prompt_v: Tensor,
    response_k: Tensor,
    response_v: Tensor,
    lengths: Tensor,
    beam_index: Tensor | None = None,
    prompt_positions: Tensor | None = None,
    slopes: Tensor | None = None,
    scale: float | None = None,
    softcap: float | None = None,
    window: int | None = None,
    scales: KeyValueScales | None = None,
) -> Tensor:
    """Attention of every sequence over its request's prompt and over the response slots in its beam index.

    q [b, h, w, d]; prompts [b, g, at least t, d]; responses [b, g, at least steps * w, d], the w slots of a step side
    by side; lengths, int32: t and steps. beam_index [b, w, at least steps], int32: the slot that each sequence reads in
    each step; without it, every sequence reads its own. prompt_positions [b, at least t], int32: the position of each
    prompt token, negative for padding, which is never read; the response continues after the last. slopes [h], float32:
    ALiBi, slope * position is added to a score. scale: 1 / sqrt(d) by default. softcap: a scaled score s becomes
    softcap * tanh(s / softcap), before a bias is added. window: only the last `window` tokens of prompt and response
    are visible, the query's own among them. scales: keys and values are int8, each times its scale. Returns
    [b, w, h * d].
    """
    if scales is not None:
        keys_and_values = prompt_k, prompt_v, response_k, response_v
        both = zip(keys_and_values, scales, strict=True)
        prompt_k, prompt_v, response_k, response_v = (x * scale[..., None] for x, scale in both)
    (b, h, w, d), g, (t, steps) = q.shape, prompt_k.shape[1], lengths.tolist()
    out = q.new_empty(b, w, h * d)
    for r in range(b):
        where = torch.arange(t, dtype=torch.int64, device=q.device)
        if prompt_positions is not None:
            where = prompt_positions[r, :t].long()
        real = (where >= 0).nonzero()[:, 0]
        step = torch.arange(steps, dtype=torch.int64, device=q.device)
        where = torch.cat([where[real], int(where[-1]) + 1 + step])
        near = slice(None if window is None else -window, None)
        for j in range(w):
            path = step * w + (j if beam_index is None else beam_index[r, j, :steps])
            k, v = (
                torch.cat([prompt[r][:, real], response[r][:, path]], dim=1)[:, near]
                for prompt, response in ((prompt_k, response_k), (prompt_v, response_v))
            )
            scores = capped(q[r, :, j].view(g, -1, d) @ k.mT * (scale or d**-0.5), softcap)
            scores = (
                scores
                if slopes is None
                else scores + slopes.to(scores).view(g, -1, 1) * where[near]
            )
            out[r, j] = (scores.softmax(dim=-1) @ v).flatten()
    return out


def capped(scores: Tensor, softcap: float | None) -> Tensor:
    """Logit soft-capping: scores limited to the range from -softcap to softcap."""
    return scores if softcap is None else softcap * torch.tanh(scores / softcap)


def prefill_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    positions: Tensor | None = None,
    slopes: Tensor | None = None,
    scale: float | None = None,
    softcap: float | None = None,
    window: int | None = None,
) -> Tensor:
    """Causal attention: q [b, h, t, d], whose own keys are the last t of k and v [b, g, n, d].

    positions [b, n] are prompt_positions; slopes, scale, softcap and window are those of `segment_attention`. A padding
    token is visible to itself alone. Returns [b, t, h * d].
    """
    (b, h, t, d), (_, g, n, _) = q.shape, k.shape
    key = torch.arange(n, dtype=torch.int64, device=q.device)
    query = key[n - t :, None]
    where = key.expand(b, n) if positions is None else positions
    near = key <= query if window is None else (key <= query) & (key > query - window)
    visible = near & (where >= 0)[:, None, :] | (key == query)
    scores = capped(q.view(b, g, h // g, t, d) @ k[:, :, None].mT * (scale or d**-0.5), softcap)
    scores = (
        scores
        if slopes is None
        else scores + slopes.to(scores).view(g, -1, 1, 1) * where[:, None, None, None, :]
    )
    weights = scores.masked_fill(~visible[:, None, None], float("-inf")).softmax(dim=-1)
    return (weights @ v[:, :, None]).flatten(1, 2).transpose(1, 2).flatten(2)
