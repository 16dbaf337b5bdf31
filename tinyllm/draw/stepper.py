"""A recorded run to be stepped through by hand: a picture of every step, and the step in words below it."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING, Any

from ipywidgets import HTML, HBox, Image, IntSlider, Play, VBox, link

from tinyllm.draw.picture import picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Stepper(VBox):
    """A slider and a play button over the steps of a run; where no widget can be shown, its picture is.

    `draw`, `tell` and `alt` give the picture of a step, the step in words, and what the picture shows in a line.
    """

    def __init__(
        self, steps: int, draw: Callable[[int], Figure], tell: Callable[[int], str], alt: Callable[[int], str]
    ) -> None:
        ends = {"min": 0, "max": steps - 1}
        self.draw, self.tell, self.alt, self.image, self.words = draw, tell, alt, Image(format="png"), HTML()
        self.slider, self.play = IntSlider(description="step", **ends), Play(interval=1000, **ends)
        self.linked = link((self.play, "value"), (self.slider, "value"))
        self.slider.observe(lambda change: self._show(change.new), names="value")
        super().__init__([HBox([self.play, self.slider]), self.image, self.words])
        self._show(self.slider.value)

    def _show(self, step: int) -> None:
        self.image.value = picture(self.draw(step), self.alt(step)).png
        self.words.value = f"<pre>{escape(self.tell(step))}</pre>"

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        words = f"[picture: {self.alt(self.slider.value)}]"
        still = {"image/png": b64encode(self.image.value).decode(), "text/plain": words}
        return super()._repr_mimebundle_(**kwargs) | still
