"""Kernels that are known to spill registers on Intel GPUs: the bytes of a hardware thread, and why."""

from __future__ import annotations

from typing import NamedTuple

# 16 bits at a time come from local memory into full registers; each sub-group holds all keys of a tile.
OPERANDS = "the operands of tl.dot, loaded through masks, take more registers than there are"
ODD_SIZES = "loads of single elements, whose addresses and masks fill the registers"


class KnownSpill(NamedTuple):
    """A variant, the reason, and by GPU the most bytes that it spills in any format."""

    name: str
    reason: str
    num_bytes: dict[str, int]


# Only Debian 12's compiler spills here, scratch rounded up; the newer one does not, on pvc either.
KNOWN_SPILLS: tuple[KnownSpill, ...] = (
    KnownSpill("linear_vector, LayerNorm, gelu, odd", ODD_SIZES, {"pvc": 2048}),
)
