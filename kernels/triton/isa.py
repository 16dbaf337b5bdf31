"""The machine code that Intel's Triton and its offline compiler make of the kernels, on a machine without a GPU.

`python -m tinyllm.kernels.triton.isa` rewrites `book/device/triton_isa.md`, and fails where a kernel spills registers
that is not in `KNOWN_SPILLS`, spills more than stands there, or spills no longer.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from ..machine_code import MachineCode, read_kernel, replace_section
from ..sycl import ocloc
from .xpu import compiler
from .xpu.known_spills import KNOWN_SPILLS

TABLE = Path(__file__).resolve().parents[2] / "book" / "device" / "triton_isa.md"
DTYPES = ("bf16", "fp16")
# Without Arc A: its offline compiler failed, without a message, on a kernel with the large register file.
TARGETS = {"pvc": "pvc", "bmg": "pvc", "lnl": "pvc"}
COLUMNS = (
    "warps",
    "SIMD",
    "registers",
    "spilled bytes",
    "local memory",
    "instructions",
    "loads",
    "of 16 bytes",
    "2D blocks",
    "stores",
    "dpas",
)


@dataclass(frozen=True)
class Report:
    """One variant in one format for one GPU."""

    name: str
    dtype: str
    gpu: str
    num_warps: int
    code: MachineCode


@dataclass(frozen=True)
class Module:
    """A variant as SPIR-V: its kernel's name in it, its sub-groups, and options of the offline compiler.

    `local_memory`: bytes that the launch gives a work-group, through an argument that the binary does not size.
    """

    name: str
    dtype: str
    kernel: str
    num_warps: int
    local_memory: int
    block_loads: bool
    options: str
    path: str


def reports(
    offline: ocloc.Compiler, folder: Path, names: Sequence[str] = (), dtypes: Sequence[str] = DTYPES
) -> list[Report]:
    """The variants named, or all, for the GPUs of an offline compiler; raises ToolchainError, RuntimeError."""
    gpus = [gpu for gpu in offline.gpus if gpu in TARGETS]
    modules = {
        target: compiled_modules(target, folder, names, dtypes)
        for target in dict.fromkeys(TARGETS[gpu] for gpu in gpus)
    }
    jobs = [
        (module, gpu)
        for gpu in gpus
        for module in modules[TARGETS[gpu]]
        if _is_row(offline, module, gpu)
    ]
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda job: report_of(offline, *job), jobs))


def _is_row(offline: ocloc.Compiler, module: Module, gpu: str) -> bool:
    """Whether a row belongs to the table of this compiler: of Max's kernels, the newer has those with 2D blocks."""
    if gpu == "pvc" and "bmg" in offline.gpus:
        return module.block_loads
    return offline.has_block_loads or not module.block_loads


def compiled_modules(
    target: str, folder: Path, names: Sequence[str], dtypes: Sequence[str]
) -> list[Module]:
    """SPIR-V of the variants, made by Intel's Triton in a process of its own."""
    module = f"{compiler.__package__}.compile"
    command = [sys.executable, "-m", module, str(folder), *names]
    command += ["--device", target, "--dtypes", *dtypes]
    done = subprocess.run(
        command, env=compiler.environment(), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"Intel's Triton failed on {target}:\n{done.stdout[-500:]}{done.stderr}")
    return [Module(**json.loads(line)) for line in done.stdout.splitlines()]


def report_of(offline: ocloc.Compiler, module: Module, gpu: str) -> Report:
    """One module for one GPU."""
    with ocloc.scratch() as name:
        folder = Path(name)
        offline.build(Path(module.path).read_bytes(), gpu, folder, module.options)
        code = read_kernel(folder, module.kernel)
    code = replace(code, local_memory=code.local_memory + module.local_memory)
    return Report(module.name, module.dtype, gpu, module.num_warps, code)


def section(offline: ocloc.Compiler, rows: Iterable[Report]) -> str:
    """A table of reports, under a heading with the compilers that made them."""
    gpus = [gpu for gpu in offline.gpus if gpu in TARGETS]
    lines = [
        f"## {', '.join(gpus)}: {offline.version}, SPIR-V by triton-xpu {compiler.RELEASE}",
        "",
        f"| kernel | dtype | GPU | {' | '.join(COLUMNS)} |",
        "|---" * (3 + len(COLUMNS)) + "|",
    ]
    for row in rows:
        numbers = (
            row.num_warps,
            row.code.simd,
            row.code.registers,
            row.code.spilled,
            row.code.local_memory,
            row.code.instructions,
            row.code.loads,
            row.code.wide_loads,
            row.code.blocks,
            row.code.stores,
            row.code.dpas,
        )
        lines.append(f"| {row.name} | {row.dtype} | {row.gpu} | {' | '.join(map(str, numbers))} |")
    return "\n".join(lines) + "\n"


def unexpected_spills(rows: Sequence[Report]) -> list[str]:
    """Spills that `KNOWN_SPILLS` does not have, larger ones, and entries that are no longer true."""
    known = {
        (entry.name, gpu): limit for entry in KNOWN_SPILLS for gpu, limit in entry.num_bytes.items()
    }
    found = [
        f"{row.name}, {row.dtype}, {row.gpu}: {row.code.spilled} bytes spilled,"
        f" {known.get((row.name, row.gpu), 0)} known"
        for row in rows
        if row.code.spilled > known.get((row.name, row.gpu), 0)
    ]
    for name, gpu in known:
        spilled = [row.code.spilled for row in rows if (row.name, row.gpu) == (name, gpu)]
        if spilled and not any(spilled):
            found.append(f"{name}, {gpu}: spills no longer; take it out of KNOWN_SPILLS")
    return found


PREFACE = f"""# The machine code of the Triton kernels

Made by `python -m tinyllm.kernels.triton.isa` on a machine without a GPU; `--newer` makes the second
table. Intel's Triton compiler, triton-xpu {compiler.RELEASE}, makes SPIR-V of the kernels as `tuning.py`
launches them on "xpu", and Intel's offline compiler makes machine code of that. This Triton can be
installed by itself; it is older than the one in torch's XPU build, whose counts may differ. All
variants are compiled in bf16, every fifth and those of attention in fp16 too. Debian 12's offline
compiler, 22.43, leaves 2D blocks as calls of functions that nothing defines: for Max, attention and
prefill are in the second table alone.

SIMD is the number of lanes of a sub-group. Spilled bytes are those of a hardware thread, of registers
that did not fit and of arrays: each is in `kernels/triton/xpu/known_spills.py`, with its reason, or
makes the command fail, as does an entry there that no longer spills. Local memory is a work-group's, in
bytes. Loads and stores count instructions in the text, not executions; "of 16 bytes" are the widest
that a lane can do, 2D blocks the loads and stores of tiles, dpas the matrix instructions.

"""


def newer_compiler(folder: Path) -> ocloc.Compiler:
    """Debian unstable's ocloc, for Max too, whose 2D blocks Debian 12's lacks."""
    offline = ocloc.newer(folder)
    return replace(offline, gpus=offline.gpus | {"pvc": 16})


def main(arguments: Sequence[str] | None = None) -> int:
    """Rewrite the page, or its second table with --newer; returns 1 where spills are not as known."""
    newer = ocloc.parse_newer("tinyllm.kernels.triton.isa", __doc__, arguments)
    with ocloc.scratch() as folder:
        offline = newer_compiler(Path(folder)) if newer else ocloc.installed()
        rows = reports(offline, Path(folder))
    replace_section(TABLE, PREFACE, section(offline, rows), newer)
    unexpected = unexpected_spills(rows)
    for line in unexpected:
        print(line, file=sys.stderr)
    spilling = sum(row.code.spilled > 0 for row in rows)
    print(f"{TABLE}: {len(rows)} rows, {spilling} of them spill, {len(unexpected)} not as known")
    return 1 if unexpected else 0


if __name__ == "__main__":
    sys.exit(main())
