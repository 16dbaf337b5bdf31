"""What RoPE with the cache update checks of its arguments, and their strides as its kernel receives them."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

from .arguments import HeadNormPointers, Strides, check_scales


class Layout(NamedTuple):
    """Shape and strides of a tensor: all that a launch depends on beside the addresses."""

    shape: tuple[int, ...]
    stride: tuple[int, ...]

    @property
    def outer(self) -> tuple[int, ...]:
        """Strides of all but the last dimension; 0 along one of size 1, which is broadcast or has no second index."""
        pairs = zip(self.shape[:-1], self.stride[:-1], strict=True)
        return tuple(0 if size == 1 else stride for size, stride in pairs)


class RopeLayouts(NamedTuple):
    """The layouts of the tensors of a launch."""

    q: Layout
    k: Layout
    v: Layout
    cos: Layout
    sin: Layout
    k_slot: Layout
    v_slot: Layout


class RopeStrides(NamedTuple):
    """The strides of a launch; those of `angles` are from one request, and from one token, to the next."""

    q: Strides
    kv: Strides
    out: Strides
    slots: Strides
    angles: tuple[int, ...]


@lru_cache
def rope_strides(*layouts: Layout, has_start: bool) -> RopeStrides:
    """The strides of a launch from the members of `RopeLayouts`, computed once for all layers of a pass.

    `has_start`: the slots are memory for more tokens than those of k. Raises ValueError unless the layouts fit.
    """
    tensors = RopeLayouts(*layouts)
    _check_pairs(tensors, has_start=has_start)
    _check_sizes(tensors)
    b, h, t, d = tensors.q.shape
    out = Layout((b, h, t, d), (t * h * d, d, h * d, 1))
    return RopeStrides(
        q=Strides(*tensors.q.outer),
        kv=Strides(*tensors.k.outer),
        out=Strides(*out.outer),
        slots=Strides(*tensors.k_slot.outer),
        angles=tensors.cos.outer,
    )


def _check_pairs(tensors: RopeLayouts, *, has_start: bool) -> None:
    """Raise ValueError unless k and v, their slots, cos and sin have one shape and one layout, and dense rows."""
    _, k, v, cos, sin, k_slot, v_slot = tensors
    written = k_slot
    if has_start:
        slots = min(k.shape[2], k_slot.shape[2])
        written = Layout((*k_slot.shape[:2], slots, *k_slot.shape[3:]), k_slot.stride)
    pairs = (("v", v, k), ("k_slot", written, k), ("v_slot", v_slot, k_slot), ("sin", sin, cos))
    for name, x, partner in pairs:
        if x.shape != partner.shape:
            raise ValueError(f"{name} has shape {list(x.shape)}: expected {list(partner.shape)}")
        if name != "k_slot" and x.outer != partner.outer:
            raise ValueError(
                f"{name} has strides {x.stride}: expected those of its partner, {partner.stride}"
            )
    if any(x.stride[-1] != 1 for x in tensors):
        raise ValueError(
            "the last dimension of q, k, v, cos, sin and the slots must be dense (stride 1)"
        )


def _check_sizes(tensors: RopeLayouts) -> None:
    """Raise ValueError unless q, k and the angles are of the same requests, tokens and heads."""
    q = tensors.q.shape
    k = tensors.k.shape
    b, _, t, d = q
    batch, tokens, half = tensors.cos.shape
    rows_fit = k[0] == b and k[2:] == (t, d)
    if not rows_fit or batch not in (1, b) or tokens != t or 2 * half > d:
        given = f"q {list(q)}, k {list(k)} and cos {[batch, tokens, half]}"
        raise ValueError(f"{given} do not belong together")


def head_norm_pointers(norms: Any, d: int) -> HeadNormPointers:
    """The norms of heads as the kernel receives them; raises ValueError unless they are of rows of d."""
    if norms is None:
        return HeadNormPointers(None, None, None)
    if any(w.shape != (d,) or w.stride(0) != 1 for w in (norms.q, norms.k)):
        raise ValueError(
            f"norms are {list(norms.q.shape)} and {list(norms.k.shape)}: expected dense [{d}]"
        )
    return HeadNormPointers(norms.q, norms.k, norms.eps)


def check_slot_scales(
    k_slot: Tensor, v_slot: Tensor, k_scale: Tensor | None, v_scale: Tensor | None
) -> None:
    """Raise ValueError unless there are scales for int8 slots, and only for those."""
    has_scales = {k_scale is not None, v_scale is not None}
    are_int8 = {k_slot.dtype == torch.int8, v_slot.dtype == torch.int8}
    if has_scales != are_int8 or len(are_int8) == 2:
        raise ValueError(
            f"slots of {k_slot.dtype} and {v_slot.dtype}: expected two of torch.int8 and the scales "
            "of both, or no scales"
        )
    if k_scale is not None:
        check_scales(k_slot, k_scale=k_scale, v_scale=v_scale)
