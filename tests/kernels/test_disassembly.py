"""The machine code that notebook 07 reads: current, and where it says things happen they do."""

import os
import shutil

import pytest

from tinyllm.draw.code_map import COLOURS, draw_code_map
from tinyllm.kernels import sycl
from tinyllm.lab.disassembly import (
    KINDS,
    disassemble,
    kinds_of_lines,
    loops,
    read_disassembly,
    without_notes,
)


@pytest.fixture
def lines():
    return read_disassembly()[1]


def test_the_recorded_machine_code_is_current(lines):
    if "CI" not in os.environ and (shutil.which("ocloc") is None or sycl.unavailable("cpu")):
        pytest.skip("needs ocloc and the SYCL runtime")
    head, *now = disassemble().splitlines()
    if head != f"// {read_disassembly()[0]}":
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
    assert set(COLOURS) == set(KINDS)
    assert draw_code_map(len(lines), kinds, {"mean": mean, "squares": squares}).axes


def test_notes_of_the_scheduler_are_left_out():
    line = "    send.ugm (16|M0)    r8    r6    null:0  0x0    0x04403580   {I@1,$3} // wr:2+0; load.ugm.d32x4"
    assert (
        without_notes(line)
        == "send.ugm (16|M0)  r8  r6  null:0  0x0  0x04403580  // load.ugm.d32x4"
    )
    assert without_notes("L72:") == "L72:"
