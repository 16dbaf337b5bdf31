"""A widget that steps through a beam search: the memory of every step as a picture and as text."""

from __future__ import annotations

from tinyllm.draw.beam_memory import draw_beam_memory
from tinyllm.draw.stepper import Stepper
from tinyllm.lab.beam_trace import BeamTrace, as_text


def step_through_beams(*traces: BeamTrace) -> Stepper:
    """A widget that shows the slots that each beam reads, step by step, with the caches side by side.

    Notebook 08 shows the contiguous cache beside the segment cache. Raises ValueError where the searches differ.
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
        describe=lambda step: "\n\n".join(as_text(trace, step) for trace in traces),
        alt=lambda step: (
            f"step {step} of a search with {width} beams: the slots that each beam reads in {stages}"
        ),
    )
