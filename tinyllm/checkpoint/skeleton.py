"""A decoder without memory: what tensors it needs, and which rows of its own each of them fills."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from jaxtyping import Float
from torch import Tensor

from tinyllm.attention.stock import stock_attention
from tinyllm.config import DecoderConfig
from tinyllm.decoder import Decoder
from tinyllm.families import Family
from tinyllm.kernels import TORCH
from tinyllm.linear import QKVLinear
from tinyllm.ops import NAIVE

if TYPE_CHECKING:
    from transformers import PreTrainedConfig


class Shard(NamedTuple):
    """A checkpoint's tensor by its name, and the rows of one of our parameters that it fills."""

    source: str
    rows: Float[Tensor, ...]


def skeleton(config: DecoderConfig) -> Decoder:
    """A decoder whose tensors have shapes but no memory."""
    return Decoder(config, NAIVE, stock_attention, TORCH)


def shard_views(
    decoder: Decoder, family: Family, parameter: str, merged: Float[Tensor, ...]
) -> list[Shard]:
    """The tensors of a checkpoint that make up a parameter, each with the rows of `merged` that it fills."""
    sources = family.sources(parameter)
    if len(sources) == 1:
        return [Shard(sources[0], merged)]
    module = decoder.get_submodule(parameter.rsplit(".", 1)[0])
    sizes = [len(merged) // len(sources)] * len(sources)
    if isinstance(module, QKVLinear):
        sizes = module.row_sizes
    return [Shard(*pair) for pair in zip(sources, merged.split(sizes), strict=True)]


def source_shapes(decoder: Decoder, family: Family) -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor that a checkpoint must have."""
    return {
        source: tuple(rows.shape)
        for name, parameter in decoder.named_parameters()
        for source, rows in shard_views(decoder, family, name, parameter)
    }


def needed_tensors(family: Family, config: PreTrainedConfig) -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor that a checkpoint with this configuration must have."""
    return source_shapes(skeleton(family.describe(config)), family)
