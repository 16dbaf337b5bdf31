"""The part of a checkpoint that one rank reads.

One table serves all families, since it names our matrices, and a family's own table the tensors that they are made of.
A tensor that is not in it is on every rank: norms, positions, and the embedding unless it is tied to the head.

| matrix | cut along | bias |
|---|---|---|
| `qkv_proj` | rows, by heads of queries, keys and values | cut as the rows |
| `o_proj` | columns, by query heads | of the first rank |
| `gate_up_proj` | rows, by feed-forward columns | cut as the rows |
| `down_proj` | columns, the same ones | of the first rank |
| `lm_head` | rows, by the vocabulary | cut as the rows |
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import lcm
from types import MappingProxyType

import torch
from torch import Tensor

from tinyllm.checkpoint.cuts import Cut
from tinyllm.checkpoint.skeleton import shard_views, skeleton
from tinyllm.checkpoint.sources import Checkpoint
from tinyllm.checkpoint.weight_formats import WeightFormat
from tinyllm.checkpoint.weights import Weights
from tinyllm.config import DecoderConfig, RankPart
from tinyllm.families import Family
from tinyllm.kernels.weights import PackedRows

CutOf = Callable[[DecoderConfig, RankPart], Cut | None]


def scaled(numbers: range, times: int, first: int = 0) -> range:
    """The rows of heads, of `times` rows each, from row `first` on."""
    return range(first + times * numbers.start, first + times * numbers.stop)


def cut_of_qkv(config: DecoderConfig, part: RankPart) -> Cut:
    """Rows of queries, keys and values, as they are merged."""
    d = config.head_dim
    if config.qkv_per_head:
        return Cut((scaled(part.heads, 3 * d),))
    first_key = config.num_attention_heads * d
    first_value = first_key + config.num_key_value_heads * d
    keys = scaled(part.key_value_heads, d, first_key)
    values = scaled(part.key_value_heads, d, first_value)
    return Cut((scaled(part.heads, d), keys, values))


def cut_of_gate_up(config: DecoderConfig, part: RankPart) -> Cut:
    """Rows of gate and up, or of up alone."""
    f = config.intermediate_size
    blocks = range(1 + config.gated)
    return Cut(tuple(scaled(part.columns, 1, block * f) for block in blocks))


CUTS: Mapping[str, CutOf] = MappingProxyType(
    {
        "qkv_proj": cut_of_qkv,
        "o_proj": lambda config, part: Cut(columns=scaled(part.heads, config.head_dim)),
        "gate_up_proj": cut_of_gate_up,
        "down_proj": lambda config, part: Cut(columns=part.columns),
        "lm_head": lambda config, part: Cut((part.vocabulary,)),
        "embed_tokens": lambda config, part: (
            Cut((part.vocabulary,)) if config.tie_word_embeddings else None
        ),
    }
)


def cuts_of(family: Family, config: DecoderConfig, part: RankPart) -> dict[str, Cut | None]:
    """The part of each tensor of a checkpoint that a rank cuts; None for a bias that another rank has."""
    decoder = skeleton(config)
    found: dict[str, Cut | None] = {}
    for name, parameter in decoder.named_parameters():
        *_, module, kind = name.split(".")
        cut = CUTS[module](config, part) if module in CUTS else None
        if cut is None:
            continue
        first = 0
        for source, rows in shard_views(decoder, family, name, parameter):
            found[source] = cut.within(first, len(rows))
            if kind == "bias" and cut.columns is not None:
                found[source] = Cut() if part.rank == 0 else None
            first += len(rows)
    return found


class PartWeights(Weights):
    """One rank's part of other weights, under the same names: of a tensor that is cut, nothing else is read."""

    def __init__(self, weights: Weights, cuts: Mapping[str, Cut | None]) -> None:
        self.weights = weights
        self.cuts = {name: cut for name, cut in cuts.items() if cut is not None}
        stored = weights.shapes
        self.shapes = {
            name: self.cuts[name].shape(stored[name]) if name in self.cuts else stored[name]
            for name in stored
            if cuts.get(name, True) is not None
        }

    def check(self, name: str) -> None:
        self.weights.check(name)

    def read(self, name: str) -> Tensor:
        if name in self.cuts:
            return self.weights.read_part(name, self.cuts[name])
        return self.weights.read(name)

    def packed(self, name: str, dtype: torch.dtype) -> PackedRows | None:
        if name in self.cuts:
            return self.weights.packed_part(name, dtype, self.cuts[name])
        return self.weights.packed(name, dtype)

    def unread_encoding(self, name: str) -> str | None:
        return self.weights.unread_encoding(name)

    def file(self, name: str | None) -> str:
        return self.weights.file(name)


def part_of(
    checkpoint: Checkpoint,
    config: DecoderConfig,
    rank: int,
    size: int,
    dtype: torch.dtype,
    weight_format: WeightFormat,
) -> tuple[Checkpoint, DecoderConfig]:
    """One rank's part of a checkpoint, and the configuration of its part of the decoder.

    Raises ValueError where heads or blocks cannot be cut, before any weight is read.
    """
    own = config.of_rank(rank, size, column_unit(checkpoint, config, dtype, weight_format))
    if own.part is None:
        return checkpoint, own
    cuts = cuts_of(checkpoint.family, config, own.part)
    return replace(checkpoint, weights=PartWeights(checkpoint.weights, cuts)), own


def column_unit(
    checkpoint: Checkpoint, config: DecoderConfig, dtype: torch.dtype, weight_format: WeightFormat
) -> int:
    """Feed-forward columns between which matrices can be cut: the blocks of all down projections; 0 for dense ones."""
    if weight_format.is_dense(dtype):
        return 0
    if not weight_format.as_stored:
        elements = weight_format.blocks_of(embedding=False).elements
        return elements if elements > 1 else 0
    sources = [
        source
        for layer in range(config.num_hidden_layers)
        for source in checkpoint.family.sources(f"layers.{layer}.down_proj.weight")
    ]
    unit = lcm(*(checkpoint.weights.block_elements(source) for source in sources))
    return unit if unit > 1 else 0
