"""The record of spills is current, and shows what notebook 07 tells: more rows than registers, and a larger file."""

import os
import shutil

import pytest

from tinyllm.kernels import sycl
from tinyllm.lab.registers import (
    WEIGHT_ROWS,
    compile_gemv,
    made_by,
    read_registers,
    registers_table,
    spill_example,
)


def spilled(weight_rows, registers):
    (row,) = (
        row
        for row in read_registers()[1]
        if (row["weight_rows"], row["registers"]) == (weight_rows, registers)
    )
    return row["spilled"]


def test_the_record_is_current():
    if "CI" not in os.environ and (shutil.which("ocloc") is None or sycl.unavailable("cpu")):
        pytest.skip("needs ocloc and the SYCL runtime")
    recorded_by, rows = read_registers()
    if made_by() != recorded_by:
        pytest.skip(f"recorded with other compilers than {made_by()}")
    now = list(compile_gemv(24))
    assert now == [row for row in rows if row["weight_rows"] == 24], (
        "python -m tinyllm.lab.registers"
    )


def test_the_library_s_rows_do_not_spill_and_many_do():
    assert [spilled(rows, 128) for rows in (2, 8, 16)] == [0, 0, 0]
    assert spilled(24, 128) > 0 == spilled(24, 256)
    assert spilled(32, 128) > spilled(32, 256) > 0


def test_a_spill_is_in_the_loop_and_nothing_else_is():
    for row in read_registers()[1]:
        assert bool(row["scratch_in_loop"]) == bool(row["spilled"]) == bool(row["example"])
    assert "scratch block write" in spill_example() and "scratch block read" in spill_example()


def test_the_table_has_a_line_for_each_build():
    lines = registers_table().splitlines()
    assert len(lines) == 1 + 2 * len(WEIGHT_ROWS)
    assert lines[1].split() == ["2", "128", "0", "689", "0"]
    assert max(map(len, lines)) <= 90
