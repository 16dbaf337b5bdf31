"""Kernels that are known to spill registers on Intel GPUs: the bytes of a hardware thread, and why."""

from __future__ import annotations

from typing import NamedTuple

OLD_COMPILER = "Debian 12's offline compiler alone, which rounds up: the newer one spills nothing"
# Without the bias the same tile spills nothing; least: 3648 bytes, with tiles of 16 keys and one stage.
ALIBI = "a bias for each row and key; why it takes so many registers was not found"
# Least: 320 bytes, with tiles of 32 keys.
GROUPED_HEADS = "queries come in a block for each sequence, and are merged"
# In bf16 the same tiles spill nothing, or 64 bytes. Least: 8 KB, with tiles of 16 or 32 keys.
LARGE_HEADS = "in fp16; sums and queries of 256 elements take three quarters of the registers"
FEW = "in fp16, a few registers too many; in bf16 none"


class KnownSpill(NamedTuple):
    """A variant, the reason, and by GPU the most bytes that it spills in any format."""

    name: str
    reason: str
    num_bytes: dict[str, int]


KNOWN_SPILLS: tuple[KnownSpill, ...] = (
    KnownSpill("linear_vector, LayerNorm, gelu, odd", OLD_COMPILER, {"pvc": 2048}),
    KnownSpill("linear_matrix, LayerNorm, gelu, odd", OLD_COMPILER, {"pvc": 4096}),
    KnownSpill("attention, one sequence, split", FEW, {"bmg": 320, "lnl": 320, "pvc": 192}),
    KnownSpill("attention, beams, split", FEW, {"bmg": 192, "lnl": 192, "pvc": 128}),
    KnownSpill(
        "attention, beams of grouped heads of 96",
        GROUPED_HEADS,
        {"bmg": 3712, "lnl": 3712, "pvc": 2304},
    ),
    KnownSpill(
        "attention, beams of grouped heads of 96, softcap, window",
        GROUPED_HEADS,
        {"bmg": 3392, "lnl": 3392, "pvc": 2368},
    ),
    KnownSpill(
        "attention, many rows, padded, ALiBi", ALIBI, {"bmg": 33472, "lnl": 33472, "pvc": 32832}
    ),
    KnownSpill(
        "attention, many rows, padded, ALiBi, softcap, window",
        ALIBI,
        {"bmg": 32640, "lnl": 32640, "pvc": 32640},
    ),
    KnownSpill(
        "attention, many rows, padded, ALiBi of 80",
        ALIBI,
        {"bmg": 32832, "lnl": 32832, "pvc": 32832},
    ),
    KnownSpill(
        "attention, many rows, padded, ALiBi of 80, softcap, window",
        ALIBI,
        {"bmg": 32640, "lnl": 32640, "pvc": 32640},
    ),
    KnownSpill("attention, large heads", LARGE_HEADS, {"bmg": 8832, "lnl": 8832, "pvc": 13568}),
    KnownSpill(
        "attention, large heads, softcap, window",
        LARGE_HEADS,
        {"bmg": 9600, "lnl": 9600, "pvc": 14272},
    ),
    KnownSpill("prefill, large heads", LARGE_HEADS, {"bmg": 8256, "lnl": 8256, "pvc": 8256}),
    KnownSpill(
        "prefill, large heads, softcap, window",
        LARGE_HEADS,
        {"bmg": 9344, "lnl": 9344, "pvc": 9664},
    ),
)
