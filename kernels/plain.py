"""The kernels in torch's own operations: for a device that has no code of ours, and to compare ours with.

Names, arguments and meaning of every kernel set are those of `tinyllm.check.references`.
"""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from .partial import Partial, attend_partly, merged, spelled_out, visible_bias

ACTIVATIONS = {
    "silu": F.silu,
    "gelu": F.gelu,
    "gelu_pytorch_tanh": partial(F.gelu, approximate="tanh"),
    "relu": F.relu,
}


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """Torch fuses this on CUDA; on a CPU it is the six operations of the naive one."""
    return F.rms_norm(x, weight.shape, weight, eps)


def add_rms_norm(x: Tensor, residual: Tensor, weight: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """The sum, and its RMSNorm."""
    total = x + residual
    return total, rms_norm(total, weight, eps)


def norm_and_add(x: Tensor, residual: Tensor, weight: Tensor, eps: float) -> Tensor:
    """The norm, and the sum."""
    return residual + rms_norm(x, weight, eps)


def layer_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    """One operation in torch, everywhere."""
    return F.layer_norm(x, weight.shape, weight, bias, eps)


def add_layer_norm(x: Tensor, residual: Tensor, weight: Tensor, bias: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """The sum, and its LayerNorm."""
    total = x + residual
    return total, layer_norm(total, weight, bias, eps)


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
    norms: object | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Half tables instead of whole ones, results written where they belong: no negation, no cat."""
    if norms is not None:  # heads behind tokens, as they lie in memory
        q, k = (
            rms_norm(x.transpose(1, 2), weight, norms.eps).transpose(1, 2) for x, weight in ((q, norms.q), (k, norms.k))
        )
    rotated, first = torch.empty_like(q), 0 if start is None else int(start)
    for x, out in ((q, rotated), (k, k_slot[:, :, first : first + k.shape[2]])):
        _rotate_into(out, x, cos[:, None], sin[:, None], interleaved)
    v_slot[:, :, first : first + v.shape[2]] = v
    return rotated, k_slot, v_slot


def _rotate_into(out: Tensor, x: Tensor, cos: Tensor, sin: Tensor, interleaved: bool) -> None:
    size = 2 * cos.shape[-1]
    (first, second), (out_first, out_second) = (_pairs(t[..., :size], interleaved) for t in (x, out))
    torch.addcmul(first * cos, second, sin, value=-1, out=out_first)
    torch.addcmul(second * cos, first, sin, out=out_second)
    if size < x.shape[-1]:
        out[..., size:].copy_(x[..., size:])


def _pairs(x: Tensor, interleaved: bool) -> tuple[Tensor, Tensor]:
    return (x[..., ::2], x[..., 1::2]) if interleaved else x.chunk(2, dim=-1)


def activate_and_multiply(gate_up: Tensor, activation: str) -> Tensor:
    """Two operations on the two halves of one matrix, the second in place."""
    gate, up = gate_up.chunk(2, dim=-1)
    return ACTIVATIONS[activation](gate).mul_(up)


def bias_and_activate(x: Tensor, bias: Tensor, activation: str) -> Tensor:
    """Two operations."""
    return ACTIVATIONS[activation](x + bias)


def linear(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    norm: object | None = None,
    activation: str | None = None,
    gated: bool = False,
    residuals: tuple[Tensor, ...] = (),
) -> Tensor:
    """Bias and one residual ride on the matrix product; norm and activation stand beside it."""
    if norm is not None:
        x = rms_norm(x, norm.weight, norm.eps) if norm.bias is None else layer_norm(x, norm.weight, norm.bias, norm.eps)
    if bias is None and activation is None and residuals:
        out, residuals = torch.addmm(residuals[0], x, weight.t()), residuals[1:]
    else:
        out = F.linear(x, weight, bias)
    if activation is not None:
        out = activate_and_multiply(out, activation) if gated else ACTIVATIONS[activation](out)
    for residual in residuals:
        out = out + residual
    return out


def follow(ancestry: Tensor, seen: None, parents: Tensor, lengths: Tensor) -> None:
    """Let every sequence go on from its parent, in the steps that were taken; the others stay everybody's own."""
    b, w, steps = ancestry.shape
    chosen = (parents % w).view(b, w, 1).expand_as(ancestry)
    taken = torch.arange(steps, dtype=torch.int32, device=ancestry.device) < lengths[1]
    own = torch.arange(w, dtype=torch.int32, device=ancestry.device)
    torch.where(taken, ancestry.gather(1, chosen), own[:, None], out=ancestry)


def seen_by(ancestry: Tensor) -> None:
    """Nothing is kept beside the ancestry."""


def segment_attention(
    q: Tensor,
    prompt_k: Tensor,
    prompt_v: Tensor,
    response_k: Tensor,
    response_v: Tensor,
    lengths: Tensor,
    ancestry: Tensor | None = None,
    positions: Tensor | None = None,
    slopes: Tensor | None = None,
    scale: float | None = None,
    softcap: float | None = None,
    window: int | None = None,
) -> Tensor:
    """Torch's own attention over each segment, every key read once, and the two merged."""
    (b, h, w, d), g, (t, steps) = q.shape, prompt_k.shape[1], lengths.tolist()
    grouped, scores = q.reshape(b, g, -1, d), (scale, softcap)
    first = 0 if window is None else max(0, t + steps - window)  # tokens before this one are out of sight
    where = None if positions is None else positions[:, :t]
    seen = None if where is None else where[:, None, None, first:] >= 0
    shifts = (None, None) if slopes is None else _shifts(slopes, where, t, steps, w, g)
    parts, begun = [], max(0, first - t)
    if first < t:
        shift = None if shifts[0] is None else shifts[0][..., first:]
        parts.append(_attend(grouped, (prompt_k[:, :, first:t], prompt_v[:, :, first:t]), seen, shift, scores))
    if steps:
        kv = response_k[:, :, begun * w : steps * w], response_v[:, :, begun * w : steps * w]
        seen = _on_path(ancestry, h // g, begun, steps, w, q.device) if w > 1 else None
        shift = None if shifts[1] is None else shifts[1][..., begun * w :]
        parts.append(_attend(grouped, kv, seen, shift, scores))
    return merged(parts).view(b, h, w, d).transpose(1, 2).reshape(b, w, h * d)


def _attend(q: Tensor, kv: tuple[Tensor, Tensor], seen: Tensor | None, shift: Tensor | None, scores: tuple) -> Partial:
    """One segment; with ALiBi, too large for 16 bits, in float32."""
    if shift is None:
        return attend_partly(q, kv, None if seen is None else visible_bias(seen, q.dtype), *scores)
    shift = shift if seen is None else shift.masked_fill(~seen, float("-inf"))
    out, log_sum = spelled_out(q.float(), *(x.float() for x in kv), shift, *scores)
    return Partial(out.to(q.dtype), log_sum)


def _shifts(slopes: Tensor, where: Tensor | None, t: int, steps: int, w: int, g: int) -> tuple[Tensor, Tensor]:
    """ALiBi of a prompt whose tokens stand at `where`, and of the steps after it: [#b, g, group * w, n] each."""
    where = torch.arange(t, device=slopes.device)[None] if where is None else where
    later = where[:, -1:] + (torch.arange(steps * w, device=slopes.device) // w + 1)
    slopes = slopes[:, None].expand(-1, w).reshape(1, g, -1, 1)
    return slopes * where[:, None, None], slopes * later[:, None, None]


def _on_path(ancestry: Tensor | None, group: int, begun: int, steps: int, w: int, device: torch.device) -> Tensor:
    """Which slots each row sees, [#b, 1, group * w, slots]: at every step from `begun` that of its own ancestor."""
    own = torch.arange(w, device=device)
    paths = own[None, :, None].expand(-1, -1, steps) if ancestry is None else ancestry[:, :, :steps]
    seen = paths[..., begun:, None] == own
    return seen.flatten(2)[:, None].repeat(1, 1, group, 1)
