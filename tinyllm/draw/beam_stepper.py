"""A beam search to be stepped through by hand: the memory of every step as a picture, and in words below it."""

from __future__ import annotations

from tinyllm.draw.beam_memory import draw_beam_memory
from tinyllm.draw.stepper import Stepper
from tinyllm.lab.kv_trace import BeamTrace, as_text


def step_through_beams(*traces: BeamTrace) -> Stepper:
    """A widget that shows which slot of each cache a beam reads, step by step, the caches side by side.

    Notebook 08 has the contiguous cache beside the segment cache. Raises ValueError where the searches differ.
    """
    searches = [(trace.width, len(trace.steps)) for trace in traces]
    if len(set(searches)) != 1:
        raise ValueError(
            f"searches of (beams, steps) {searches}: expected traces of one search, at least one"
        )
    (width, steps), stages = searches[0], " and ".join(trace.stage for trace in traces)
    return Stepper(
        steps,
        draw=lambda step: draw_beam_memory(traces, step),
        tell=lambda step: "\n\n".join(as_text(trace, step) for trace in traces),
        alt=lambda step: (
            f"step {step} of a search with {width} beams: the slots that each beam reads in {stages}"
        ),
    )
