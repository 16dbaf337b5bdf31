"""The machine code that notebook 07 reads: current, and where it says things happen they do."""

import os
import shutil

import pytest

from tinyllm.kernels import sycl
from tinyllm.lab.disassembly import (
    KERNELS,
    disassemble,
    kinds_of_lines,
    loops,
    read_disassembly,
    without_notes,
)


@pytest.fixture
def lines():
    return read_disassembly()[1]


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_recorded_machine_code_is_current(kernel):
    if "CI" not in os.environ and (shutil.which("ocloc") is None or sycl.unavailable("cpu")):
        pytest.skip("needs ocloc and the SYCL runtime")
    head, *now = disassemble(kernel).splitlines()
    recorded_by, lines = read_disassembly(kernel)
    if head != f"// {recorded_by}":
        pytest.skip(f"recorded with other compilers than {head}")
    assert now == lines, "run python -m tinyllm.lab.disassembly"


def test_three_passes_over_the_row_with_a_reduction_before_the_last(lines):
    mean, squares, scale = loops(lines)
    kinds = kinds_of_lines(lines)
    of = lambda loop: [kind for line, kind in kinds.items() if loop.start <= line <= loop.end]  # noqa: E731
    assert of(mean) == of(squares) == ["load"]
    assert of(scale) == ["load"] * 3 + ["store"]
    between = [kind for line, kind in kinds.items() if squares.end < line < scale.start]
    assert {"local memory", "barrier", "1/sqrt"} <= set(between)
    assert sum(" mad " in line for line in lines[squares.start : squares.end]) == 4


def test_the_gemv_issues_its_loads_before_it_needs_one():
    """Two rows of the weight and x, 16 bytes a lane each, then 4 multiply-adds for each of two sums."""
    lines = read_disassembly("gemv")[1]
    (loop,) = loops(lines)
    inside = lines[loop.start : loop.end + 1]
    loads = [i for i, line in enumerate(inside) if "load.ugm.d32x4" in line]
    mads = [i for i, line in enumerate(inside) if " mad " in line]
    assert (len(loads), len(mads)) == (3, 8)
    assert max(loads) < min(mads)


def test_a_kernel_without_a_record_raises():
    with pytest.raises(ValueError, match="kernel 'rope' is not recorded: expected one of"):
        read_disassembly("rope")


def test_notes_of_the_scheduler_are_left_out():
    line = "    send.ugm (16|M0)    r8    r6    null:0  0x0    0x04403580   {I@1,$3} // wr:2+0; load.ugm.d32x4"
    assert (
        without_notes(line)
        == "send.ugm (16|M0)  r8  r6  null:0  0x0  0x04403580  // load.ugm.d32x4"
    )
    assert without_notes("L72:") == "L72:"
