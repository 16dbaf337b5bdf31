"""Kernels that are known to spill registers on Intel GPUs: the bytes of a hardware thread, and why."""

from __future__ import annotations

from typing import NamedTuple

OLD_COMPILER = "Debian 12's offline compiler alone, which rounds up: the newer one spills nothing"


class KnownSpill(NamedTuple):
    """A variant, the reason, and by GPU the most bytes that it spills in any format."""

    name: str
    reason: str
    num_bytes: dict[str, int]


KNOWN_SPILLS: tuple[KnownSpill, ...] = (
    KnownSpill("linear_vector, LayerNorm, gelu, odd", OLD_COMPILER, {"pvc": 2048}),
    KnownSpill("linear_matrix, LayerNorm, gelu, odd", OLD_COMPILER, {"pvc": 4096}),
)
