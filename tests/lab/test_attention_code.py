"""The recorded machine code of attention: matrix instructions and 2D blocks are what the tiles need."""

import pytest

from tinyllm.lab.attention_code import GPU, VARIANT, attention_code, first_line, matrix_loops
from tinyllm.lab.machine_code import RECORDS, machine_code

LINES = """L1:
send.ugm (1|M0)  r78  r2  null:0  0x0  0x02808403  {A@1} // wr:1+0, rd:8; load_block2d.ugm.d32t.a64
send.ugm (1|M0)  r20  r2  null:0  0x0  0x02808403  {A@1} // wr:1+0, rd:31; load_block2d.ugm.d16v.a64
send.ugm (1|M0)  null  r6  null:0  0x0  0x02  {I@5} // wr:1+0, rd:0; load_block2d.ugm.d16.a64.ca.ca
dpas.8x8 (16|M0)  r14:f  null:f  r6:bf  r159.0:bf  {$3}
goto.b (16|M0)  L2  L1
L2:
add (16|M0)  r1  r2
jmpi  L2""".splitlines()


def test_loops_are_counted():
    (loop,) = matrix_loops(LINES)
    assert (loop.dpas, loop.instructions, loop.prefetches) == (1, 5, 1)
    assert (loop.key_loads, loop.key_bytes) == (1, 8 * 64)
    assert (loop.value_loads, loop.value_bytes) == (1, 32 * 64)


def test_an_instruction_is_found_without_annotations():
    assert first_line(LINES, "dpas") == "dpas.8x8 (16|M0)  r14:f  null:f  r6:bf  r159.0:bf"
    shown = "send.ugm (1|M0)  r78  r2  // load_block2d.ugm.d32t.a64"
    assert first_line(LINES, "d32t") == shown
    with pytest.raises(LookupError, match="no instruction with 'fdiv'"):
        first_line(LINES, "fdiv")


def test_the_recorded_loops_do_what_a_tile_needs():
    made_by, lines = attention_code()
    assert made_by.startswith(f"{VARIANT}, bf16, {GPU}: ")
    prompt, response = matrix_loops(lines)
    for loop in (prompt, response):
        assert loop.dpas == 2 * (64 // 16) * (128 // 16)
        assert loop.key_bytes == loop.value_bytes == 64 * 128 * 2


def test_the_record_is_that_of_the_table():
    rows = machine_code(RECORDS["Triton"])
    (row,) = (x for x in rows if (x["kernel"], x["dtype"], x["GPU"]) == (VARIANT, "bf16", GPU))
    lines = attention_code()[1]
    assert sum("dpas" in line for line in lines) == int(row["dpas"])
    instructions = [x for x in lines if x and not x.endswith(":") and "illegal" not in x]
    assert len(instructions) == int(row["instructions"])
