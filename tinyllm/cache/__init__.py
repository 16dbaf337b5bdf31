"""Where keys and values are kept: the second seam."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from jaxtyping import Int
from torch import Tensor


@runtime_checkable
class TakesTokens(Protocol):
    """What a pass through the layers needs of a cache.

    `branches` is how many tokens at the end of a row are continued: 1 in a prompt; after it, one for each sequence
    that shares the prompt, side by side.
    """

    branches: int
    layers: Sequence[object]

    def admit(self, tokens: int, mask: Int[Tensor, "b t"] | None) -> tuple[Int[Tensor, "#b t"], Sequence[object]]:
        """Get ready for so many new tokens in every row: their positions, and what each kind of layer may look at."""


@runtime_checkable
class Cache(TakesTokens, Protocol):
    """The keys and values of a decoder, as generation sees them; `copies` sequences share one stored prompt.

    `fixed`: a step does the same work on the same memory as the one before, so that it may be captured and replayed.
    """

    copies: int
    fixed: bool

    @property
    def rows(self) -> int:
        """Sequences held."""

    @property
    def length(self) -> int:
        """Tokens held per sequence."""

    def prompt_parts(self, tokens: int, mask: Int[Tensor, "b t"] | None) -> list[tuple[slice, TakesTokens]]:
        """How to take prompts of so many tokens in: which rows together, and the cache that is theirs."""

    def reorder(self, parents: Int[Tensor, " r"]) -> None:
        """Let every sequence go on from the one whose number it names; both continue the same prompt."""

    def resume(self, copies: int, steps: int | None) -> None:
        """Get ready for more prompt after what is held, which so many sequences will then share."""
