"""RoPE and the cache write: one launch between the QKV projection and attention."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from .arguments import check_alike, check_format, check_shape
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
    k_scale: Tensor | None = None,
    v_scale: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """q [b, h, t, d] rotated; k [b, g, t, d] rotated into k_slot, v copied into v_slot.

    Returns rotated q and both slots: memory for t tokens; or for more, [b, g, n, d], written from
    token `start` on, an int32 scalar that the device reads. With `norms`, every head of q and k is
    normalised first, in float32. cos and sin [b or 1, t, r / 2] are float32 and rotate the first r
    elements of each head; the others are copied. With k_scale and v_scale [b, g, n], float32, the
    slots are int8: what would be stored is quantised, as in `int8.quantize`. All but the last axis
    may be strided. Raises ValueError.
    """
    b, h, t, d = q.shape
    g = k.shape[1]
    check_alike(q, k=k, v=v)
    _check_slots(q, k_slot, v_slot, k_scale, v_scale)
    slot_tokens = _slot_tokens(start, k_slot, q)
    check_shape("k", k, b, g, t, d)
    check_shape("v", v, b, g, t, d)
    check_shape("k_slot", k_slot, b, g, slot_tokens, d)
    check_shape("v_slot", v_slot, b, g, slot_tokens, d)
    _check_angles(cos, sin, q)
    _check_norms(norms, q)
    out = q.new_empty(q.shape)
    device = runtime_of(q.device)
    kernel = device.kernel("rope", "rope_and_store", q.dtype)
    if q.numel():
        kernel(
            (b * t, -(-(h + 2 * g) // HEADS_PER_GROUP)),
            (1, HEADS_PER_GROUP * device.lanes),
            *(q, *q.stride()[:3]),
            *(k, *k.stride()[:3]),
            *(v, *v.stride()[:3]),
            *(cos, sin, 0 if cos.shape[0] == 1 else cos.stride(0), cos.stride(1)),
            out,
            *(k_slot, *k_slot.stride()[:3]),
            *(v_slot, *v_slot.stride()[:3]),
            *((None, 0, 0, 0) if k_scale is None else (k_scale, *k_scale.stride())),
            *((None, 0, 0, 0) if v_scale is None else (v_scale, *v_scale.stride())),
            start,
            *((None, None, 0.0) if norms is None else (norms.q, norms.k, norms.eps)),
            *(h, g, t, d, cos.shape[-1], interleaved),
        )
    return out, k_slot, v_slot


def _check_slots(
    q: Tensor, k_slot: Tensor, v_slot: Tensor, k_scale: Tensor | None, v_scale: Tensor | None
) -> None:
    """Raise ValueError unless slots match q, or are int8 with float32 scales."""
    has_scales = k_scale is not None
    dtype = torch.int8 if has_scales else q.dtype
    if has_scales != (v_scale is not None):
        raise ValueError("one of k_scale and v_scale is None: expected scales of both, or of none")
    check_format("k_slot", k_slot, dtype, q.device)
    check_alike(k_slot, v_slot=v_slot)
    check_shape("k_scale", k_scale, *k_slot.shape[:-1])
    check_shape("v_scale", v_scale, *v_slot.shape[:-1])
    check_format("k_scale", k_scale, torch.float32, q.device)
    check_format("v_scale", v_scale, torch.float32, q.device)


def _slot_tokens(start: Tensor | None, k_slot: Tensor, q: Tensor) -> int:
    """The tokens that the slots are memory for."""
    if start is None:
        return q.shape[2]
    if start.dtype != torch.int32 or start.device != q.device or start.numel() != 1:
        given = f"{start.dtype} on {start.device}, shape {list(start.shape)}"
        raise ValueError(f"start is {given}, expected one torch.int32 on {q.device}")
    last = k_slot.shape[2] - q.shape[2]
    if q.device.type == "cpu" and not 0 <= int(start) <= last:  # a GPU's would be waited for
        raise ValueError(f"start is {int(start)}, expected 0 to {last}")
    return max(q.shape[2], k_slot.shape[2])


def _check_norms(norms: HeadNorms | None, q: Tensor) -> None:
    if norms is None:
        return
    check_alike(q, q_norm=norms.q, k_norm=norms.k)
    check_shape("q_norm", norms.q, q.shape[-1])
    check_shape("k_norm", norms.k, q.shape[-1])


def _check_angles(cos: Tensor, sin: Tensor, q: Tensor) -> None:
    b, _, t, d = q.shape
    check_format("cos", cos, torch.float32, q.device)
    check_format("sin", sin, torch.float32, q.device)
    half = cos.shape[-1]
    if cos.shape not in ((1, t, half), (b, t, half)) or 2 * half > d or d % 2:
        given = f"cos has shape {list(cos.shape)}"
        raise ValueError(f"{given}, expected [1 or {b}, {t}, at most {d} / 2]")
    if sin.shape != cos.shape or sin.stride() != cos.stride() or (half > 1 and cos.stride(-1) != 1):
        given = f"sin has shape {list(sin.shape)} and strides {sin.stride()}"
        raise ValueError(f"{given}, expected those of cos, contiguous")
