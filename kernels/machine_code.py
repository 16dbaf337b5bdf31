"""What Intel's offline compiler made of a kernel: registers, spills, and instructions by kind."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

LABEL = re.compile(r"L\d+:")
JUMP = re.compile(r"\b(L\d+)\b(?!:)")
# The disassembler's notes: pvc and later name a load, Arc's older messages a read.
LOAD = re.compile(r"\bsend.*// .*\b(load\w*|read)\b")
STORE = re.compile(r"\bsend.*// .*\b(store\w*|write)\b")
# 16 bytes a lane, the most that a lane can load
WIDE = re.compile(
    r"\bload\.ugm\.d(32x4|64x2)\.|read with xyzw|\(8\|M0\).* rd:4; a64 dword gathering read"
)
BLOCK_2D = re.compile(r"\b(load|store)_block2d")


@dataclass(frozen=True)
class MachineCode:
    """One kernel for one GPU.

    `spilled`: bytes of a hardware thread, of registers that did not fit and of arrays; `local_memory`: bytes of a
    work-group; loads, wide loads, 2D blocks, stores and dpas count instructions of the text, not executions.
    """

    simd: int
    registers: int
    spilled: int
    local_memory: int
    instructions: int
    loads: int
    wide_loads: int
    blocks: int
    stores: int
    dpas: int


def read_kernel(folder: Path, name: str) -> MachineCode:
    """The kernel `name` of a binary that `ocloc.Compiler.build` disassembled into `folder`."""
    fields = _fields((folder / ".ze_info").read_text(), name)
    lines = _instructions((folder / f".text.{name}.asm").read_text())
    return MachineCode(
        simd=fields["simd_size"],
        registers=fields["grf_count"],
        spilled=fields["spilled"],
        local_memory=fields.get("slm_size", 0),
        instructions=len(lines),
        loads=_count(lines, LOAD),
        wide_loads=_count(lines, WIDE),
        blocks=_count(lines, BLOCK_2D),
        stores=_count(lines, STORE),
        dpas=sum("dpas" in line for line in lines),
    )


def _fields(info: str, name: str) -> dict[str, int]:
    """The numbers of a kernel's entry in .ze_info, and `spilled`."""
    entries = info.split("kernels_misc_info:")[0].split("- name:")[1:]
    (entry,) = (part for part in entries if part.split()[0] == name)
    found = re.findall(r"(\w+): +(\d+)\s*$", entry, re.MULTILINE)
    fields = {key: int(value) for key, value in found}
    # Releases before spill_size and private_size name the buffers for them instead.
    buffers = entry.partition("per_thread_memory_buffers:")[2]
    buffer_bytes = sum(map(int, re.findall(r"size: +(\d+)", buffers)))
    spilled = fields.get("spill_size", 0) + fields.get("private_size", 0)
    return fields | {"spilled": spilled or buffer_bytes}


def _instructions(text: str) -> list[str]:
    return [
        line
        for line in text.splitlines()
        if line.strip() and not LABEL.match(line) and "illegal" not in line
    ]


def _count(lines: list[str], pattern: re.Pattern) -> int:
    return sum(bool(pattern.search(line)) for line in lines)


def sections(text: str) -> Iterator[str]:
    """The sections of a page, without its preface."""
    return (f"## {part}" for part in text.split("\n## ")[1:])


def replace_section(page: Path, preface: str, section: str, newer: bool) -> None:
    """Write a page of two tables anew: that of the installed compiler, then that of the newer one."""
    old = page.read_text() if page.exists() else ""
    kept = [part for part in sections(old) if is_newer(part) != newer]
    parts = [*kept, section] if newer else [section, *kept]
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(preface + "\n".join(part.rstrip("\n") + "\n" for part in parts))


def is_newer(section: str) -> bool:
    """Whether a section is the newer compiler's, which does not begin with Debian 12's GPUs."""
    return not section.startswith("## pvc")
