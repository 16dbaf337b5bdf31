"""Where keys and values are kept: the second seam."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from jaxtyping import Int
from torch import Tensor


@runtime_checkable
class Cache(Protocol):
    """The keys and values of a decoder, as decoder and generation see them.

    `copies` sequences share one stored prompt. A prompt is taken in on one row each; after it, the tokens of the
    sequences that share a prompt come side by side in one row. `branches` is how many tokens at the end of a row
    are continued: 1 in a prompt, `copies` after it.
    """

    copies: int
    branches: int
    layers: Sequence[object]

    @property
    def rows(self) -> int:
        """Sequences held."""

    @property
    def length(self) -> int:
        """Tokens held per sequence."""

    def admit(self, tokens: int, mask: Int[Tensor, "b t"] | None) -> tuple[Int[Tensor, "#b t"], object]:
        """Get ready for so many new tokens in every row: their positions, and what attention may look at."""

    def reorder(self, parents: Int[Tensor, " r"]) -> None:
        """Let every sequence go on from the one whose number it names; both continue the same prompt."""

    def resume(self, copies: int, steps: int | None) -> None:
        """Get ready for more prompt after what is held, which so many sequences will then share."""
