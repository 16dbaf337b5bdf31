"""The cache transformers uses by default: one growing buffer, copied whole for every token."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from tinyllm.attention.mask import grown_mask, token_positions
from tinyllm.attention.views import Views
from tinyllm.cache import TakesTokens
from tinyllm.config import DecoderConfig


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
    """One `ContiguousLayer` for each layer; sequences that continue the same prompt hold a copy of it each."""

    copies = 1  # sequences that share one stored prompt
    fixed = False
    branches = 1  # of the tokens of a pass, so many at the end of each row are continued

    def __init__(
        self,
        config: DecoderConfig,
        prompts: int,
        copies: int,
        steps: int | None,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        shape = prompts * copies, config.num_key_value_heads, 0, config.head_dim
        empty = torch.empty(shape, device=device, dtype=dtype)
        self.layers = [ContiguousLayer(empty, empty) for _ in range(config.num_hidden_layers)]
        self.mask: Int[Tensor, "r total"] | None = None
        self.views = Views(config, empty)

    @property
    def rows(self) -> int:
        """Sequences held."""
        return len(self.layers[0].k)

    @property
    def length(self) -> int:
        """Tokens held per sequence."""
        return self.layers[0].k.shape[2]

    def admit(
        self, tokens: int, mask: Int[Tensor, "r t"] | None
    ) -> tuple[Int[Tensor, "#r t"], list[Float[Tensor, "#r #h t total"] | None]]:
        """Positions of `tokens` new ones in every row, and for each kind of layer the bias: what they may look at."""
        held, k = self.length, self.layers[0].k
        known = None if self.mask is None else self.mask[:, :held]  # where a pass has failed, it is longer
        self.mask = grown_mask(known, mask, held, tokens)
        return token_positions(self.mask, held, tokens, k.device), self.views.of(self.mask, held, tokens)

    def reorder(self, parents: Int[Tensor, " r"]) -> None:
        """Let every row continue another: all its keys and values are copied."""
        for layer in self.layers:
            layer.k, layer.v = layer.k.index_select(0, parents), layer.v.index_select(0, parents)

    def prompt_parts(self, tokens: int, mask: Int[Tensor, "r t"] | None) -> list[tuple[slice, TakesTokens]]:
        """All prompts in one pass: a layer's buffer is made whole."""
        return [(slice(None), self)]

    def resume(self, copies: int, steps: int | None) -> None:
        """Get ready for a further turn, of so many sequences for each there is: everything held is copied to each."""
        if copies > 1:
            rows = torch.arange(len(self.layers[0].k), device=self.layers[0].k.device).repeat_interleave(copies)
            self.reorder(rows)
            self.mask = None if self.mask is None else self.mask.index_select(0, rows)
