"""What ranks send each other: sums of rows of the residual stream, and logits."""

from __future__ import annotations

from dataclasses import dataclass

from tinyllm.config import DecoderConfig


@dataclass(frozen=True)
class Messages:
    """Sums over all ranks in one forward pass, of so many bytes each, and the bytes of one rank's logits."""

    sums: int
    bytes_of_sum: int
    logits_bytes: int

    @property
    def nbytes(self) -> int:
        """Bytes that one rank contributes to all of them."""
        return self.sums * self.bytes_of_sum + self.logits_bytes


def step_messages(config: DecoderConfig, rows: int, size: int, last_rows: int = 0) -> Messages:
    """Those of a pass of so many rows, of elements of `size` bytes; none of a single rank.

    Each layer has a sum behind attention and one behind the feed-forward block, or one of both where they are
    parallel; a tied embedding has one more. The logits are those of `last_rows`, or of all rows.
    """
    if config.part is None:
        return Messages(0, 0, 0)
    of_layer = 1 if config.parallel else 2
    sums = of_layer * config.num_hidden_layers + config.tie_word_embeddings
    logits = size * (last_rows or rows) * config.head_rows
    return Messages(sums, size * rows * config.hidden_size, logits)
