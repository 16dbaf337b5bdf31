"""The drawing of a matrix as a GEMV loads it."""

import pytest
from matplotlib.colors import to_hex

from tinyllm.draw.weight_tiles import COLOURS, draw_weight_tiles
from tinyllm.lab.trace import Access, Trace


def access(program, kind, tensor, *elements):
    return Access((program, 0, 0), kind, tensor, (elements,), "")


def trace_of(*accesses):
    shapes = {"w": (2, 4), "x": (4,), "out": (2,)}
    return Trace("gemv", shapes, dict.fromkeys(shapes, 4), accesses)


LOADS = [
    one
    for program in (0, 1)
    for start in (0, 2)
    for one in (
        access(program, "load", "w", 4 * program + start, 4 * program + start + 1),
        access(program, "load", "x", start, start + 1),
    )
]


def test_programs_are_colours_and_loads_are_numbers():
    trace = trace_of(*LOADS, access(0, "store", "out", 0), access(1, "store", "out", 1))
    (axes,) = draw_weight_tiles(trace, "w", "x", "out").axes
    shown = [text.get_text() for text in axes.texts]
    assert shown[:4] == ["2"] * 4  # both programs load x
    assert shown[4:12] == ["1", "1", "2", "2"] * 2
    colours = [to_hex(cell.get_facecolor()) for cell in axes.patches[4:]]
    assert colours == [COLOURS[0]] * 4 + [COLOURS[1]] * 4 + [COLOURS[0], COLOURS[1]]


@pytest.mark.parametrize("accesses", [LOADS[:-2], [*LOADS, LOADS[0]]], ids=["missing", "twice"])
def test_a_weight_that_is_not_loaded_once_is_refused(accesses):
    with pytest.raises(ValueError, match="w: expected every element to be loaded exactly once"):
        draw_weight_tiles(trace_of(*accesses), "w", "x", "out")
