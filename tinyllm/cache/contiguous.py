"""The cache transformers uses by default: one growing buffer, copied whole for every token."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from tinyllm.config import DecoderConfig
from tinyllm.ops.cost import Cost, Workload, launch


class ContiguousLayer:
    """Keys and values `[b, g, t, d]` of one layer."""

    def __init__(self, k: Float[Tensor, "b g t d"], v: Float[Tensor, "b g t d"]) -> None:
        self.k, self.v = k, v

    def append(self, k: Float[Tensor, "b g t d"], v: Float[Tensor, "b g t d"]) -> None:
        """Grow by `torch.cat`: a new buffer, the old one copied into it, both alive in between."""
        self.k, self.v = torch.cat([self.k, k], dim=2), torch.cat([self.v, v], dim=2)

    def slots(self, tokens: int) -> tuple[Float[Tensor, "b g t d"], Float[Tensor, "b g t d"]]:
        """Grow by a new buffer with the old one copied into it; returns the room at its end."""
        held = self.k.shape[2]
        self.k, self.v = _grown(self.k, tokens), _grown(self.v, tokens)
        return self.k[:, :, held:], self.v[:, :, held:]


def _grown(old: Float[Tensor, "b g t d"], tokens: int) -> Float[Tensor, "b g total d"]:
    b, g, held, d = old.shape
    new = old.new_empty(b, g, held + tokens, d)
    if held:
        new[:, :, :held] = old
    return new


class ContiguousCache:
    """One `ContiguousLayer` for each layer of a decoder."""

    def __init__(self, config: DecoderConfig, batch: int, device: torch.device, dtype: torch.dtype) -> None:
        empty = torch.empty(batch, config.num_key_value_heads, 0, config.head_dim, device=device, dtype=dtype)
        self.layers = [ContiguousLayer(empty, empty) for _ in range(config.num_hidden_layers)]

    @property
    def length(self) -> int:
        """Tokens held per sequence."""
        return self.layers[0].k.shape[2]


def append_cost(config: DecoderConfig, work: Workload) -> Cost:
    """What `ContiguousLayer.append` moves: everything, to add `tokens`."""
    token = work.size * work.batch * config.num_key_value_heads * config.head_dim
    new, old = work.tokens * token, work.held * token
    return launch(read=new, kv_copied=old, kv_written=new) * 2  # k, v


def slots_cost(config: DecoderConfig, work: Workload) -> Cost:
    """What `ContiguousLayer.slots` moves: what is there already."""
    old = work.size * work.batch * config.num_key_value_heads * work.held * config.head_dim
    return launch(kv_copied=old) * 2 if work.held else Cost()
