"""The recorded machine code of kernels on Intel GPUs: what a compiler made of them, without a GPU."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

DEVICE = Path(__file__).parents[2] / "book" / "device"
RECORDS = {"SYCL": DEVICE / "isa.md", "Triton": DEVICE / "triton_isa.md"}
BFLOAT16 = ("bf16", "bfloat16")
SHOWN = (
    "SIMD", "registers", "spilled bytes", "instructions", "loads", "of 16 bytes", "2D blocks",
    "stores", "dpas",
)  # fmt: skip


def machine_code(record: Path) -> list[dict[str, str]]:
    """The rows of all tables of a record, by column; none where it was not made yet."""
    rows, columns = [], []
    for line in record.read_text().splitlines() if record.exists() else ():
        cells = line.strip("| \n").split(" | ")
        if line.startswith("| kernel "):
            columns = cells
        elif line.startswith("| "):
            rows.append(dict(zip(columns, cells, strict=True)))
    return rows


def machine_code_table(
    language: str, kernels: Iterable[str], gpus: Iterable[str] = ("pvc", "bmg")
) -> str:
    """What Intel's compiler made of kernels in bfloat16, a line for each GPU.

    `language` is SYCL or Triton. Raises ValueError for a kernel that is not recorded.
    """
    rows = [row for row in machine_code(RECORDS[language]) if row["dtype"] in BFLOAT16]
    lines = [_line("", SHOWN)]
    for kernel in kernels:
        found = {row["GPU"]: row for row in rows if row["kernel"] == kernel}
        if not found:
            known = ", ".join(sorted({row["kernel"] for row in rows}))
            raise ValueError(f"{kernel!r} is not recorded in {language}: expected one of {known}")
        lines.append(f"{language}: {kernel}")
        for gpu in gpus:
            if gpu in found:
                lines.append(_line(gpu, [found[gpu].get(name, "-") for name in SHOWN]))
    return "\n".join(lines)


def _line(gpu: str, cells: Iterable[str]) -> str:
    """A line of the table, each cell as wide as the name of its column."""
    columns = (f"{cell:>{len(name) + 1}}" for cell, name in zip(cells, SHOWN, strict=True))
    return f"{gpu:>5}{''.join(columns)}"
