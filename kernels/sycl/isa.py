"""The machine code that Intel GPUs run, read on a machine that has none.

SPIR-V from our runtime goes through Intel's offline compiler; its register counts and disassembly
show whether a kernel keeps its sums in registers and loads 16 bytes at a time.
`python -m tinyllm.kernels.sycl.isa` rewrites `book/device/isa.md`, and fails where a kernel spills
registers or keeps an array in memory.
"""

from __future__ import annotations

import argparse
import functools
import re
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import torch

from . import ocloc
from .ocloc import Compiler
from .packages import version
from .runtime import SCALARS, Runtime, Source

TABLE = Path(__file__).parents[2] / "book" / "device" / "isa.md"
# The families with their build options: the smallest and the largest GEMV and block of rows. The
# rest lies in between.
VARIANTS: dict[str, tuple[str, dict[str, int | str]]] = {
    "norm": ("norm", {}),
    "rope": ("rope", {}),
    "activation": ("activation", {}),
    "1 row": ("linear", {"ROWS": 1, "NORM": "NO_NORM"}),
    "1 row, RMSNorm": ("linear", {"ROWS": 1, "NORM": "RMS_NORM"}),
    "16 rows, RMSNorm": ("linear", {"ROWS": 16, "NORM": "RMS_NORM"}),
    "16 rows, LayerNorm": ("linear", {"ROWS": 16, "NORM": "LAYER_NORM"}),
    "1 row of 64": ("attention", {"HEAD": 64, "ROWS": 1, "MATRIX": "NONE"}),
    "8 rows of 64": ("attention", {"HEAD": 64, "ROWS": 8, "MATRIX": "NONE"}),
    "2 rows of 256": ("attention", {"HEAD": 256, "ROWS": 2, "MATRIX": "NONE"}),
    "2 rows of 64, matrix": ("attention", {"HEAD": 64, "ROWS": 2, "MATRIX": "DPAS"}),
    "8 rows of 80, matrix": ("attention", {"HEAD": 80, "ROWS": 8, "MATRIX": "DPAS"}),
    "8 rows of 128, matrix": ("attention", {"HEAD": 128, "ROWS": 8, "MATRIX": "DPAS"}),
    "8 rows of 256, matrix": ("attention", {"HEAD": 256, "ROWS": 8, "MATRIX": "DPAS"}),
    "1 row of 64, softcap": ("attention", {"HEAD": 64, "ROWS": 1, "MATRIX": "NONE", "SOFTCAP": 1}),
    "8 rows of 64, softcap": ("attention", {"HEAD": 64, "ROWS": 8, "MATRIX": "NONE", "SOFTCAP": 1}),
    "2 rows of 256, softcap": (
        "attention",
        {"HEAD": 256, "ROWS": 2, "MATRIX": "NONE", "SOFTCAP": 1},
    ),
    "8 rows of 256, matrix, softcap": (
        "attention",
        {"HEAD": 256, "ROWS": 8, "MATRIX": "DPAS", "SOFTCAP": 1},
    ),
    "reduce_partials": ("reduce_partials", {}),
}
COUNTS = (
    "SIMD",
    "registers",
    "spilled bytes",
    "instructions",
    "loads",
    "of 16 bytes",
    "stores",
    "dpas",
)
LABEL = re.compile(r"L\d+:")
# The disassembler's notes: pvc and later name a load, Arc's older messages a read.
LOAD, STORE = (
    re.compile(r"\bsend.*// .*\b(load|read)\b"),
    re.compile(r"\bsend.*// .*\b(store|write)\b"),
)
WIDE = re.compile(r"\bload\.\w+\.d32x4\.|read with xyzw|\(8\|M0\).* rd:4; a64 dword gathering read")


@dataclass(frozen=True)
class Report:
    """One kernel for one GPU: its SIMD width, registers, spilled bytes and instruction counts."""

    kernel: str
    dtype: torch.dtype
    gpu: str
    simd: int
    registers: int
    spilled: int
    instructions: int
    loads: int
    wide_loads: int
    stores: int
    dpas: int


@functools.cache
def spirv(variant: str, dtype: torch.dtype, lanes: int) -> bytes:
    """The SPIR-V of one of `VARIANTS`; raises CompileError, ToolchainError without SYCL."""
    family, macros = VARIANTS[variant]
    host = _host(lanes)
    return host.spirv(Source.file(family), host.options(dtype, **macros))


@functools.cache
def _host(lanes: int) -> Runtime:
    return Runtime(torch.device("cpu"), lanes)


def kernels() -> dict[str, tuple[str, str]]:
    """Every kernel by the name it has in the table: its variant, and its name in the source."""
    found = {}
    for variant, (family, _) in VARIANTS.items():
        for name in Source.file(family).signatures:
            found[f"{name}, {variant}" if family in ("linear", "attention") else name] = (
                variant,
                name,
            )
    return found


def dtypes(variant: str) -> list[torch.dtype]:
    """The formats that a variant is compiled for: the matrix engine takes 16 bits."""
    return [
        dtype
        for dtype in SCALARS
        if VARIANTS[variant][1].get("MATRIX") != "DPAS" or dtype.itemsize == 2
    ]


def disassemble(
    kernel: str, dtype: torch.dtype, gpu: str = "pvc", compiler: Compiler | None = None
) -> str:
    """The machine code of one of `kernels()`, one instruction a line; raises ValueError."""
    if kernel not in kernels():
        raise ValueError(f"kernel {kernel!r}: expected one of {list(kernels())}")
    compiler, (variant, name) = compiler or ocloc.installed(), kernels()[kernel]
    if gpu not in compiler.gpus:
        raise ValueError(f"GPU {gpu!r}: {compiler.version} compiles for {list(compiler.gpus)}")
    with ocloc.scratch() as folder:
        compiler.build(spirv(variant, dtype, compiler.gpus[gpu]), gpu, Path(folder))
        return _text(Path(folder), name)


def reports(compiler: Compiler) -> list[Report]:
    """Every kernel in every dtype for the GPUs of a compiler."""
    for lanes in set(
        compiler.gpus.values()
    ):  # in sequence: the SYCL compiler is called from this thread only
        for variant in VARIANTS:
            for dtype in dtypes(variant):
                spirv(variant, dtype, lanes)
    jobs = [
        (variant, dtype, gpu)
        for gpu in compiler.gpus
        for variant in VARIANTS
        for dtype in dtypes(variant)
    ]
    with ThreadPoolExecutor(2) as pool:
        return [
            report
            for made in pool.map(lambda job: variant_reports(compiler, *job), jobs)
            for report in made
        ]


def variant_reports(compiler: Compiler, variant: str, dtype: torch.dtype, gpu: str) -> list[Report]:
    """The kernels of one of `VARIANTS`."""
    with ocloc.scratch() as name:
        folder = Path(name)
        compiler.build(spirv(variant, dtype, compiler.gpus[gpu]), gpu, folder)
        info = (folder / ".ze_info").read_text()
        selected = ((title, kernel) for title, (of, kernel) in kernels().items() if of == variant)
        return [Report(title, dtype, gpu, *_registers(info, kernel), *_count(_text(folder, kernel)))
                for title, kernel in selected]  # fmt: skip


def _text(folder: Path, kernel: str) -> str:
    return (folder / f".text.__sycl_kernel_{kernel}.asm").read_text()


def _registers(info: str, kernel: str) -> tuple[int, int, int]:
    """SIMD width, registers, and spilled bytes (registers and arrays), as the compiler reports."""
    (entry,) = (part for part in info.split("kernels_misc_info:")[0].split("- name:")[1:]
                if part.split()[0] == f"__sycl_kernel_{kernel}")  # fmt: skip
    fields = {
        name: int(value) for name, value in re.findall(r"(\w+): +(\d+)\s*$", entry, re.MULTILINE)
    }
    # Releases before spill_size and private_size name the buffers for them instead.
    buffers = entry.partition("per_thread_memory_buffers:")[2]
    buffer = sum(map(int, re.findall(r"size: +(\d+)", buffers)))
    spilled = max(fields.get("spill_size", 0) + fields.get("private_size", 0), buffer)
    return fields["simd_size"], fields["grf_count"], spilled


def _count(text: str) -> tuple[int, int, int, int, int]:
    """Instructions, loads, those of 16 bytes a lane, stores, and matrix instructions."""
    lines = [
        line
        for line in text.splitlines()
        if line.strip() and not LABEL.match(line) and "illegal" not in line
    ]
    found = (sum(bool(pattern.search(line)) for line in lines) for pattern in (LOAD, WIDE, STORE))
    return len(lines), *found, sum("dpas" in line for line in lines)


def section(compiler: Compiler, rows: Iterable[Report]) -> str:
    """A table of reports, under a heading with the compilers that made them."""
    lines = [
        f"## {', '.join(compiler.gpus)}: {compiler.version}, SPIR-V by intel-sycl-rt {version('intel-sycl-rt')}",
        "",
        f"| kernel | dtype | GPU | {' | '.join(COUNTS)} |",
        "|---" * (3 + len(COUNTS)) + "|",
    ]
    for r in sorted(
        rows, key=lambda r: (list(kernels()).index(r.kernel), list(SCALARS).index(r.dtype))
    ):
        dtype = str(r.dtype).removeprefix("torch.")
        numbers = (
            r.simd,
            r.registers,
            r.spilled,
            r.instructions,
            r.loads,
            r.wide_loads,
            r.stores,
            r.dpas,
        )
        lines.append(f"| {r.kernel} | {dtype} | {r.gpu} | {' | '.join(map(str, numbers))} |")
    return "\n".join(lines) + "\n"


PREFACE = """# The machine code of the SYCL kernels

Made by `python -m tinyllm.kernels.sycl.isa` on a machine without a GPU; `--newer` makes the second
table. SIMD is the number of work-items in one instruction. Spilled bytes must be 0: registers that
the compiler ran out of, and arrays that it kept in memory. Loads and stores count instructions in
the text, not executions, and include the scalar path for rows that are not aligned; "of 16 bytes"
are the widest that a lane can do. Matrix instructions (dpas) serve where many rows meet the same
keys, in segment_attention; the other kernels are bound by bytes.

"""


def sections(text: str) -> Iterator[str]:
    """The sections of a page, without its preface."""
    return (f"## {part}" for part in text.split("\n## ")[1:])


def main(arguments: list[str] | None = None) -> int:
    """Rewrite the page, or its second table with --newer; returns 1 where a kernel spills."""
    parser = argparse.ArgumentParser(
        prog="python -m tinyllm.kernels.sycl.isa", description=__doc__.split("\n")[0]
    )
    parser.add_argument(
        "--newer",
        action="store_true",
        help="fetch Debian unstable's ocloc, and rewrite its table only",
    )
    with ocloc.scratch() as folder:
        newer = parser.parse_args(arguments).newer
        compiler = ocloc.newer(Path(folder)) if newer else ocloc.installed()
        rows = reports(compiler)
    kept = [part for part in sections(TABLE.read_text() if TABLE.exists() else "")
            if part.startswith("## pvc") == newer]  # fmt: skip
    parts = [*kept, section(compiler, rows)] if newer else [section(compiler, rows), *kept]
    TABLE.parent.mkdir(parents=True, exist_ok=True)
    TABLE.write_text(PREFACE + "\n".join(part.rstrip("\n") + "\n" for part in parts))
    spilling = [row for row in rows if row.spilled]
    for row in spilling:
        print(f"{row.kernel}, {row.dtype}, {row.gpu}: {row.spilled} bytes spilled", file=sys.stderr)
    print(f"{TABLE}: {len(rows)} rows, {len(spilling)} of them spill")
    return 1 if spilling else 0


if __name__ == "__main__":
    sys.exit(main())
