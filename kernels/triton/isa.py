"""The machine code that Intel's Triton and its offline compiler make of the kernels, on a machine without a GPU.

`python -m tinyllm.kernels.triton.isa` rewrites `book/device/triton_isa.md`, and fails where a kernel spills registers
that is not in `KNOWN_SPILLS`, spills more than stands there, or spills no longer.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ..machine_code import MachineCode, read_kernel, replace_section
from ..sycl import ocloc
from .xpu import compiler
from .xpu.known_spills import KNOWN_SPILLS

TABLE = Path(__file__).resolve().parents[2] / "book" / "device" / "triton_isa.md"
NEWER_GPUS = ("bmg", "lnl")
DTYPES = ("bf16", "fp16")
# Arc A's matrix engine has 8 lanes, which changes the code from the first step on.
TARGETS = {"pvc": "pvc", "bmg": "pvc", "lnl": "pvc", "dg2": "dg2"}
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
    """A variant as SPIR-V: its kernel's name in it, its sub-groups, and options of the offline compiler."""

    name: str
    dtype: str
    kernel: str
    num_warps: int
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
    jobs = [(module, gpu) for gpu in gpus for module in modules[TARGETS[gpu]]]
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda job: report_of(offline, *job), jobs))


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
    """What is not as `KNOWN_SPILLS` has it: new spills, larger ones, and entries that are no longer true."""
    found = []
    for row in rows:
        known = KNOWN_SPILLS.get(row.name, {}).get(row.gpu, 0)
        if row.code.spilled > known:
            found.append(
                f"{row.name}, {row.dtype}, {row.gpu}: {row.code.spilled} bytes spilled, {known} known"
            )
    for name, gpus in KNOWN_SPILLS.items():
        for gpu in gpus:
            spilled = [r.code.spilled for r in rows if (r.name, r.gpu) == (name, gpu)]
            if spilled and not any(spilled):
                found.append(f"{name}, {gpu}: spills no longer; take it out of KNOWN_SPILLS")
    return found


PREFACE = """# The machine code of the Triton kernels

Made by `python -m tinyllm.kernels.triton.isa` on a machine without a GPU; `--newer` makes the second table. Intel's own
Triton compiler makes SPIR-V, and Intel's offline compiler makes machine code of that. The compiler is the newest of its
kind that can be installed by itself, and older than the one in torch's XPU build: the counts are its own.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Rewrite the page, or its second table with --newer; returns 1 where spills are not as known."""
    parser = argparse.ArgumentParser(
        prog="python -m tinyllm.kernels.triton.isa", description=__doc__.split("\n")[0]
    )
    parser.add_argument(
        "--newer",
        action="store_true",
        help="fetch Debian unstable's ocloc, and rewrite its table only",
    )
    newer = parser.parse_args(arguments).newer
    with ocloc.scratch() as folder:
        offline = ocloc.newer(Path(folder)) if newer else ocloc.installed()
        rows = reports(offline, Path(folder))
    replace_section(TABLE, PREFACE, section(offline, rows), newer)
    wrong = unexpected_spills(rows)
    for line in wrong:
        print(line, file=sys.stderr)
    spilling = sum(row.code.spilled > 0 for row in rows)
    print(f"{TABLE}: {len(rows)} rows, {spilling} of them spill, {len(wrong)} not as known")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
