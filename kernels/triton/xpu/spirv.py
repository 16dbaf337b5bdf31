"""SPIR-V as a list of instructions, to leave out what Intel's OpenCL driver for the CPU refuses."""

from __future__ import annotations

import struct
from collections.abc import Iterator

HEADER_WORDS = 5
# Opcodes
EXTENSION = 10
EXECUTION_MODE = 16
CAPABILITY = 17
# A hint for the compiler, the size of the largest work-group: the driver for the CPU does not know it.
KERNEL_ATTRIBUTES = 5892
MAX_WORK_GROUP_SIZE = 5893


def for_cpu(spirv: bytes) -> bytes:
    """The same module without the hint, its capability and its extension; nothing else is changed."""
    words = struct.unpack(f"<{len(spirv) // 4}I", spirv)
    kept = list(words[:HEADER_WORDS])
    for instruction in instructions(words):
        if not is_hint(instruction):
            kept += instruction
    return struct.pack(f"<{len(kept)}I", *kept)


def instructions(words: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """The words of each instruction; the first has its length and its opcode."""
    start = HEADER_WORDS
    while start < len(words):
        length = words[start] >> 16
        yield words[start : start + length]
        start += length


def is_hint(instruction: tuple[int, ...]) -> bool:
    """Whether an instruction gives or declares the largest work-group."""
    opcode = instruction[0] & 0xFFFF
    operands = instruction[1:]
    if opcode == CAPABILITY:
        return operands[0] == KERNEL_ATTRIBUTES
    if opcode == EXTENSION:
        text = struct.pack(f"<{len(operands)}I", *operands)
        return text.startswith(b"SPV_INTEL_kernel_attributes")
    return opcode == EXECUTION_MODE and operands[1] == MAX_WORK_GROUP_SIZE
