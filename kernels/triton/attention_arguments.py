"""What attention of a decode step checks of its arguments, and the scales of int8 as its kernel receives them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..kernel_set import KeyValueScales
from .arguments import check_scales, scale_pointers
from .split_plan import response_layout


def prompt_scales(scales: KeyValueScales | None) -> dict[str, Any]:
    """Members of a `PromptSegment`."""
    return {} if scales is None else scale_pointers(scales.prompt_k, scales.prompt_v)


def response_scales(scales: KeyValueScales | None, w: int) -> dict[str, Any]:
    """Members of a `ResponseSegment`."""
    if scales is None:
        return {}
    _, strides = response_layout(scales.response_k[..., None], w)
    stride_batch, stride_head, stride_step, stride_slot = strides
    return {
        "k_scale_ptr": scales.response_k,
        "v_scale_ptr": scales.response_v,
        "stride_scale_batch": stride_batch,
        "stride_scale_head": stride_head,
        "stride_scale_step": stride_step,
        "stride_scale_slot": stride_slot,
    }


def check_attention(
    q: Tensor,
    prompt_k: Tensor,
    prompt_v: Tensor,
    response_k: Tensor,
    response_v: Tensor,
    beam_index: Tensor | None,
    prompt_positions: Tensor | None,
    scales: KeyValueScales | None,
) -> None:
    """Raise ValueError unless shapes, formats and strides of the arguments of `segment_attention` fit."""
    b, h, w, d = q.shape
    kv_heads = prompt_k.shape[1]
    dtype = q.dtype if scales is None else torch.int8
    if scales is not None:
        check_scales(prompt_k, prompt_k_scale=scales.prompt_k, prompt_v_scale=scales.prompt_v)
        check_scales(
            response_k, response_k_scale=scales.response_k, response_v_scale=scales.response_v
        )
    for name, v, k in (("prompt_v", prompt_v, prompt_k), ("response_v", response_v, response_k)):
        if v.shape != k.shape or v.stride() != k.stride():
            given = f"{list(v.shape)}, strides {v.stride()}"
            expected = f"{list(k.shape)}, strides {k.stride()}"
            raise ValueError(f"{name} is {given}: expected what its keys are, {expected}")
    for name, k in (("prompt_k", prompt_k), ("response_k", response_k)):
        sizes = (k.shape[0], k.shape[1], k.shape[-1])
        if k.dtype != dtype or sizes != (b, kv_heads, d) or h % kv_heads:
            raise ValueError(
                f"{name} is {list(k.shape)} of {k.dtype}: "
                f"expected [{b}, g, n, {d}] of {dtype}, g | {h}"
            )
    if any(x.stride(-1) != 1 for x in (q, prompt_k, response_k)):
        raise ValueError("the last dimension of q, keys and values must be dense (stride 1)")
    if beam_index is not None and (
        beam_index.shape[:2] != (b, w) or beam_index.dtype != torch.int32
    ):
        raise ValueError(
            f"beam_index is {list(beam_index.shape)} of {beam_index.dtype}: "
            f"expected [{b}, {w}, steps] of int32"
        )
    if prompt_positions is not None and (
        len(prompt_positions) != b or prompt_positions.dtype != torch.int32
    ):
        raise ValueError(
            f"prompt_positions is {list(prompt_positions.shape)} of {prompt_positions.dtype}: "
            f"expected [{b}, t] of int32"
        )
