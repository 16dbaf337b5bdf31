"""When a kernel spills: our GEMV with more and more rows of the weight in registers, by Intel's offline compiler.

`python -m tinyllm.lab.registers` records it again with the installed ocloc.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TypedDict

import torch

from tinyllm.bench.table import aligned
from tinyllm.lab.disassembly import loops, without_notes

RECORDED = Path(__file__).parents[2] / "book" / "device" / "gemv-registers-pvc.json"
GPU, LANES = "pvc", 16
KERNEL, KINDS = "__sycl_kernel_linear", ("write", "read")
WEIGHT_ROWS, LARGE = (
    (2, 8, 16, 24, 32),
    "-ze-opt-large-register-file",
)  # 2: as the library builds it
HEAD = ("weight rows", "registers", "spilled bytes", "instructions", "scratch in loop")
SCRATCH = "scratch block"  # in the disassembler's note of an instruction that spills a register or restores it


class Row(TypedDict):
    """One build: rows of the weight of a work-group, registers of a thread, and what the compiler made of it.

    `scratch_in_loop`: instructions of the walk along k that spill registers or restore them. `example`: one of each.
    """

    weight_rows: int
    registers: int
    spilled: int
    instructions: int
    scratch_in_loop: int
    example: list[str]


def compile_gemv(weight_rows: int) -> Iterator[Row]:
    """Build the GEMV for one row in bfloat16 with 128 and with 256 registers. Raises ToolchainError, CompileError."""
    from tinyllm.kernels.machine_code import read_kernel
    from tinyllm.kernels.sycl import ocloc
    from tinyllm.kernels.sycl.runtime import Runtime, Source

    host, compiler = Runtime(torch.device("cpu"), LANES), ocloc.installed()
    macros = {"ROWS": 1, "NORM": "NO_NORM", "FORMAT": "Dense", "WEIGHT_ROWS": weight_rows}
    spirv = host.spirv(Source.file("linear"), host.options(torch.bfloat16, **macros))
    for options in ("", LARGE):
        with ocloc.scratch() as folder:
            compiler.build(spirv, GPU, Path(folder), options)
            code = read_kernel(Path(folder), KERNEL)
            lines = (Path(folder) / f".text.{KERNEL}.asm").read_text().splitlines()
        yield Row(
            weight_rows=weight_rows,
            registers=code.registers,
            spilled=code.spilled,
            instructions=code.instructions,
            scratch_in_loop=len(scratch_lines(lines, in_loop=True)),
            example=example_of(scratch_lines(lines)),
        )


def scratch_lines(lines: list[str], *, in_loop: bool = False) -> list[str]:
    """The instructions that spill a register or restore one, of the loop with wide loads or of the complete kernel."""
    parts = [lines[loop.start : loop.end + 1] for loop in loops(lines)] if in_loop else [lines]
    return [without_notes(line) for part in parts for line in part if SCRATCH in line]


def example_of(scratch: list[str]) -> list[str]:
    """The first instruction that spills and the first that restores; nothing where there are none."""
    first = (next((line for line in scratch if kind in line), None) for kind in KINDS)
    return [line for line in first if line is not None]


def made_by() -> str:
    """The installed compilers. Raises ToolchainError where one is missing."""
    from tinyllm.kernels.sycl import ocloc
    from tinyllm.kernels.sycl.packages import version

    return f"{ocloc.installed().version}, SPIR-V by intel-sycl-rt {version('intel-sycl-rt')}"


def read_registers() -> tuple[str, list[Row]]:
    """The compilers of the record, and its rows."""
    record = json.loads(RECORDED.read_text())
    return record["made_by"], record["rows"]


def registers_table() -> str:
    """The record as a table: a line for each build."""
    shown = list(Row.__annotations__)[: len(HEAD)]
    return aligned([HEAD, *(tuple(f"{row[name]:,}" for name in shown) for row in _rows())])


def spill_example(weight_rows: int = 24) -> str:
    """Two instructions of a build with 128 registers: one spills a register, the other restores one."""
    (row,) = (
        row for row in _rows() if (row["weight_rows"], row["registers"]) == (weight_rows, 128)
    )
    return "\n".join(row["example"])


def _rows() -> list[Row]:
    return read_registers()[1]


def main() -> None:
    """Record it again."""
    rows = [row for weight_rows in WEIGHT_ROWS for row in compile_gemv(weight_rows)]
    RECORDED.write_text(json.dumps({"made_by": made_by(), "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
