"""A beam search to be stepped through by hand: the memory of every step as a picture, and in words below it."""

from __future__ import annotations

from base64 import b64encode
from html import escape
from typing import Any

from ipywidgets import HTML, HBox, Image, IntSlider, Play, VBox, link

from tinyllm.draw.beam_memory import draw_beam_memory
from tinyllm.draw.picture import picture
from tinyllm.measure.kv_trace import BeamTrace, as_text


class BeamStepper(VBox):
    """A slider and a play button over the steps of a search; where no widget can be shown, its picture is."""

    def __init__(self, trace: BeamTrace) -> None:
        steps = {"min": 0, "max": len(trace.steps) - 1}
        self.trace, self.image, self.words = trace, Image(format="png"), HTML()
        self.slider = IntSlider(description="step", **steps)
        self.play = Play(interval=1000, **steps)
        self.linked = link((self.play, "value"), (self.slider, "value"))
        self.slider.observe(lambda change: self._show(change.new), names="value")
        super().__init__([HBox([self.play, self.slider]), self.image, self.words])
        self._show(self.slider.value)

    @property
    def alt(self) -> str:
        """What the picture shows, in a line."""
        return f"step {self.slider.value} of a search with {self.trace.width} beams: the slots that each beam reads"

    def _show(self, step: int) -> None:
        self.image.value = picture(draw_beam_memory(self.trace, step), self.alt).png
        self.words.value = f"<pre>{escape(as_text(self.trace, step))}</pre>"

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        still = {"image/png": b64encode(self.image.value).decode(), "text/plain": f"[picture: {self.alt}]"}
        return super()._repr_mimebundle_(**kwargs) | still


def step_through_beams(trace: BeamTrace) -> BeamStepper:
    """A widget that shows which slot of the cache each beam reads, step by step (notebook 08)."""
    return BeamStepper(trace)
