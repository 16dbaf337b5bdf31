"""Kernels that are known to spill registers on Intel GPUs: the bytes of a hardware thread, and why."""

from __future__ import annotations

from typing import NamedTuple

OLD_COMPILER = "Debian 12's offline compiler alone, which rounds up: the newer one spills nothing"

# In bf16 192 bytes on pvc at most, and none on the others.
MANY_BLOCKS = (
    "in fp16: the queries of a tile are put together from a block for each of 16 sequences"
)
MANY_BLOCKS_BYTES = {"pvc": 28800, "bmg": 28800, "lnl": 28800}

LARGE_VALUES = "a tile of values is 16 keys at least, and all of it is converted before the matmul"


class KnownSpill(NamedTuple):
    """A variant, the reason, and by GPU the most bytes that it spills in any format."""

    name: str
    reason: str
    num_bytes: dict[str, int]


KNOWN_SPILLS: tuple[KnownSpill, ...] = (
    KnownSpill("linear_vector, LayerNorm, gelu, odd", OLD_COMPILER, {"pvc": 2048}),
    KnownSpill("linear_matrix, LayerNorm, gelu, odd", OLD_COMPILER, {"pvc": 4096}),
    KnownSpill("packed_matrix, Q4_K, queries of Llama", OLD_COMPILER, {"pvc": 512}),
    KnownSpill("packed_vector, Q6_K, gated", OLD_COMPILER, {"pvc": 128}),
    *(
        KnownSpill(f"attention, {name}, split{more}", MANY_BLOCKS, MANY_BLOCKS_BYTES)
        for name in ("beams of 3 words, grouped heads", "samples of grouped heads in tiles")
        for more in ("", ", softcap, window", ", int8")
    ),
    KnownSpill(
        "attention, large heads, int8", LARGE_VALUES, {"pvc": 12864, "bmg": 29888, "lnl": 29888}
    ),
)
