"""Attention over prompt and response by one kernel made for the segment cache (arXiv 2401.05391, section 3.3)."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from tinyllm.attention.metadata import (
    AttentionOptions,
    DecodeMetadata,
    Metadata,
    PrefillMetadata,
    Segment,
    Segments,
)
from tinyllm.attention.stock import NO_OPTIONS, stock_attention
from tinyllm.kernels.kernel_set import KeyValueScales


def kernel_attention(
    q: Float[Tensor, "b h t d"],
    segments: Segments,
    metadata: Metadata,
    options: AttentionOptions = NO_OPTIONS,
) -> Float[Tensor, "b t hd"]:
    """Softmax(q k^T / sqrt(d) + mask) v over all segments, the heads side by side.

    In a decode step one launch of the kernel set, the beam index inside. In a prefill torch's attention, where it is
    fast, else one launch too; either on a dequantised copy of a layer's keys and values where they are int8.
    """
    if isinstance(metadata, DecodeMetadata):
        return decode(q, segments, metadata, options)
    if torch_is_fast(q, metadata, options):
        return stock_attention(q, segments, metadata, options)
    k, v = segments[0].part(0, metadata.length).dequantize(q.dtype)
    positions, slopes = metadata.positions, metadata.slopes
    return metadata.kernels.prefill_attention(q, k, v, positions, slopes, **options._asdict())


def torch_is_fast(
    q: Float[Tensor, "b h t d"], metadata: PrefillMetadata, options: AttentionOptions
) -> bool:
    """Whether torch has a fast kernel for a prompt: not for ALiBi, soft caps and windows; on XPU not for padding."""
    device = q.device.type
    if device == "cpu":
        return True
    plain = metadata.slopes is None and options.softcap is None and options.window is None
    return plain and (device == "cuda" or metadata.mask is None)


def decode(
    q: Float[Tensor, "b h w d"],
    segments: Segments,
    metadata: DecodeMetadata,
    options: AttentionOptions,
) -> Float[Tensor, "b w hd"]:
    """One token of every sequence; a cache of one segment has an empty response."""
    prompt, *responses = segments
    response = responses[0] if responses else empty_response(prompt)
    return metadata.kernels.segment_attention(
        q,
        prompt.k,
        prompt.v,
        response.k,
        response.v,
        metadata.lengths(q.device),
        metadata.beam_index,
        metadata.positions,
        metadata.slopes,
        **options._asdict(),
        **scales_argument(prompt, response),
        beam_mask=metadata.beam_mask,
        workspace=metadata.workspace,
    )


def scales_of(prompt: Segment, response: Segment) -> KeyValueScales | None:
    """The scales of keys and values in int8; None for another dtype."""
    if prompt.k_scale is None:
        return None
    return KeyValueScales(prompt.k_scale, prompt.v_scale, response.k_scale, response.v_scale)


def scales_argument(prompt: Segment, response: Segment) -> dict[str, KeyValueScales]:
    """The argument that keys and values in int8 need; none for another dtype, which any kernel takes."""
    scales = scales_of(prompt, response)
    return {} if scales is None else {"scales": scales}


def empty_response(prompt: Segment) -> Segment:
    """No slots, in the layout of the prompt."""
    return prompt.part(0, 0)
