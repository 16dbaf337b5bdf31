"""A figure in a notebook: a small PNG or an SVG, with a description for readers who cannot see it."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure


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
    buffer = BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return Picture(buffer.getvalue(), alt)
