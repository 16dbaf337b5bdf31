"""Widgets that step through a recorded run: a picture of every step, with the step as text below it."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, NamedTuple

from ipywidgets import HTML, Box, HBox, Image, IntSlider, Play, ValueWidget, VBox, link

from tinyllm.draw.picture import picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Look(NamedTuple):
    """The figure and text at one position of the controls; `still` is the text where widgets cannot be shown."""

    figure: Figure
    words: str
    still: str


class Shown(VBox):
    """Controls above a picture and a text that they change; where widgets cannot be shown, the picture alone.

    `look` returns figure and text for the values of the `watched` controls.
    """

    def __init__(
        self, controls: Box, watched: Sequence[ValueWidget], look: Callable[..., Look]
    ) -> None:
        self.watched, self.look, self.image, self.words = watched, look, Image(format="png"), HTML()
        for control in watched:
            control.observe(lambda change: self._show(), names="value")
        super().__init__([controls, self.image, self.words])
        self._show()

    def _show(self) -> None:
        figure, words, self.still = self.look(*(control.value for control in self.watched))
        self.image.value = picture(figure, self.still).png
        self.words.value = f"<pre>{escape(words)}</pre>"

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        still = {"image/png": b64encode(self.image.value).decode(), "text/plain": self.still}
        return super()._repr_mimebundle_(**kwargs) | still


class Stepper(Shown):
    """A slider and a play button over the steps of a run.

    `draw`, `describe` and `alt` return the figure of a step, its text, and a one-line description of the figure.
    """

    def __init__(
        self,
        steps: int,
        draw: Callable[[int], Figure],
        describe: Callable[[int], str],
        alt: Callable[[int], str],
    ) -> None:
        ends = {"min": 0, "max": steps - 1}
        self.slider, self.play = IntSlider(description="step", **ends), Play(interval=1000, **ends)
        self.linked = link((self.play, "value"), (self.slider, "value"))
        look = lambda step: Look(draw(step), describe(step), f"[picture: {alt(step)}]")  # noqa: E731
        super().__init__(HBox([self.play, self.slider]), [self.slider], look)
