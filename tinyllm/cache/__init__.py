"""Where keys and values are kept: the second field of a stage.

A cache returns segments, the contiguous cache one and the segment cache two, and the metadata that attention needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Float32, Int, Int32, Real
from torch import Tensor

from tinyllm.attention.metadata import Metadata, Segments
from tinyllm.config import DecoderConfig
from tinyllm.kernels.kernel_set import KernelSet


class Slots(NamedTuple):
    """Memory for new keys and values; they go to the slots from number `start` on, which is read on the device.

    With scales, the memory is int8.
    """

    k: Real[Tensor, "b g n d"]
    v: Real[Tensor, "b g n d"]
    k_scale: Float32[Tensor, "b g n"] | None = None
    v_scale: Float32[Tensor, "b g n"] | None = None
    start: Int32[Tensor, ""] | None = None

    @property
    def scales(self) -> dict[str, Tensor]:
        """Further arguments of `rope_and_store` where the memory is int8; none where it is not."""
        return {} if self.k_scale is None else {"k_scale": self.k_scale, "v_scale": self.v_scale}


@runtime_checkable
class LayerCache(Protocol):
    """The keys and values of one layer, as operations and attention see them."""

    @property
    def segments(self) -> Segments:
        """All memory of keys and values; the metadata of a pass say how much of it is valid."""

    def append(self, k: Float[Tensor, "b g t d"], v: Float[Tensor, "b g t d"]) -> None:
        """Copy new keys and values into their slots."""

    def slots(self, tokens: int) -> Slots:
        """The slots of so many new tokens, to be written in place."""


@runtime_checkable
class PrefillCache(Protocol):
    """What a forward pass needs of a cache: of a complete one, or of some requests of it during a prefill.

    `logits_to_keep`: how many tokens at the end of a row are continued; 1 in a prefill, after it one for each sequence
    that shares the prompt, side by side.
    """

    @property
    def logits_to_keep(self) -> int: ...

    @property
    def layers(self) -> Sequence[LayerCache]: ...

    def prepare(
        self, tokens: int, mask: Int[Tensor, "b t"] | None
    ) -> tuple[Int[Tensor, "#b t"], Metadata]:
        """Account for new tokens in every row: their positions, and the metadata for attention."""


@dataclass(frozen=True)
class CachedText:
    """Whose keys and values a cache holds: the tokens, their padding, and the weights that they went through.

    `ids` are None after a beam search, whose rows are not the sequences that it returns. `mask` is None where nothing
    is padded; `weights` is the digest of the decoder's.
    """

    ids: Int[Tensor, "r t"] | None
    mask: Int[Tensor, "r t"] | None
    weights: str


@runtime_checkable
class Cache(PrefillCache, Protocol):
    """The keys and values of a decoder, as generation sees them; `copies` sequences share one stored prompt.

    `fixed_addresses`: a decode step does the same work on the same memory as the one before, and can be captured.
    `stores_int8`: whether keys and values can be kept in int8.
    `text` is written by `generate`, where it returns the cache, and read where the cache comes back.
    """

    copies: int
    fixed_addresses: bool
    stores_int8: bool
    text: CachedText | None

    @property
    def rows(self) -> int:
        """Sequences held."""

    @property
    def length(self) -> int:
        """Tokens held per sequence."""

    def prefill_batches(
        self, tokens: int, mask: Int[Tensor, "b t"] | None
    ) -> list[tuple[slice, PrefillCache]]:
        """How prompts of so many tokens are prefilled: which rows in one pass, and the cache that is theirs."""

    def reorder(self, beam_idx: Int[Tensor, " r"]) -> None:
        """Let every sequence continue the one whose number it names; both continue the same prompt."""

    def compact(self, rows: Int[Tensor, "b w"]) -> None:
        """Hold these sequences alone, each of which continues itself: `w` of each of `b` prompts."""

    def rewind(self, tokens: int, copies: int) -> None:
        """Hold the `tokens` of one prompt alone, which so many sequences then continue."""

    def resume(self, copies: int, steps: int | None, *, independent: bool = False) -> None:
        """Get ready for more prompt after what is held, which so many sequences will then share.

        `independent`: they are never reordered.
        """


@runtime_checkable
class CacheFactory(Protocol):
    """A class of caches, as a stage names it."""

    __name__: str

    def __call__(
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
    ) -> Cache:
        """An empty cache for prompts that `copies` sequences each continue by so many steps, where that is known.

        `dtype` is that of keys and values; `independent`: the sequences are never reordered.
        """
