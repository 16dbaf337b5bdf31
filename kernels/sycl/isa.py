"""The machine code that Intel GPUs run, read on a machine that has none.

SPIR-V from our runtime goes through Intel's offline compiler; its register counts and disassembly
show whether a kernel keeps its sums in registers and loads 16 bytes at a time.
`python -m tinyllm.kernels.sycl.isa` rewrites `book/device/isa.md`, and fails where a kernel spills
registers or keeps an array in memory.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import torch

from ..machine_code import MachineCode, read_kernel, replace_section
from ..packed import GPU_FORMATS
from . import build, ocloc
from .ocloc import Compiler
from .packages import version
from .runtime import SCALARS, Runtime, Source

TABLE = Path(__file__).resolve().parents[2] / "book" / "device" / "isa.md"
# The families with their build options: the smallest and the largest GEMV and block of rows, and of
# packed weights those that need most registers. The rest lies in between.
VARIANTS: dict[str, tuple[str, dict[str, int | str]]] = {
    "norm": ("norm", {}),
    "rope": ("rope", {}),
    "activation": ("activation", {}),
    "1 row": ("linear", {"ROWS": 1, "NORM": "NO_NORM", "FORMAT": "Dense"}),
    "1 row, RMSNorm": ("linear", {"ROWS": 1, "NORM": "RMS_NORM", "FORMAT": "Dense"}),
    "16 rows, RMSNorm": ("linear", {"ROWS": 16, "NORM": "RMS_NORM", "FORMAT": "Dense"}),
    "16 rows, LayerNorm": ("linear", {"ROWS": 16, "NORM": "LAYER_NORM", "FORMAT": "Dense"}),
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
    "1 row of 128, int8": ("attention", {"HEAD": 128, "ROWS": 1, "MATRIX": "NONE", "INT8": 1}),
    "4 rows of 128, int8": ("attention", {"HEAD": 128, "ROWS": 4, "MATRIX": "NONE", "INT8": 1}),
    "8 rows of 128, matrix, int8": (
        "attention",
        {"HEAD": 128, "ROWS": 8, "MATRIX": "DPAS", "INT8": 1},
    ),
    "8 rows of 256, matrix, int8": (
        "attention",
        {"HEAD": 256, "ROWS": 8, "MATRIX": "DPAS", "INT8": 1},
    ),
    "reduce_partials": ("reduce_partials", {}),
    **{
        f"1 row, RMSNorm, {name}": ("linear", {"ROWS": 1, "NORM": "RMS_NORM", "FORMAT": name})
        for name in GPU_FORMATS
    },
    **{
        f"{rows} rows, {title}, {name}": ("linear", {"ROWS": rows, "NORM": norm, "FORMAT": name})
        for name in ("Q5_K", "Q6_K")
        for rows, title, norm in ((16, "RMSNorm", "RMS_NORM"), (8, "LayerNorm", "LAYER_NORM"))
    },
    "Q5_K": ("unpack", {"FORMAT": "Q5_K"}),
    "Q6_K": ("unpack", {"FORMAT": "Q6_K"}),
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


@dataclass(frozen=True)
class Report:
    """One kernel for one GPU."""

    kernel: str
    dtype: torch.dtype
    gpu: str
    code: MachineCode


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
            found[f"{name}, {variant}" if family in ("linear", "attention", "unpack") else name] = (
                variant,
                name,
            )
    return found


def dtypes(variant: str, lanes: int = 16) -> list[torch.dtype]:
    """The formats that a variant is compiled for: the matrix engine takes 16 bits, that of Arc A no int8."""
    options = VARIANTS[variant][1]
    has_matrix = options.get("MATRIX") == "DPAS"
    if has_matrix and "INT8" in options and lanes == 8:
        return []
    return [dtype for dtype in SCALARS if not has_matrix or dtype.itemsize == 2]


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


def reports(compiler: Compiler, sample: int = 1) -> list[Report]:
    """Every kernel in every dtype for the GPUs of a compiler; of variants one in `sample`."""
    jobs = [
        (variant, dtype, gpu)
        for gpu, lanes in compiler.gpus.items()
        for variant in VARIANTS
        for dtype in dtypes(variant, lanes)
    ][::sample]
    for variant, dtype, gpu in jobs:
        # in sequence: the SYCL compiler is called from this thread only
        spirv(variant, dtype, compiler.gpus[gpu])
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
        selected = ((title, kernel) for title, (of, kernel) in kernels().items() if of == variant)
        return [
            Report(title, dtype, gpu, read_kernel(folder, f"__sycl_kernel_{kernel}"))
            for title, kernel in selected
        ]


def _text(folder: Path, kernel: str) -> str:
    return (folder / f".text.__sycl_kernel_{kernel}.asm").read_text()


def title(compiler: Compiler) -> str:
    """The heading of a table: its GPUs, and the compilers that made it."""
    spirv_by = f"SPIR-V by intel-sycl-rt {version('intel-sycl-rt')}"
    return f"## {', '.join(compiler.gpus)}: {compiler.version}, {spirv_by}"


def sources() -> str:
    """A digest of what a table is made of: the sources, and the variants with their build options."""
    names = dict.fromkeys(family for family, _ in VARIANTS.values())
    texts = (Source.file(name).text for name in names)
    return build.digest(*texts, build.header(), repr(VARIANTS))


def section(compiler: Compiler, rows: Iterable[Report]) -> str:
    """A table of reports, under a heading with the compilers that made them and the digest of their sources."""
    lines = [
        title(compiler),
        "",
        f"Sources: {sources()}",
        "",
        f"| kernel | dtype | GPU | {' | '.join(COUNTS)} |",
        "|---" * (3 + len(COUNTS)) + "|",
    ]
    names, kinds = list(kernels()), list(SCALARS)
    in_order = sorted(rows, key=lambda row: (names.index(row.kernel), kinds.index(row.dtype)))
    return "\n".join([*lines, *map(line_of, in_order)]) + "\n"


def line_of(row: Report) -> str:
    """A report as a line of the table."""
    dtype = str(row.dtype).removeprefix("torch.")
    numbers = (
        row.code.simd,
        row.code.registers,
        row.code.spilled,
        row.code.instructions,
        row.code.loads,
        row.code.wide_loads,
        row.code.stores,
        row.code.dpas,
    )
    return f"| {row.kernel} | {dtype} | {row.gpu} | {' | '.join(map(str, numbers))} |"


PREFACE = """# The machine code of the SYCL kernels

Made by `python -m tinyllm.kernels.sycl.isa` on a machine without a GPU; `--newer` makes the second
table. SIMD is the number of work-items in one instruction. Spilled bytes must be 0: registers that
the compiler ran out of, and arrays that it kept in memory. Loads and stores count instructions in
the text, not executions, and include the scalar path for rows that are not aligned; "of 16 bytes"
are the widest that a lane can do. Matrix instructions (dpas) serve where many rows meet the same
keys, in segment_attention; the other kernels are bound by bytes. "Sources" is a digest of
the kernels' text and of their variants: the tests compare it, and compile every tenth again.

"""


def main(arguments: list[str] | None = None) -> int:
    """Rewrite the page, or its second table with --newer; returns 1 where a kernel spills."""
    newer = ocloc.parse_newer("tinyllm.kernels.sycl.isa", __doc__, arguments)
    with ocloc.scratch() as folder:
        compiler = ocloc.newer(Path(folder)) if newer else ocloc.installed()
        rows = reports(compiler)
    replace_section(TABLE, PREFACE, section(compiler, rows), newer)
    spilling = [row for row in rows if row.code.spilled]
    for row in spilling:
        print(
            f"{row.kernel}, {row.dtype}, {row.gpu}: {row.code.spilled} bytes spilled",
            file=sys.stderr,
        )
    print(f"{TABLE}: {len(rows)} rows, {len(spilling)} of them spill")
    return 1 if spilling else 0


if __name__ == "__main__":
    sys.exit(main())
