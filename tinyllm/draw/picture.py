"""A figure in a notebook: a small PNG or an SVG, with a description for readers who cannot see it."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PHONE = 420 / 96  # inches: 420 pixels of a page, 96 to an inch
LETTERS = "Letters"  # a PNG's text: points of its smallest letters on a phone


@dataclass(frozen=True)
class Picture:
    """A PNG and its description, which is shown where pictures cannot be."""

    png: bytes
    alt: str

    def __repr__(self) -> str:
        return f"[picture: {self.alt}]"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict, dict]:
        data = {"image/png": b64encode(self.png).decode(), "text/plain": repr(self)}
        return data, {"image/png": {"alt": self.alt}}


@dataclass(frozen=True)
class Drawing:
    """An SVG, made by code, and its description, which is shown where pictures cannot be."""

    svg: str
    alt: str

    def __repr__(self) -> str:
        return f"[picture: {self.alt}]"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict, dict]:
        data = {"image/svg+xml": self.svg, "text/plain": repr(self)}
        return data, {"image/svg+xml": {"alt": self.alt}}


def picture(figure: Figure, alt: str) -> Picture:
    """A figure for the end of a cell; `alt` describes it, without measured numbers."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.image import imsave

    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # makes the labels of the ticks too; savefig would draw twice more
    metadata = {"Software": None, LETTERS: f"{smallest_letters(figure):.1f}"}
    buffer = BytesIO()
    imsave(buffer, canvas.buffer_rgba(), format="png", dpi=figure.dpi, metadata=metadata)
    return Picture(buffer.getvalue(), alt)


def smallest_letters(figure: Figure) -> float:
    """Points of the smallest letters when the figure is shown on a phone: they shrink as its width does."""
    from matplotlib.text import Text

    scale = min(1, PHONE / figure.get_size_inches()[0])
    shown = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text()]
    return scale * min(text.get_fontsize() for text in shown)
