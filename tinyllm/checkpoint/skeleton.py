"""A decoder without memory: what tensors it needs, and which rows of its own each of them fills."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from tinyllm.config import DecoderConfig
from tinyllm.decoder import Decoder
from tinyllm.families import Family
from tinyllm.stages import FASTEST, Stage, pick_stage

if TYPE_CHECKING:
    from transformers import PreTrainedConfig


def skeleton(config: DecoderConfig, stage: Stage) -> Decoder:
    """A decoder whose tensors have shapes but no memory."""
    with torch.device("meta"):
        return Decoder(config, stage)


def placed(decoder: Decoder, family: Family, parameter: str, merged: Tensor) -> list[tuple[str, Tensor]]:
    """The tensors of a checkpoint that make up a parameter, each with the rows of `merged` that it fills."""
    sources = family.sources(parameter)
    if len(sources) == 1:
        return [(sources[0], merged)]
    module = decoder.get_submodule(parameter.rsplit(".", 1)[0])
    sizes = getattr(module, "row_sizes", [len(merged) // len(sources)] * len(sources))
    return list(zip(sources, merged.split(sizes), strict=True))


def source_shapes(decoder: Decoder, family: Family) -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor that a checkpoint must have."""
    return {
        source: tuple(rows.shape)
        for name, parameter in decoder.named_parameters()
        for source, rows in placed(decoder, family, name, parameter)
    }


def needed_tensors(family: Family, config: PreTrainedConfig) -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor that a checkpoint with this configuration must have."""
    return source_shapes(skeleton(family.describe(config), pick_stage(FASTEST)), family)
