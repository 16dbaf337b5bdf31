"""One launch between the QKV projection and attention."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from .arguments import alike, sized
from .runtime import runtime_of

HEADS_PER_GROUP = 8  # a work-group of one head would be one hardware thread


class HeadNorms(Protocol):
    """RMSNorms of every head of q and of k: weights [d], and eps."""

    q: Tensor
    k: Tensor
    eps: float


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
) -> tuple[Tensor, Tensor, Tensor]:
    """q [b, h, t, d] rotated; k [b, g, t, d] rotated into k_slot, v copied into v_slot, both returned.

    The slots are memory for t tokens; or for more, [b, g, n, d], of which those from number `start` are written, an
    int32 scalar that the device reads. With `norms`, every head of q and k is normalised first, in float32. cos and sin
    [b or 1, t, r / 2] are float32 and turn the first r elements of each head; the others are kept. All but the last
    axis may be strided. Raises ValueError.
    """
    (b, h, t, d), g = q.shape, k.shape[1]
    alike(q, k=k, v=v, k_slot=k_slot, v_slot=v_slot)
    slots = _slots(start, k_slot, q)
    for name, tensor, tokens in (("k", k, t), ("v", v, t), ("k_slot", k_slot, slots), ("v_slot", v_slot, slots)):
        sized(name, tensor, b, g, tokens, d)
    half, weights = _check_angles(cos, sin, q), _check_norms(norms, q)
    out, device = q.new_empty(q.shape), runtime_of(q.device)
    angle_batch = 0 if cos.shape[0] == 1 else cos.stride(0)
    kernel = device.kernel("rope", "rope_and_store", q.dtype)
    if q.numel():
        inputs = (q, *q.stride()[:3], k, *k.stride()[:3], v, *v.stride()[:3], cos, sin, angle_batch, cos.stride(1))
        results = (out, k_slot, *k_slot.stride()[:3], v_slot, *v_slot.stride()[:3])
        groups = (b * t, -(-(h + 2 * g) // HEADS_PER_GROUP))
        sizes = (h, g, t, d, half, interleaved)
        kernel(groups, (1, HEADS_PER_GROUP * device.lanes), *inputs, *results, start, *weights, *sizes)
    return out, k_slot, v_slot


def _slots(start: Tensor | None, k_slot: Tensor, q: Tensor) -> int:
    """The tokens that the slots are memory for."""
    if start is None:
        return q.shape[2]
    if start.dtype != torch.int32 or start.device != q.device or start.numel() != 1:
        given = f"{start.dtype} on {start.device}, shape {list(start.shape)}"
        raise ValueError(f"start is {given}, expected one torch.int32 on {q.device}")
    return max(q.shape[2], k_slot.shape[2])


def _check_norms(norms: HeadNorms | None, q: Tensor) -> tuple[Tensor | None, Tensor | None, float]:
    """The weights for q and for k, and eps."""
    if norms is None:
        return None, None, 0.0
    alike(q, q_norm=norms.q, k_norm=norms.k)
    sized("q_norm", norms.q, q.shape[-1])
    sized("k_norm", norms.k, q.shape[-1])
    return norms.q, norms.k, norms.eps


def _check_angles(cos: Tensor, sin: Tensor, q: Tensor) -> int:
    b, _, t, d = q.shape
    for name, table in (("cos", cos), ("sin", sin)):
        if table.dtype != torch.float32 or table.device != q.device:
            raise ValueError(f"{name} is {table.dtype} on {table.device}, expected torch.float32 on {q.device}")
    half = cos.shape[-1]
    if cos.shape not in ((1, t, half), (b, t, half)) or 2 * half > d or d % 2:
        raise ValueError(f"cos has shape {list(cos.shape)}, expected [1 or {b}, {t}, at most {d} / 2]")
    if sin.shape != cos.shape or sin.stride() != cos.stride() or (half > 1 and cos.stride(-1) != 1):
        raise ValueError(
            f"sin has shape {list(sin.shape)} and strides {sin.stride()}, expected those of cos, contiguous"
        )
    return half
