"""The functions that the code of a GPU calls and its driver defines, for the CPU: `gpu_functions.cl`."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable
from pathlib import Path

from .spirv import instructions

SOURCE = Path(__file__).with_suffix(".cl")
DECORATE = 71
LINKAGE_ATTRIBUTES = 41
IMPORT = 1
DPAS = re.compile(r"intel_sub_group_(bf16|f16)_\1_matrix_mad_k16")
BLOCK = re.compile(r"intel_sub_group_2d_block_([a-z_]+)_(\d+)b_(\d+)r(\d+)x(\d+)c")


def missing_functions(spirv: bytes) -> list[str]:
    """The names of functions that a module calls and does not define, as C++ spells them with their types."""
    words = struct.unpack(f"<{len(spirv) // 4}I", spirv)
    found: dict[str, None] = {}
    for instruction in instructions(words):
        operands = instruction[1:]
        is_linkage = instruction[0] & 0xFFFF == DECORATE and operands[1] == LINKAGE_ATTRIBUTES
        if is_linkage and operands[-1] == IMPORT:
            text = struct.pack(f"<{len(operands) - 3}I", *operands[2:-1])
            found[text.split(b"\0")[0].decode()] = None
    return list(found)


def calls_of(names: Iterable[str]) -> list[str]:
    """Those of the functions that belong to a GPU, as `gpu_functions.cl` makes them: "READ(16, 8, 16, 2)"."""
    calls = []
    for name in names:
        if found := DPAS.search(name):
            calls.append(f"DPAS({found[1]})")
        elif found := BLOCK.search(name):
            kind, *sizes = found.groups()
            calls.append(f"{kind.upper()}({', '.join(sizes)})")
    return sorted(calls)


def source_of(calls: Iterable[str]) -> str:
    """OpenCL C of these functions; "" for none."""
    lines = "\n".join(calls)
    return f"{SOURCE.read_text()}{lines}\n" if lines else ""
