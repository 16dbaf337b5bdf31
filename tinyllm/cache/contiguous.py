"""The cache transformers uses by default: one growing buffer, copied in full for every token."""

from __future__ import annotations

import copy

import torch
from jaxtyping import Float, Int
from torch import Tensor

from tinyllm.attention.mask import extend_mask, slopes_of, token_positions
from tinyllm.attention.metadata import (
    DecodeMetadata,
    Metadata,
    PrefillMetadata,
    Segment,
    Segments,
)
from tinyllm.cache import CachedText, PrefillCache, Slots
from tinyllm.config import DecoderConfig
from tinyllm.kernels.kernel_set import KernelSet


class ContiguousLayer:
    """Keys and values `[b, g, t, d]` of one layer."""

    def __init__(self, k: Float[Tensor, "b g t d"], v: Float[Tensor, "b g t d"]) -> None:
        self.k = k
        self.v = v

    @property
    def segments(self) -> Segments:
        """One: prompt and response together."""
        return (Segment(self.k, self.v),)

    def append(self, k: Float[Tensor, "b g t d"], v: Float[Tensor, "b g t d"]) -> None:
        """Grow by `torch.cat`: a new buffer, into which the old one is copied."""
        self.k = torch.cat([self.k, k], dim=2)
        self.v = torch.cat([self.v, v], dim=2)

    def slots(self, tokens: int) -> Slots:
        """Grow by a new buffer with the old one copied into it; its end is not written yet."""
        held = self.k.shape[2]
        self.k = _grown(self.k, tokens)
        self.v = _grown(self.v, tokens)
        return Slots(self.k[:, :, held:], self.v[:, :, held:])


def _grown(old: Float[Tensor, "b g t d"], tokens: int) -> Float[Tensor, "b g total d"]:
    b, g, held, d = old.shape
    new = old.new_empty(b, g, held + tokens, d)
    if held:
        new[:, :, :held] = old
    return new


class ContiguousCache:
    """One `ContiguousLayer` for each layer; sequences that continue the same prompt hold a copy of it each."""

    copies = 1
    fixed_addresses = False
    stores_int8 = False
    logits_to_keep = 1

    def __init__(
        self,
        config: DecoderConfig,
        prompts: int,
        copies: int,
        steps: int | None,
        *,
        device: torch.device,
        dtype: torch.dtype,
        kernels: KernelSet,
        independent: bool = False,
    ) -> None:
        shape = prompts * copies, config.num_key_value_heads, 0, config.head_dim
        empty = torch.empty(shape, device=device, dtype=dtype)
        self.layers = [ContiguousLayer(empty, empty) for _ in range(config.num_hidden_layers)]
        self.mask: Int[Tensor, "r total"] | None = None
        self.group = config.group
        self.slopes = slopes_of(config, device)
        self.kernels = kernels
        self.text: CachedText | None = None

    def __copy__(self) -> ContiguousCache:
        """A copy with memory of its own, as `copy.deepcopy` makes it: both continue independently."""
        return copy.deepcopy(self)

    @property
    def rows(self) -> int:
        """Sequences held."""
        return len(self.layers[0].k)

    @property
    def length(self) -> int:
        """Tokens held per sequence."""
        return self.layers[0].k.shape[2]

    def prepare(
        self, tokens: int, mask: Int[Tensor, "r t"] | None
    ) -> tuple[Int[Tensor, "#r t"], Metadata]:
        """Positions of `tokens` new ones in every row, and what they attend to."""
        held = self.length
        device = self.layers[0].k.device
        known = None if self.mask is None else self.mask[:, :held]  # longer where a pass has failed
        self.mask = extend_mask(known, mask, held, tokens)
        positions = token_positions(self.mask, held, tokens, device)
        if held and tokens == 1 and mask is None:
            return positions, self._decode_metadata(held + 1)
        return positions, PrefillMetadata(
            held + tokens, tokens, self.mask, self.slopes, self.kernels
        )

    def _decode_metadata(self, length: int) -> DecodeMetadata:
        """One segment holds the prompt and all steps after it."""
        return DecodeMetadata(
            prompt_tokens=length,
            steps=0,
            group=self.group,
            mask=self.mask,
            slopes=self.slopes,
            kernels=self.kernels,
        )

    def reorder(self, beam_idx: Int[Tensor, " r"]) -> None:
        """Let every row continue another: all its keys and values are copied."""
        for layer in self.layers:
            layer.k = layer.k.index_select(0, beam_idx)
            layer.v = layer.v.index_select(0, beam_idx)

    def prefill_batches(
        self, tokens: int, mask: Int[Tensor, "r t"] | None
    ) -> list[tuple[slice, PrefillCache]]:
        """All prompts in one pass: a layer's buffer is complete."""
        return [(slice(None), self)]

    def compact(self, rows: Int[Tensor, "b 1"]) -> None:
        """Hold these rows alone: their keys and values are copied."""
        self.reorder(rows[:, 0])
        self.mask = None if self.mask is None else self.mask[rows[:, 0]]

    def rewind(self, tokens: int, copies: int) -> None:
        """Hold the `tokens` of one prompt alone, in so many rows: copied when a row grows."""
        for layer in self.layers:
            layer.k = layer.k[:1, :, :tokens].expand(copies, -1, -1, -1)
            layer.v = layer.v[:1, :, :tokens].expand(copies, -1, -1, -1)
        if self.mask is not None:
            self.mask = self.mask[:1, :tokens].expand(copies, -1)

    def resume(self, copies: int, steps: int | None, *, independent: bool = False) -> None:
        """Get ready for a further turn, of so many sequences for each: everything held is copied to each."""
        if copies > 1:
            device = self.layers[0].k.device
            rows = torch.arange(self.rows, dtype=torch.int64, device=device).repeat_interleave(
                copies
            )
            self.reorder(rows)
            self.mask = None if self.mask is None else self.mask.index_select(0, rows)
