"""A part of a tensor: some of its rows, and some of its columns."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Shaped
from torch import Tensor

from tinyllm.kernels.weights import PackedRows


@dataclass(frozen=True)
class Cut:
    """Ranges of rows, one below the other, and a range of columns; None: all of them.

    >>> Cut(rows=(range(0, 2), range(4, 5)), columns=range(1, 3)).shape((6, 8))
    (3, 2)
    """

    rows: tuple[range, ...] | None = None
    columns: range | None = None

    def shape(self, full: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of the part of a tensor of this shape."""
        rows, *columns = full
        if self.rows is not None:
            rows = sum(map(len, self.rows))
        if self.columns is not None:
            columns = [len(self.columns)]
        return rows, *columns

    def within(self, first: int, count: int) -> Cut:
        """The part of one of several tensors that are stacked: of rows `first` to `first + count`."""
        if self.rows is None:
            return self
        last = first + count
        shifted = [range(max(r.start, first), min(r.stop, last)) for r in self.rows]
        return Cut(
            tuple(range(r.start - first, r.stop - first) for r in shifted if r), self.columns
        )

    def of_rows(self, x: Shaped[Tensor, "n ..."]) -> Shaped[Tensor, "rows ..."]:
        """The rows alone; of one range a view."""
        if self.rows is None:
            return x
        parts = [x[r.start : r.stop] for r in self.rows]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def of(self, x: Shaped[Tensor, "n ..."]) -> Shaped[Tensor, "rows ..."]:
        """The part of a dense tensor."""
        x = self.of_rows(x)
        return x if self.columns is None else x[:, self.columns.start : self.columns.stop]

    def of_blocks(self, rows: PackedRows, name: str) -> PackedRows:
        """The part of rows in blocks, block by block. Raises ValueError for columns that end inside a block."""
        blocks = self.of_rows(rows.blocks)
        if self.columns is not None:
            self.check_blocks(rows.format.elements, name)
            first, last = (rows.format.row_bytes(n) for n in self.edges)
            blocks = blocks[:, first:last]
        return rows._replace(blocks=blocks.contiguous())

    @property
    def edges(self) -> tuple[int, int]:
        """The first column, and the one behind the last."""
        return self.columns.start, self.columns.stop

    def check_blocks(self, elements: int, name: str) -> None:
        """Raise ValueError where the columns of a packed tensor begin or end inside a block."""
        if any(edge % elements for edge in self.edges):
            raise ValueError(
                f"{name}: columns {self.columns.start} to {self.columns.stop} are one rank's part of rows in blocks of "
                f"{elements} weights: expected multiples of {elements}; choose fewer ranks, or other weights"
            )
