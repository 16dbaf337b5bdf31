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

RECORDED = Path(__file__).parents[2] / "book" / "device" / "gemv-registers-pvc.json"
GPU, LANES = "pvc", 16
WEIGHT_ROWS, LARGE = (
    (2, 8, 16, 24, 32),
    "-ze-opt-large-register-file",
)  # 2: as the library builds it
HEAD = ("weight rows", "registers", "spilled bytes", "instructions", "loads", "stores")


class Row(TypedDict):
    """One build: rows of the weight of a work-group, registers of a thread, and what the compiler made of it."""

    weight_rows: int
    registers: int
    spilled: int
    instructions: int
    loads: int
    stores: int


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
            code = read_kernel(Path(folder), "__sycl_kernel_linear")
        yield Row(
            weight_rows=weight_rows,
            registers=code.registers,
            spilled=code.spilled,
            instructions=code.instructions,
            loads=code.loads,
            stores=code.stores,
        )


def made_by() -> str:
    """The installed compilers. Raises ToolchainError where one is missing."""
    from tinyllm.kernels.sycl import ocloc
    from tinyllm.kernels.sycl.packages import version

    return f"{ocloc.installed().version}, SPIR-V by intel-sycl-rt {version('intel-sycl-rt')}"


def read_registers() -> tuple[str, list[Row]]:
    """The compilers of the record, and its rows."""
    record = json.loads(RECORDED.read_text())
    return record["made_by"], record["rows"]


def registers_table(registers: int | None = None) -> str:
    """The record as a table, all of it or for one size of the register file."""
    rows = [row for row in read_registers()[1] if registers in (None, row["registers"])]
    return aligned([HEAD, *(tuple(f"{value:,}" for value in row.values()) for row in rows)])


def main() -> None:
    """Record it again."""
    rows = [row for weight_rows in WEIGHT_ROWS for row in compile_gemv(weight_rows)]
    RECORDED.write_text(json.dumps({"made_by": made_by(), "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
