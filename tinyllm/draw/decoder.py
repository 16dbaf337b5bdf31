"""A drawing of the decoder with some of its parts highlighted: an SVG, made by code."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from tinyllm.draw.picture import Drawing

WIDTH, HEIGHT, BOX = 420, 236, 26
GROUND, LINE, PLAIN, LIT, TEXT = "#ffffff", "#5b6470", "#e9edf2", "#ffc857", "#1b2733"
# Each part by name: the left edge, top edge and width of its boxes. A norm stands at three places.
PLACES: dict[str, tuple[tuple[int, int, int], ...]] = {
    "embedding": ((118, 8, 78),),
    "norm": ((32, 74, 40), (32, 136, 40), (90, 202, 40)),
    "qkv": ((82, 74, 34),),
    "rope": ((126, 74, 38),),
    "cache": ((174, 74, 44),),
    "attention": ((228, 74, 62),),
    "output": ((300, 74, 48),),
    "residual": ((364, 79, 16), (364, 141, 16)),
    "mlp": ((150, 136, 132),),
    "lm_head": ((142, 202, 58),),
    "sampling": ((212, 202, 64),),
}
MIDDLE = BOX // 2
FIRST, SECOND, LAST = 74 + MIDDLE, 136 + MIDDLE, 202 + MIDDLE
# Arrows as points: the way of the hidden state, and the residual paths around both halves of a layer.
ARROWS = (
    ((74, 8 + MIDDLE), (117, 8 + MIDDLE)),
    ((157, 34), (157, 44), (22, 44), (22, FIRST), (31, FIRST)),
    ((22, FIRST), (22, 64), (372, 64), (372, 78)),
    ((348, FIRST), (363, FIRST)),
    ((380, FIRST), (392, FIRST), (392, 113), (22, 113), (22, SECOND), (31, SECOND)),
    ((22, SECOND), (22, 127), (372, 127), (372, 140)),
    ((72, SECOND), (149, SECOND)),
    ((282, SECOND), (363, SECOND)),
    ((380, SECOND), (392, SECOND), (392, 182), (78, 182), (78, LAST), (89, LAST)),
    ((276, LAST), (304, LAST)),
)
BETWEEN = ((72, 81), (116, 125), (164, 173), (218, 227), (290, 299))  # arrows of the first half


def draw_decoder(*parts: str) -> Drawing:
    """The decoder, from a token to the next one, with the named parts highlighted.

    Raises ValueError for a part that the drawing does not have.
    """
    unknown = [part for part in parts if part not in PLACES]
    if unknown:
        raise ValueError(f"unknown parts {unknown}: expected some of {list(PLACES)}")
    shown = [part for part in PLACES if part in parts]
    return Drawing("\n".join(_lines(shown)), _alt(shown))


def _alt(parts: Collection[str]) -> str:
    way = "a decoder: embedding, layers of attention and mlp, lm_head and sampling"
    return f"{way}; highlighted: {', '.join(parts)}" if parts else way


def _lines(parts: Collection[str]) -> Iterator[str]:
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="560" '
        f'style="max-width:100%;height:auto" font-family="sans-serif" font-size="12" role="img" '
        f'aria-label="{_alt(parts)}">'
    )
    yield '<defs><marker id="tip" viewBox="0 0 6 6" refX="5" refY="3" markerWidth="6" markerHeight="6"'
    yield f' orient="auto"><path d="M0,0 L6,3 L0,6 z" fill="{LINE}"/></marker></defs>'
    yield _rectangle(0.5, 0.5, WIDTH - 1, HEIGHT - 1, GROUND, "#c3cad3", 8)
    yield _rectangle(10, 54, WIDTH - 20, 120, "#f7f9fb", "#9aa5b1", 8, ' stroke-dasharray="4 3"')
    yield _words(WIDTH - 12, 48, "a layer, repeated", "end")
    yield _words(70, 8 + MIDDLE + 4, "token", "end")
    yield _words(308, LAST + 4, "next token", "start")
    for points in (*ARROWS, *(((start, FIRST), (end, FIRST)) for start, end in BETWEEN)):
        yield _arrow(points)
    yield _arrow(((130, LAST), (141, LAST)))
    yield _arrow(((200, LAST), (211, LAST)))
    for part, places in PLACES.items():
        for place in places:
            yield _box(part, place, part in parts)
    yield "</svg>"


def _box(part: str, place: tuple[int, int, int], lit: bool) -> str:
    """A part with its name; a residual connection is a circle with a plus."""
    left, top, width = place
    height, corner = (width, width // 2) if part == "residual" else (BOX, 4)
    name = "+" if part == "residual" else part
    colours = (LIT, TEXT) if lit else (PLAIN, LINE)
    thick = ' stroke-width="2.5"' if lit else ""
    bold = (
        ' font-weight="bold" font-size="11"' if lit else ""
    )  # smaller, since bold letters are wider
    shape = _rectangle(left, top, width, height, *colours, corner, thick)
    return shape + _words(left + width / 2, top + height / 2 + 4, name, "middle", bold)


def _rectangle(
    left: int | float,
    top: int | float,
    width: int | float,
    height: int | float,
    fill: str,
    line: str,
    corner: int,
    more: str = "",
) -> str:
    return (
        f'<rect x="{left}" y="{top}" width="{width}" height="{height}" rx="{corner}" fill="{fill}" '
        f'stroke="{line}"{more}/>'
    )


def _words(left: int | float, base: int | float, words: str, anchor: str, more: str = "") -> str:
    return f'<text x="{left}" y="{base}" text-anchor="{anchor}" fill="{TEXT}"{more}>{words}</text>'


def _arrow(points: tuple[tuple[int, int], ...]) -> str:
    way = " ".join(f"{x},{y}" for x, y in points)
    return f'<polyline points="{way}" fill="none" stroke="{LINE}" marker-end="url(#tip)"/>'
