"""A recorded run to be stepped through by hand: a picture of every step, and the step in words below it."""

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
    """What is seen at one position of some controls; `still` is said where no widget can be shown."""

    figure: Figure
    words: str
    still: str


class Shown(VBox):
    """Controls over a picture and words that follow them; where no widget can be shown, its picture is.

    `look` gives what is seen for the values of the `watched` controls.
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

    `draw`, `tell` and `alt` give the picture of a step, the step in words, and what the picture shows in a line.
    """

    def __init__(
        self,
        steps: int,
        draw: Callable[[int], Figure],
        tell: Callable[[int], str],
        alt: Callable[[int], str],
    ) -> None:
        ends = {"min": 0, "max": steps - 1}
        self.slider, self.play = IntSlider(description="step", **ends), Play(interval=1000, **ends)
        self.linked = link((self.play, "value"), (self.slider, "value"))
        look = lambda step: Look(draw(step), tell(step), f"[picture: {alt(step)}]")  # noqa: E731
        super().__init__(HBox([self.play, self.slider]), [self.slider], look)
