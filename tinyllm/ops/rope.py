"""Rotary position embedding: pairs of elements of q and k rotated by an angle that grows with the position.

RoFormer, arXiv 2104.09864; notebook 05.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from tinyllm.config import DecoderConfig, FrequencyScaling, LinearScaling, Llama3Scaling, Rope


class RotaryTables(NamedTuple):
    """Cosine and sine of every angle, and whether pairs are neighbours.

    The fused operations have one angle for each pair, the naive ones one for each element, as transformers does.
    """

    cos: Float[Tensor, "#b t angles"]
    sin: Float[Tensor, "#b t angles"]
    interleaved: bool = False


class RotaryEmbedding(nn.Module):
    """Radians per position of every pair, a row for each kind of layer; some kinds may have no RoPE."""

    frequencies: Float[Tensor, "kinds pairs"]

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        pairs = max(2, config.rotated) // 2
        ropes = [kind.rope for kind in config.kinds]
        no_rope = torch.zeros(pairs, dtype=torch.float32, device="cpu")
        rows = [no_rope if rope is None else rope_frequencies(rope) for rope in ropes]
        self.register_buffer("frequencies", torch.stack(rows), persistent=False)
        self.interleaved = any(rope.interleaved for rope in ropes if rope)
        self.has_rope = [rope is not None for rope in ropes]

    def _apply(self, *args: Any, **kwargs: Any) -> RotaryEmbedding:
        """The frequencies move with the model and stay float32: rounded ones are some radians off after 1000 tokens."""
        frequencies = self.frequencies
        super()._apply(*args, **kwargs)
        self.frequencies = frequencies.to(self.frequencies.device)
        return self


def rope_frequencies(rope: Rope) -> Float[Tensor, " pairs"]:
    """Radians per position of each of the `dim / 2` pairs, fastest first."""
    exponents = torch.arange(0, rope.dim, 2, dtype=torch.float32, device="cpu") / rope.dim
    frequencies = 1.0 / rope.theta**exponents
    match rope.scaling:
        case LinearScaling(factor):
            return frequencies / factor
        case FrequencyScaling(factor):
            factors = torch.tensor(factor, dtype=torch.float32, device="cpu")
            return 1.0 / (factors * rope.theta**exponents)
        case Llama3Scaling() as scaling:
            return _scale_long_wavelengths(frequencies, scaling)
    return frequencies


def _scale_long_wavelengths(
    frequencies: Float[Tensor, " pairs"], s: Llama3Scaling
) -> Float[Tensor, " pairs"]:
    """Keep wavelengths that fit the original context often, divide those that hardly fit, blend in between."""
    rotations = s.original_max_position_embeddings * frequencies / (2 * math.pi)  # in that context
    keep = (rotations - s.low_freq_factor) / (s.high_freq_factor - s.low_freq_factor)
    keep = keep.clamp(0, 1)
    return (1 - keep) * frequencies / s.factor + keep * frequencies


def naive_rotary_tables(
    positions: Int[Tensor, "#b t"], rotary: RotaryEmbedding, dtype: torch.dtype
) -> list[RotaryTables | None]:
    """Cosine and sine for every element, for each kind of layer; computed in float32, kept in `dtype`.

    Both elements of a pair have the angle: the halves of a head are alike, or neighbours.
    """
    if not any(rotary.has_rope):
        return [None] * len(rotary.has_rope)
    angles = positions[..., None].float() * rotary.frequencies[:, None, None]
    if rotary.interleaved:
        angles = torch.stack([angles, angles], dim=-1).flatten(-2)
    else:
        angles = torch.cat([angles, angles], dim=-1)
    cos = angles.cos().to(dtype)
    sin = angles.sin().to(dtype)
    tables = [RotaryTables(c, s, rotary.interleaved) for c, s in zip(cos, sin, strict=True)]
    return [table if has else None for table, has in zip(tables, rotary.has_rope, strict=True)]


def fused_rotary_tables(
    positions: Int[Tensor, "#b t"], rotary: RotaryEmbedding, dtype: torch.dtype
) -> list[RotaryTables]:
    """Cosine and sine for every pair, for each kind of layer, in float32 whatever `dtype` the model has.

    A kind without RoPE has tables for one pair, whose angle is zero.
    """
    angles = positions[..., None].float() * rotary.frequencies[:, None, None]
    cos = angles.cos()
    sin = angles.sin()
    pairs = [angles.shape[-1] if has else 1 for has in rotary.has_rope]
    return [
        RotaryTables(c[..., :n], s[..., :n], rotary.interleaved)
        for c, s, n in zip(cos, sin, pairs, strict=True)
    ]


def apply_rope(
    x: Float[Tensor, "b n t d"],
    rope: RotaryTables,
) -> Float[Tensor, "b n t d"]:
    """Rotate each pair `(x[i], x[i + d/2])` by its angle: the half-split layout."""
    x1, x2 = x.chunk(2, dim=-1)
    rotated = torch.cat([-x2, x1], dim=-1)
    return x * rope.cos[:, None] + rotated * rope.sin[:, None]


def apply_interleaved_rope(
    x: Float[Tensor, "b n t d"], rope: RotaryTables
) -> Float[Tensor, "b n t d"]:
    """Rotate each pair `(x[2i], x[2i + 1])` by its angle: the layout of GPT-J."""
    rotated = torch.stack([-x[..., 1::2], x[..., ::2]], dim=-1).flatten(-2)
    return x * rope.cos[:, None] + rotated * rope.sin[:, None]


def apply_partial_rope(x: Float[Tensor, "b n t d"], rope: RotaryTables) -> Float[Tensor, "b n t d"]:
    """Rotate as many elements of each head as the tables have; the others stay."""
    size = rope.cos.shape[-1]
    rotate = apply_interleaved_rope if rope.interleaved else apply_rope
    if size == x.shape[-1]:
        return rotate(x, rope)
    rotated = rotate(x[..., :size], rope)
    rest = x[..., size:]
    return torch.cat([rotated.transpose(1, 2), rest.transpose(1, 2)], dim=-1).transpose(1, 2)
