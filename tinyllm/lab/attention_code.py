"""The machine code of the Triton kernel of attention for a Battlemage GPU: its matrix instructions and 2D blocks.

`python -m tinyllm.lab.attention_code` records it again with Intel's Triton and Debian's newest ocloc.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tinyllm.lab.disassembly import loops, without_notes

VARIANT, DTYPE, GPU = "attention, beams, split", "bf16", "bmg"
RECORDED = Path(__file__).parents[2] / "book" / "device" / f"attention-{DTYPE}-{GPU}.asm"
REGISTER = 64  # bytes
BLOCK = re.compile(r"\bload_block2d\.ugm\.(\w+)")
LENGTH = re.compile(r"\brd:(\d+)")
LONGEST = 31  # the field has five bits; this value is 32 registers
TRANSPOSED, PAIRED = (
    "d32t",
    "d16v",
)  # layouts of a block: pairs of elements transposed; two rows to a register


@dataclass(frozen=True)
class LoopCode:
    """A loop over tiles of keys: its instructions, its dpas, and the bytes that its 2D blocks load of one tile."""

    instructions: int
    dpas: int
    key_loads: int
    key_bytes: int
    value_loads: int
    value_bytes: int
    prefetches: int


def attention_code(path: Path = RECORDED) -> tuple[str, list[str]]:
    """The compilers of the recorded machine code, and its lines."""
    head, *lines = path.read_text().splitlines()
    return head.removeprefix("// "), lines


def matrix_loops(lines: list[str]) -> list[LoopCode]:
    """The loops with matrix instructions, in the order of the code."""
    bodies = [lines[loop.start : loop.end + 1] for loop in loops(lines, with_wide_loads=False)]
    return [_loop_code(body) for body in bodies if any("dpas" in line for line in body)]


def first_line(lines: list[str], text: str) -> str:
    """The first instruction with a text, without annotations and message descriptors. Raises LookupError."""
    for line in lines:
        if text in line:
            return re.sub(r"  null:0(  0x\w+)+", "", without_notes(line))
    raise LookupError(f"no instruction with {text!r} in this code")


def _loop_code(body: list[str]) -> LoopCode:
    registers: dict[str, list[int]] = {TRANSPOSED: [], PAIRED: []}
    prefetches = 0
    for line in body:
        if block := BLOCK.search(line):
            length = int(LENGTH.search(line)[1])
            if length == 0:
                prefetches += 1
            else:
                registers[block[1]].append(length + (length == LONGEST))
    keys, values = registers[TRANSPOSED], registers[PAIRED]
    return LoopCode(
        instructions=sum(bool(line.strip()) and not re.match(r"L\d+:", line) for line in body),
        dpas=sum("dpas" in line for line in body),
        key_loads=len(keys),
        key_bytes=REGISTER * sum(keys),
        value_loads=len(values),
        value_bytes=REGISTER * sum(values),
        prefetches=prefetches,
    )


def disassemble(folder: Path) -> str:
    """Compile and disassemble; the first line names the compilers. Raises ToolchainError where one is missing."""
    from tinyllm.kernels.triton import isa
    from tinyllm.kernels.triton.xpu.compiler import RELEASE

    offline = isa.newer_compiler(folder)
    (module,) = isa.compiled_modules(isa.TARGETS[GPU], folder, [VARIANT], [DTYPE])
    offline.build(Path(module.path).read_bytes(), GPU, folder, module.options)
    text = (folder / f".text.{module.kernel}.asm").read_text()
    head = f"// {VARIANT}, {DTYPE}, {GPU}: {offline.version}, SPIR-V by triton-xpu {RELEASE}\n"
    return (
        head + "\n".join(re.sub(r" {3,}", "  ", line).strip() for line in text.splitlines()) + "\n"
    )


def main() -> None:
    """Record the machine code again."""
    from tinyllm.kernels.sycl import ocloc

    with ocloc.scratch() as folder:
        RECORDED.write_text(disassemble(Path(folder)))


if __name__ == "__main__":
    main()
