"""RotaryTables position embedding: pairs of elements of q and k turned by an angle that grows with the position."""

from __future__ import annotations

import math
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from tinyllm.config import DecoderConfig, LinearScaling, Llama3Scaling, Rope
from tinyllm.ops.kernel_sets import KernelsFor
from tinyllm.ops.norm import HeadNorms, scaled

Rotary = tuple[Float[Tensor, "#b t d"], Float[Tensor, "#b t d"]]


class RotaryTables(NamedTuple):
    """Cosine and sine for every element that is turned, and whether pairs are neighbours."""

    cos: Float[Tensor, "#b t rotated"]
    sin: Float[Tensor, "#b t rotated"]
    interleaved: bool = False


class HalfTables(NamedTuple):
    """Cosine and sine for every pair."""

    cos: Float[Tensor, "#b t pairs"]
    sin: Float[Tensor, "#b t pairs"]
    interleaved: bool = False


class Rotation(nn.Module):
    """Radians per position of every pair, a row for each kind of layer; `still` names those that turn nothing."""

    frequencies: Float[Tensor, "kinds pairs"]

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        pairs, ropes = max(2, config.rotated) // 2, [kind.rope for kind in config.kinds]
        rows = [torch.zeros(pairs) if rope is None else rope_frequencies(rope) for rope in ropes]
        self.register_buffer("frequencies", torch.stack(rows), persistent=False)
        self.interleaved, self.still = any(rope.interleaved for rope in ropes if rope), [rope is None for rope in ropes]


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


def rotary_tables(positions: Int[Tensor, "#b t"], rotation: Rotation, dtype: torch.dtype) -> list[RotaryTables | None]:
    """Cosine and sine of every angle for each kind of layer; computed in float32, kept in `dtype`.

    Both elements of a pair have the angle: the halves of a head are alike, or neighbours.
    """
    if all(rotation.still):
        return [None] * len(rotation.still)
    angles = positions[..., None].float() * rotation.frequencies[:, None, None]
    pair = [angles, angles]
    angles = torch.stack(pair, dim=-1).flatten(-2) if rotation.interleaved else torch.cat(pair, dim=-1)
    tables = zip(rotation.still, angles.cos().to(dtype), angles.sin().to(dtype), strict=True)
    return [None if still else RotaryTables(cos, sin, rotation.interleaved) for still, cos, sin in tables]


def rotate(x: Float[Tensor, "b n t d"], rotary: Rotary) -> Float[Tensor, "b n t d"]:
    """Turn each pair `(x[i], x[i + d/2])` by its angle (RoFormer, arXiv 2104.09864, half-split layout)."""
    cos, sin = (table[:, None] for table in rotary[:2])
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat([-second, first], dim=-1) * sin


def rotate_interleaved(x: Float[Tensor, "b n t d"], rotary: Rotary) -> Float[Tensor, "b n t d"]:
    """Turn each pair `(x[2i], x[2i + 1])` by its angle; the tables hold every angle twice, side by side."""
    cos, sin = (table[:, None] for table in rotary[:2])
    turned = torch.stack([-x[..., 1::2], x[..., ::2]], dim=-1).flatten(-2)
    return x * cos + turned * sin


def rotate_first(x: Float[Tensor, "b n t d"], rotary: RotaryTables) -> Float[Tensor, "b n t d"]:
    """Rotate as many elements of each head as the tables have; the others stay."""
    rotated, turn = rotary.cos.shape[-1], rotate_interleaved if rotary.interleaved else rotate
    if rotated == x.shape[-1]:
        return turn(x, rotary[:2])
    parts = turn(x[..., :rotated], rotary[:2]), x[..., rotated:]
    return torch.cat([part.transpose(1, 2) for part in parts], dim=-1).transpose(1, 2)  # laid out as x


def rotate_and_store(
    q: Float[Tensor, "b h t d"],
    k: Float[Tensor, "b g t d"],
    v: Float[Tensor, "b g t d"],
    rotary: RotaryTables | None,
    kv: LayerCache,
    norms: HeadNorms | None = None,
) -> Float[Tensor, "b h t d"]:
    """Normalise and rotate q and k where a model does that, hand k and v to the cache, return q."""
    if norms is not None:
        q, k = scaled(q, norms.q, norms.eps), scaled(k, norms.k, norms.eps)
    if rotary is not None:
        q, k = rotate_first(q, rotary), rotate_first(k, rotary)
    kv.append(k, v)
    return q


def half_tables(positions: Int[Tensor, "#b t"], rotation: Rotation, dtype: torch.dtype) -> list[HalfTables]:
    """Cosine and sine of every angle once for each kind of layer, in float32 whatever `dtype` the model has.

    A kind that turns nothing has tables for one pair, whose angle is zero.
    """
    angles = positions[..., None].float() * rotation.frequencies[:, None, None]
    pairs = [1 if still else angles.shape[-1] for still in rotation.still]
    tables = zip(angles.cos(), angles.sin(), pairs, strict=True)
    return [HalfTables(cos[..., :n], sin[..., :n], rotation.interleaved) for cos, sin, n in tables]


def fused_rotate_and_store(
    kernels_for: KernelsFor,
    q: Float[Tensor, "b h t d"],
    k: Float[Tensor, "b g t d"],
    v: Float[Tensor, "b g t d"],
    rotary: HalfTables,
    kv: LayerCache,
    norms: HeadNorms | None = None,
) -> Float[Tensor, "b h t d"]:
    """Normalise and rotate q and k and write k and v where the cache keeps them, in one pass."""
    k_slot, v_slot, *start = kv.slots(q.shape[2])
    more = {"start": start[0]} if start else {}
    more |= {} if norms is None else {"norms": norms}
    cos, sin, interleaved = rotary
    return kernels_for(q).rope_and_store(q, k, v, cos, sin, k_slot, v_slot, interleaved, **more)[0]
