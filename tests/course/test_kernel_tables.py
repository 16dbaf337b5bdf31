"""The tables of the SYCL kernels beside the Triton kernels."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2] / "book"))
import kernel_tables

from tinyllm.lab.machine_code import RECORDS, machine_code, machine_code_table

RECORD = """## pvc: a compiler

| kernel | dtype | GPU | SIMD | spilled bytes |
|---|---|---|---|---|
| norm | float32 | pvc | 16 | 1 |
| norm | bfloat16 | pvc | 16 | 2 |
| rms_norm | bf16 | pvc | 32 | 3 |

## bmg: another

| kernel | dtype | GPU | warps | SIMD | spilled bytes |
|---|---|---|---|---|---|
| norm | bfloat16 | bmg | 8 | 16 | 4 |
"""


def cells(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_line_for_each_language_and_gpu(tmp_path, monkeypatch):
    (tmp_path / "isa.md").write_text(RECORD)
    records = {"SYCL": tmp_path / "isa.md", "Triton": tmp_path / "isa.md"}
    monkeypatch.setattr(kernel_tables, "RECORDS", records)
    columns, _, *lines = map(cells, kernel_tables.sycl_beside_triton().splitlines())
    assert len(lines) == 2 * len(kernel_tables.GPUS) * len(kernel_tables.PAIRS)
    spilled = columns.index("spilled bytes")
    found = [(line[1], line[2], line[3], line[spilled]) for line in lines[:4]]
    assert found == [
        ("pvc", "SYCL: norm", "16", "2"),
        ("pvc", "Triton: rms_norm", "32", "3"),
        ("bmg", "SYCL: norm", "16", "4"),
        ("bmg", "Triton: rms_norm", "-", "-"),
    ]
    assert {len(line) for line in lines} == {len(columns)}


def test_the_kernels_of_the_pairs_exist():
    pytest.importorskip("triton")
    from tinyllm.kernels.sycl import isa
    from tinyllm.kernels.triton.variants import variants

    sycl, triton = map(set, zip(*kernel_tables.PAIRS.values(), strict=True))
    assert sycl <= set(isa.kernels())
    assert triton <= {variant.name for variant in variants("xpu")}
    recorded = {row["kernel"] for row in machine_code(RECORDS["SYCL"])}
    assert sycl <= recorded


def test_the_table_of_a_notebook(tmp_path, monkeypatch):
    row = "| a kernel | bf16 | bmg | 8 | 16 | 128 | 7 | 0 | 99 | 5 | 4 | 3 | 2 | 1 |"
    columns = "kernel | dtype | GPU | warps | SIMD | registers | spilled bytes | local memory"
    more = "instructions | loads | of 16 bytes | 2D blocks | stores | dpas"
    (tmp_path / "isa.md").write_text(f"| {columns} | {more} |\n|---|\n{row}\n")
    monkeypatch.setitem(RECORDS, "Triton", tmp_path / "isa.md")
    heads, name, line = machine_code_table("Triton", ["a kernel"]).splitlines()
    assert name == "Triton: a kernel"
    assert line.split() == ["bmg", "16", "128", "7", "99", "5", "4", "3", "2", "1"]
    assert len(line) == len(heads) <= 90
    message = r"^'other' is not recorded in Triton: expected one of a kernel$"
    with pytest.raises(ValueError, match=message):
        machine_code_table("Triton", ["other"])
