"""What of a transformers model in memory may change after `optimize`: how it computes, and where its weights are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tinyllm.checkpoint.loading import norm_offset
from tinyllm.checkpoint.module import ModuleWeights
from tinyllm.checkpoint.module_check import CONSTANTS
from tinyllm.checkpoint.skeleton import shard_views
from tinyllm.decoder import Decoder
from tinyllm.families import Family


class CopiedWeight(NamedTuple):
    """A parameter of a transformers model, and rows of ours with its values plus `offset`, in memory of their own."""

    stored: Float[Tensor, ...]
    rows: Float[Tensor, ...]
    offset: float

    def refresh(self) -> None:
        """Take over the values that the parameter has now, in place."""
        torch.add(self.stored.detach(), self.offset, out=self.rows)


def copied_weights(decoder: Decoder, family: Family, hf_model: nn.Module) -> list[CopiedWeight]:
    """The weights that a decoder made by `merge_weights` does not share with its model: few or none.

    They are norms whose stored weights lack one, and merged matrices of layers that share a parameter.
    """
    parameters = ModuleWeights(hf_model, family.name_today).parameters
    return [
        CopiedWeight(parameters[source], rows, norm_offset(decoder, family, name))
        for name, parameter in decoder.named_parameters()
        for source, rows in shard_views(decoder, family, name, parameter.data)
        if rows.data_ptr() != parameters[source].data_ptr()
    ]


def weight_places(module: nn.Module) -> list[tuple]:
    """Where every parameter and buffer of a model is, and in which number format."""
    tensors = (*module.parameters(), *module.buffers())
    return [(x.data_ptr(), x.dtype, x.device, x.shape, x.stride()) for x in tensors]


def parts_of(hf_model: nn.Module) -> list:
    """Configuration, classes, hooks and constants of a model: where they are equal, it computes what it did."""
    hooks = nn.modules.module
    found = [hf_model.config.to_dict(), len(hooks._global_forward_hooks)]
    found.append(len(hooks._global_forward_pre_hooks))
    for module in hf_model.modules():
        found.append(type(module))
        found.extend(_attributes(module))
    return found


def _attributes(module: nn.Module) -> Iterator[tuple]:
    """The names of all attributes and parameters, the values of constants, and the number of hooks."""
    attributes = vars(module)
    yield tuple(attributes), tuple(module._parameters), tuple(module._buffers)
    yield tuple(x for x in attributes.values() if isinstance(x, CONSTANTS))
    yield len(module._forward_hooks), len(module._forward_pre_hooks)
