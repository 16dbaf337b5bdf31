"""Rotary position embedding: pairs of elements of q and k turned by an angle that grows with the position."""

from __future__ import annotations

import math
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from tinyllm.config import DecoderConfig, LinearScaling, Llama3Scaling, Rope
from tinyllm.ops.cost import Cost, Workload, launch
from tinyllm.ops.kernel_sets import KernelsFor

Rotary = tuple[Float[Tensor, "#b t d"], Float[Tensor, "#b t d"]]
PartialRotary = tuple[Float[Tensor, "#b t rotated"], Float[Tensor, "#b t rotated"]]
HalfTables = tuple[Float[Tensor, "#b t pairs"], Float[Tensor, "#b t pairs"]]


@runtime_checkable
class LayerCache(Protocol):
    """The keys and values of one layer, as an operation sees them."""

    def append(self, k: Float[Tensor, "b g t d"], v: Float[Tensor, "b g t d"]) -> None:
        """Take new keys and values in."""

    def slots(self, tokens: int) -> tuple[Tensor, ...]:
        """Make room for new keys and values, to be written in place: `[b, g, t, d]` each.

        Or memory for more of them, and the number on the device of the first slot to write.
        """


def rope_frequencies(rope: Rope) -> Float[Tensor, " pairs"]:
    """Radians per position of each of the `dim / 2` pairs, fastest first."""
    exponents = torch.arange(0, rope.dim, 2, dtype=torch.float32) / rope.dim
    frequencies = 1.0 / rope.theta**exponents
    match rope.scaling:
        case LinearScaling(factor):
            return frequencies / factor
        case Llama3Scaling() as scaling:
            return _stretch_long_wavelengths(frequencies, scaling)
    return frequencies


def _stretch_long_wavelengths(frequencies: Tensor, s: Llama3Scaling) -> Tensor:
    """Keep wavelengths that fit the original context often, divide those that hardly fit, blend in between."""
    turns = s.original_max_position_embeddings * frequencies / (2 * math.pi)  # full turns within the original context
    keep = ((turns - s.low_freq_factor) / (s.high_freq_factor - s.low_freq_factor)).clamp(0, 1)
    return (1 - keep) * frequencies / s.factor + keep * frequencies


def rotary_tables(positions: Int[Tensor, "b t"], frequencies: Float[Tensor, " pairs"], dtype: torch.dtype) -> Rotary:
    """Cosine and sine of every angle, both halves of a head alike; computed in float32, kept in `dtype`."""
    angles = positions[..., None].float() * frequencies
    angles = torch.cat([angles, angles], dim=-1)
    return angles.cos().to(dtype), angles.sin().to(dtype)


def rotate(x: Float[Tensor, "b n t d"], rotary: Rotary) -> Float[Tensor, "b n t d"]:
    """Turn each pair `(x[i], x[i + d/2])` by its angle (RoFormer, arXiv 2104.09864, half-split layout)."""
    cos, sin = (table[:, None] for table in rotary)
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat([-second, first], dim=-1) * sin


def rotate_interleaved(x: Float[Tensor, "b n t d"], rotary: Rotary) -> Float[Tensor, "b n t d"]:
    """Turn each pair `(x[2i], x[2i + 1])` by its angle; the tables hold every angle twice, side by side."""
    cos, sin = (table[:, None] for table in rotary)
    turned = torch.stack([-x[..., 1::2], x[..., ::2]], dim=-1).flatten(-2)
    return x * cos + turned * sin


def rotate_first(x: Float[Tensor, "b n t d"], rotary: PartialRotary) -> Float[Tensor, "b n t d"]:
    """Rotate as many elements of each head as the tables have; the others stay."""
    rotated = rotary[0].shape[-1]
    if rotated == x.shape[-1]:
        return rotate(x, rotary)
    parts = rotate(x[..., :rotated], rotary), x[..., rotated:]
    return torch.cat([part.transpose(1, 2) for part in parts], dim=-1).transpose(1, 2)  # laid out as x


def rotate_and_store(
    q: Float[Tensor, "b h t d"],
    k: Float[Tensor, "b g t d"],
    v: Float[Tensor, "b g t d"],
    rotary: PartialRotary,
    kv: LayerCache,
) -> Float[Tensor, "b h t d"]:
    """Rotate q and k, hand k and v to the cache, return q."""
    q, k = rotate_first(q, rotary), rotate_first(k, rotary)
    kv.append(k, v)
    return q


def half_tables(positions: Int[Tensor, "b t"], frequencies: Float[Tensor, " pairs"], dtype: torch.dtype) -> HalfTables:
    """Cosine and sine of every angle once, in float32 whatever `dtype` the model has."""
    angles = positions[..., None].float() * frequencies
    return angles.cos(), angles.sin()


def fused_rotate_and_store(
    kernels_for: KernelsFor,
    q: Float[Tensor, "b h t d"],
    k: Float[Tensor, "b g t d"],
    v: Float[Tensor, "b g t d"],
    rotary: HalfTables,
    kv: LayerCache,
) -> Float[Tensor, "b h t d"]:
    """Rotate q and k and write k and v where the cache keeps them, in one pass."""
    k_slot, v_slot, *start = kv.slots(q.shape[2])
    return kernels_for(q).rope_and_store(q, k, v, *rotary, k_slot, v_slot, False, *start)[0]


def rotary_tables_cost(config: DecoderConfig, work: Workload) -> Cost:
    """What `rotary_tables` moves: once per forward pass, not per layer."""
    positions, pairs = work.positions, config.rope.dim // 2
    half, table = 4 * positions * pairs, 8 * positions * pairs
    cost = (
        launch(read=8 * positions, write=4 * positions)  # to float
        + launch(read=4 * positions + 4 * pairs, write=half)  # * frequencies
        + launch(read=2 * half, write=table)  # both halves
        + launch(read=table, write=table) * 2  # cos, sin
    )
    casts = launch(read=table, write=work.size * positions * 2 * pairs) * 2
    return cost if work.size == 4 else cost + casts


def rotate_cost(config: DecoderConfig, work: Workload, heads: int) -> Cost:
    """What `rotate_first` moves for `heads` heads."""
    whole, x = (work.size * work.rows * heads * elements for elements in (config.head_dim, config.rope.dim))
    table = work.size * work.positions * config.rope.dim
    joined = launch(read=whole, write=whole) if x < whole else Cost()  # cat with what stays
    return joined + (
        launch(read=x // 2, write=x // 2)  # -second
        + launch(read=x, write=x)  # cat
        + launch(read=x + table, write=x) * 2  # * cos, * sin
        + launch(read=2 * x, write=x)  # +
    )


def rotate_and_store_cost(config: DecoderConfig, work: Workload) -> Cost:
    """What `rotate_and_store` moves before the cache takes over."""
    return rotate_cost(config, work, config.num_attention_heads) + rotate_cost(config, work, config.num_key_value_heads)


def half_tables_cost(config: DecoderConfig, work: Workload) -> Cost:
    """What `half_tables` moves: once per forward pass, not per layer."""
    positions, pairs = work.positions, config.rope.dim // 2
    half = 4 * positions * pairs
    return (
        launch(read=8 * positions, write=4 * positions)  # to float
        + launch(read=4 * positions + 4 * pairs, write=half)  # * frequencies
        + launch(read=half, write=half) * 2  # cos, sin
    )


def fused_rotate_and_store_cost(config: DecoderConfig, work: Workload) -> Cost:
    """What `fused_rotate_and_store` moves, the cache's growth aside: every element once, and the tables."""
    head = work.size * work.rows * config.head_dim
    q, k, table = (
        head * config.num_attention_heads,
        head * config.num_key_value_heads,
        4 * work.positions * config.rope.dim,
    )
    if work.kernels != "plain":
        return launch(read=q + 2 * k + table, write=q, kv_written=2 * k)
    rotated_q = _plain_rotation_cost(config, work, config.num_attention_heads, Cost(activations_written=q))
    rotated_k = _plain_rotation_cost(config, work, config.num_key_value_heads, Cost(kv_written=k))
    return rotated_q + rotated_k + launch(read=k, kv_written=k)


def _plain_rotation_cost(config: DecoderConfig, work: Workload, heads: int, written: Cost) -> Cost:
    """Two products in float32, each followed by a multiply-add into its half of the result; what stays is copied."""
    elements, kept = work.rows * heads * config.rope.dim // 2, config.head_dim - config.rope.dim
    half, wide, table = work.size * elements, 4 * elements, 2 * work.positions * config.rope.dim
    product = launch(read=half + table, write=wide)
    multiply_add = launch(read=wide + half + table)
    copied = launch(read=work.size * work.rows * heads * kept) if kept else Cost()
    return (product + multiply_add) * 2 + copied + written
