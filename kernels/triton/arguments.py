"""Kernel arguments that belong together, each group one parameter of a kernel.

Triton passes the members of a tuple one by one: each is specialised on its own (divisible by 16, equal to 1, or None),
as if it were a parameter. A stride counts elements from one index to the next; the last dimension is dense.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

MAX_TOKENS = 2**31 - 1  # lengths are int32
MAX_ROWS = 16  # of x in a matrix product


def check_vectors(size: int, **vectors: Tensor | None) -> None:
    """Raise ValueError unless every vector, where there is one, is dense and [size]."""
    for name, x in vectors.items():
        if x is not None and (x.shape != (size,) or (size > 1 and x.stride(0) != 1)):
            given = f"{list(x.shape)}, strides {x.stride()}"
            raise ValueError(f"{name} is {given}: expected dense [{size}]")


def check_int32(**numbers: Tensor | None) -> None:
    """Raise ValueError unless all numbers that a kernel reads on the device, where given, are int32."""
    for name, x in numbers.items():
        if x is not None and x.dtype != torch.int32:
            raise ValueError(f"{name} is {list(x.shape)} of {x.dtype}: expected int32")


def check_scales(keys: Tensor, **scales: Tensor) -> None:
    """Raise ValueError unless all `scales` are float32, one for each row of `keys` [..., d], and laid out alike."""
    expected_shape = keys.shape[:-1]
    expected_stride = next(iter(scales.values())).stride()
    for name, x in scales.items():
        alike = x.shape == expected_shape and x.stride() == expected_stride
        if not alike or x.dtype != torch.float32:
            raise ValueError(
                f"{name} is {list(x.shape)} of {x.dtype}, strides {x.stride()}: "
                f"expected {list(expected_shape)} of torch.float32, alike for k and v"
            )


def scale_pointers(k_scale: Tensor | None, v_scale: Tensor | None) -> dict[str, Any]:
    """The scales [batch, kv_heads, tokens] as members of a `PromptSegment` or of `CacheSlots`; none, no members."""
    if k_scale is None:
        return {}
    stride_batch, stride_head, stride_token = k_scale.stride()
    return {
        "k_scale_ptr": k_scale,
        "v_scale_ptr": v_scale,
        "stride_scale_batch": stride_batch,
        "stride_scale_head": stride_head,
        "stride_scale_token": stride_token,
    }


def window_or_none(window: int | None) -> int | None:
    """A window that may hide something, else None; raises ValueError for less than one token."""
    if window is not None and window < 1:
        raise ValueError(f"a window of {window} tokens: expected one, the query's own, or more")
    return None if window is None or window >= MAX_TOKENS else window


def cdiv(size: int, block: int) -> int:
    """Blocks that cover `size`. Triton's own `cdiv` is for kernels: from the host a call takes ten times as long."""
    return -(-size // block)


def next_power_of_2(n: int) -> int:
    """The smallest power of two that is not below `n`, which is 1 or more; from the host, as `cdiv`."""
    return 1 << (n - 1).bit_length()


class Strides(NamedTuple):
    """Strides of q, k or v, [batch, heads, tokens, head_dim]."""

    batch: int
    head: int
    token: int


class Queries(NamedTuple):
    """Queries of a decode step, [batch, heads, width, head_dim]."""

    q_ptr: Tensor
    stride_batch: int
    stride_head: int
    stride_token: int


class PromptSegment(NamedTuple):
    """Keys and values of the prompts [batch, kv_heads, tokens, head_dim], and the positions of their tokens.

    Where they are int8, the scales of both [batch, kv_heads, tokens].
    """

    k_ptr: Tensor
    v_ptr: Tensor
    positions_ptr: Tensor | None
    stride_batch: int
    stride_head: int
    stride_token: int
    stride_positions: int
    k_scale_ptr: Tensor | None = None
    v_scale_ptr: Tensor | None = None
    stride_scale_batch: int | None = None
    stride_scale_head: int | None = None
    stride_scale_token: int | None = None


class ResponseSegment(NamedTuple):
    """Keys and values of the responses: [batch, kv_heads, steps, width, head_dim], `width` slots to a step.

    Where they are int8, the scales of both [batch, kv_heads, steps, width].
    """

    k_ptr: Tensor
    v_ptr: Tensor
    stride_batch: int
    stride_head: int
    stride_step: int
    stride_slot: int
    k_scale_ptr: Tensor | None = None
    v_scale_ptr: Tensor | None = None
    stride_scale_batch: int | None = None
    stride_scale_head: int | None = None
    stride_scale_step: int | None = None
    stride_scale_slot: int | None = None


class BeamMaskPointers(NamedTuple):
    """A `BeamMask` and the strides of its tensors from one word to the next; None for independent sequences."""

    mask_ptr: Tensor | None
    live_slots_ptr: Tensor | None
    num_dead_ptr: Tensor | None
    stride_mask: int
    stride_live_slots: int
    stride_num_dead: int


class NormPointers(NamedTuple):
    """A norm in front of a matrix product: a LayerNorm where there is a bias, no norm where there is no weight."""

    weight_ptr: Tensor | None
    bias_ptr: Tensor | None
    eps: float


class HeadNormPointers(NamedTuple):
    """RMSNorms of each head of q and of k; None where there are none."""

    q_weight_ptr: Tensor | None
    k_weight_ptr: Tensor | None
    eps: float | None


class LinearStrides(NamedTuple):
    """Strides from one row to the next; `block`: of the weight's rows in a block, which may leave out every other.

    Packed weights have none: their rows lie side by side in each plane.
    """

    x: int
    weight: int
    block: int
    residual: int
    residual2: int
    out: int


class RopeTables(NamedTuple):
    """Cosines and sines [batch or 1, tokens, pairs] of the rotation angles."""

    cos_ptr: Tensor
    sin_ptr: Tensor
    stride_batch: int
    stride_token: int


class CacheSlots(NamedTuple):
    """Where k and v of new tokens are stored: slots [batch, kv_heads, tokens, head_dim], from number `start` on.

    Where they are int8, the scales of both [batch, kv_heads, tokens].
    """

    k_ptr: Tensor
    v_ptr: Tensor
    start_ptr: Tensor | None
    stride_batch: int
    stride_head: int
    stride_token: int
    k_scale_ptr: Tensor | None = None
    v_scale_ptr: Tensor | None = None
    stride_scale_batch: int | None = None
    stride_scale_head: int | None = None
    stride_scale_token: int | None = None


class QKVShape(NamedTuple):
    """Rows of x (batch * tokens), tokens of a request, heads of q, heads of k and of v, columns of x."""

    num_rows: int
    num_tokens: int
    query_heads: int
    kv_heads: int
    k: int
