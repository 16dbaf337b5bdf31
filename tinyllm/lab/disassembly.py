"""The recorded machine code of two kernels for an Intel GPU, and the lines of its loads, barriers and loops.

`python -m tinyllm.lab.disassembly` records it again with the installed ocloc.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import torch

DTYPE, GPU = torch.float32, "pvc"
FOLDER = Path(__file__).parents[2] / "book" / "device"
# The recorded kernels, by the name of their file, as `tinyllm.kernels.sycl.isa` names them.
KERNELS: Mapping[str, str] = MappingProxyType({"norm": "norm", "gemv": "linear, 1 row"})
KINDS = {
    "load": re.compile(r"// .*\bload\.ugm\."),
    "store": re.compile(r"// .*\bstore\.ugm\."),
    "local memory": re.compile(r"// .*\b(load|store)\.slm\."),
    "barrier": re.compile(r"\bsync\.bar\b"),
    "1/sqrt": re.compile(r"\bmath\.rsqt\b"),
}
LABEL, JUMP = re.compile(r"(L\d+):"), re.compile(r"\b(L\d+)\b(?!:)")


@dataclass(frozen=True)
class Loop:
    """The first and last line of a loop, counted from 0; the last is a branch to the first."""

    start: int
    end: int


def recorded(kernel: str) -> Path:
    """The file with the machine code of one of `KERNELS`; raises ValueError for another name."""
    if kernel not in KERNELS:
        raise ValueError(f"kernel {kernel!r} is not recorded: expected one of {list(KERNELS)}")
    return FOLDER / f"{kernel}-float32-{GPU}.asm"


def disassemble(kernel: str = "norm") -> str:
    """Compile and disassemble; the first line names the compilers. Raises ToolchainError where one is missing."""
    from tinyllm.kernels.sycl import isa, ocloc
    from tinyllm.kernels.sycl.packages import version

    compiler = ocloc.installed()
    head = f"// {kernel}, float32, {GPU}: {compiler.version}, SPIR-V by intel-sycl-rt {version('intel-sycl-rt')}\n"
    lines = isa.disassemble(KERNELS[kernel], DTYPE, GPU, compiler).splitlines()
    return head + "\n".join(line.rstrip() for line in lines) + "\n"


def read_disassembly(kernel: str = "norm") -> tuple[str, list[str]]:
    """The compilers of the recorded machine code, and its lines."""
    head, *lines = recorded(kernel).read_text().splitlines()
    return head.removeprefix("// "), lines


def kinds_of_lines(lines: list[str]) -> dict[int, str]:
    """Lines that load, store, wait at a barrier or take a root, as (line number, kind)."""
    return {
        i: kind
        for i, line in enumerate(lines)
        for kind, pattern in KINDS.items()
        if pattern.search(line)
    }


def loops(lines: list[str], with_wide_loads: bool = True) -> list[Loop]:
    """The loops, nested ones too; by default only those with loads of 16 bytes a lane."""
    labels = {match[1]: i for i, line in enumerate(lines) if (match := LABEL.match(line))}
    jumps = [
        (labels.get(label, len(lines)), i)
        for i, line in enumerate(lines)
        for label in JUMP.findall(line)
    ]
    found = [Loop(start, end) for start, end in jumps if start < end]
    wide = [
        loop
        for loop in found
        if any("load.ugm.d32x4" in line for line in lines[loop.start : loop.end])
    ]
    return wide if with_wide_loads else found


def without_notes(line: str) -> str:
    """An instruction without its scheduling annotations `{...}` and repeated spaces."""
    code, _, note = line.partition("//")
    note = note.rpartition(";")[2].strip()
    return re.sub(r"\s{2,}", "  ", re.sub(r"\{[^}]*\}", "", code)).strip() + (
        f"  // {note}" if note else ""
    )


def main() -> None:
    """Record the machine code again."""
    for kernel in KERNELS:
        recorded(kernel).write_text(disassemble(kernel))


if __name__ == "__main__":
    main()
