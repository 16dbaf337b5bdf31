"""A beam search to be stepped through by hand: the memory of every step as a picture, and in words below it."""

from __future__ import annotations

from functools import partial

from tinyllm.draw.beam_memory import draw_beam_memory
from tinyllm.draw.stepper import Stepper
from tinyllm.measure.kv_trace import BeamTrace, as_text


def step_through_beams(trace: BeamTrace) -> Stepper:
    """A widget that shows which slot of the cache each beam reads, step by step (notebook 08)."""
    alt = lambda step: f"step {step} of a search with {trace.width} beams: the slots that each beam reads"  # noqa: E731
    return Stepper(len(trace.steps), partial(draw_beam_memory, trace), partial(as_text, trace), alt)
