"""A case of a table, and the random tensors that its arguments are made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from tinyllm.kernels.block_formats import BlockFormat
from tinyllm.kernels.weights import PackedRows


class Draw:
    """Reproducible random tensors of one format on one device."""

    def __init__(self, seed: int, dtype: torch.dtype, device: torch.device) -> None:
        self.generator = torch.Generator("cpu").manual_seed(seed)
        self.dtype = dtype
        self.device = device

    def __call__(self, *shape: int, scale: float = 1.0) -> Tensor:
        values = torch.randn(shape, generator=self.generator, dtype=torch.float32, device="cpu")
        return (scale * values).to(self.device, self.dtype)

    def integers(self, high: int, *shape: int) -> Tensor:
        """Numbers from 0 to below `high`."""
        return torch.randint(
            high, shape, generator=self.generator, dtype=torch.int32, device="cpu"
        ).to(self.device)

    def numbers(self, end: int, start: int = 0) -> Tensor:
        """start, start + 1, ... below `end`."""
        return torch.arange(start, end, dtype=torch.int64, device=self.device)

    def slopes(self, heads: int) -> Tensor:
        """ALiBi's of so many heads."""
        return 2.0 ** -self.numbers(heads + 1, start=1).float()

    def strided(self, rows: int, width: int) -> Tensor:
        """Rows that are not adjacent in memory: the first `width` columns of a wider matrix."""
        return self(rows, width + 3)[:, :width]

    def packed(self, block_format: BlockFormat, n: int, k: int) -> PackedRows:
        """Random codes and scales [n, k] in planes; the weights' root mean square is about k^-0.5."""
        blocks = self.integers(256, n, block_format.row_bytes(k)).to(torch.uint8)
        rows = PackedRows(blocks, block_format, planar=True)
        dtype = block_format.scale_dtype
        numbers = ("scale", "minimum", "zero", "value")
        fields = {name: rows.fields[name] for name in numbers if name in rows.fields}
        for field in fields.values():
            field.view(dtype).copy_(self(*field.shape[:2], 1))
        scale = k**-0.5 / rows.unpack().square().mean().sqrt()
        for name, field in fields.items():
            if name != "zero":
                field.view(dtype).mul_(scale)
        return rows


@dataclass(frozen=True)
class Case:
    """One row of a table: `make(draw)` gives the arguments.

    `packed`: the weight among them is in blocks; `int8`: keys and values are stored in int8.
    """

    title: str
    make: Callable[[Draw], dict[str, Any]]
    packed: bool = False
    int8: bool = False

    @property
    def arguments(self) -> frozenset[str]:
        """The names of the arguments."""
        return frozenset(self._cpu_arguments())

    @property
    def kind(self) -> tuple[frozenset[str], bool, bool, bool]:
        """What cases have in common that differ in sizes and numbers alone: arguments, formats, one row or several."""
        arguments = self._cpu_arguments()
        x = arguments.get("x")
        has_one_row = x is not None and x.numel() == x.shape[-1]
        return frozenset(arguments), self.packed, self.int8, has_one_row

    def _cpu_arguments(self) -> dict[str, Any]:
        return self.make(Draw(0, torch.float32, torch.device("cpu")))


Run = tuple[Case, torch.dtype]


def complete_runs(cases: Sequence[Case], dtypes: Sequence[torch.dtype]) -> list[Run]:
    """Every case in every dtype."""
    return [(case, dtype) for dtype in dtypes for case in cases]


def sampled_runs(cases: Sequence[Case], dtypes: Sequence[torch.dtype]) -> list[Run]:
    """The first case in every dtype but the last; in that, the first case of each kind."""
    first_of_kind: dict[tuple, Case] = {}
    for case in cases:
        first_of_kind.setdefault(case.kind, case)
    sampled = list(first_of_kind.values())
    return [*complete_runs(cases[:1], dtypes[:-1]), *complete_runs(sampled, dtypes[-1:])]
