"""A widget that steps through an online softmax, tile by tile."""

from __future__ import annotations

from functools import partial

from tinyllm.draw.filmstrip import draw_frame
from tinyllm.draw.stepper import Stepper
from tinyllm.lab.softmax_trace import SoftmaxTrace, as_text


def step_through_softmax(trace: SoftmaxTrace) -> Stepper:
    """A widget that shows the state of one pass of attention, tile by tile (notebook 10)."""
    tiles = len(trace.steps)

    def alt(number):
        return f"tile {number} of {tiles}: scores, weights under the largest so far, and the accumulator"

    return Stepper(tiles, partial(draw_frame, trace), partial(as_text, trace), alt)
