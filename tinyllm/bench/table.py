"""Tables of text; every notebook ends with one of predicted, counted and measured values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

HEADER = ("predicted", "counted", "measured")


def side_by_side(rows: Mapping[str, tuple[object, object, object]]) -> str:
    """A text table of (predicted, counted, measured) by name; None is a dash."""
    lines = [("", *HEADER), *((name, *map(_shown, values)) for name, values in rows.items())]
    widths = [max(len(line[i]) for line in lines) for i in range(4)]
    return "\n".join(
        "  ".join(
            [
                name.ljust(widths[0]),
                *(cell.rjust(width) for cell, width in zip(values, widths[1:], strict=True)),
            ]
        )
        for name, *values in lines
    )


def aligned(lines: Sequence[Sequence[str]]) -> str:
    """A text table, every column as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True))
        for line in lines
    )


def markdown(lines: Sequence[Sequence[str]]) -> str:
    """The same in Markdown; the first line is the head."""
    head, *rest = lines
    return "\n".join("| " + " | ".join(line) + " |" for line in (head, ("---",) * len(head), *rest))


def _shown(value: object) -> str:
    match value:
        case None:
            return "-"
        case int():
            return f"{value:,}"
        case float():
            return f"{value:.4g}"
    return str(value)
