"""JSON of others, read into dataclasses: every value is compared with the type of its field."""

from __future__ import annotations

import math
import re
from dataclasses import MISSING, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

LONGEST = 400
# Texts become cells of a table: no line breaks, and nothing that would end a cell, begin HTML or make a link.
REFUSED = re.compile(r"[^ -~\u00a0-\u024f\u2122]|[|<>`]|\]\(")


def plain(text: str) -> str:
    """A text without what `parse` refuses."""
    return REFUSED.sub("?", text)[:LONGEST]


def parse(value: Any, kind: Any, where: str) -> Any:
    """A JSON value as `kind`: a dataclass, list, dict, number, text or a union of these.

    Raises ValueError with the place of a value that is not of that type, and of a field that is unknown, or that is
    missing and has no default.
    """
    if is_dataclass(kind):
        return _parse_fields(value, kind, where)
    if get_origin(kind) is UnionType:
        if value is None and NoneType in get_args(kind):
            return None
        (kind,) = (one for one in get_args(kind) if one is not NoneType)
        return parse(value, kind, where)
    if get_origin(kind) is list and isinstance(value, list):
        (inner,) = get_args(kind)
        return [parse(one, inner, f"{where}[{i}]") for i, one in enumerate(value)]
    if get_origin(kind) is dict and isinstance(value, dict):
        inner = get_args(kind)[1]
        return {_text(k, where): parse(v, inner, f"{where}.{k}") for k, v in value.items()}
    return _parse_single(value, kind, where)


def _parse_fields(value: Any, kind: type, where: str) -> Any:
    if not isinstance(value, dict):
        raise ValueError(f"{where} is {value!r:.60}: expected an object")
    hints = get_type_hints(kind)
    has_default = {
        one.name
        for one in fields(kind)
        if one.default is not MISSING or one.default_factory is not MISSING
    }
    if missing := [name for name in hints if name not in value and name not in has_default]:
        raise ValueError(f"{where} has no {missing[0]!r}")
    if unknown := [name for name in value if name not in hints]:
        raise ValueError(f"{where} has a field {unknown[0]!r:.60} that no report has")
    return kind(
        **{
            name: parse(value[name], hint, f"{where}.{name}")
            for name, hint in hints.items()
            if name in value
        }
    )


def _parse_single(value: Any, kind: Any, where: str) -> Any:
    if kind is str and isinstance(value, str):
        return _text(value, where)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind in (int, float) and is_number and (kind is float or isinstance(value, int)):
        if not math.isfinite(value) or value < 0:
            raise ValueError(f"{where} is {value}: expected a finite number, 0 or more")
        return kind(value)
    name = getattr(get_origin(kind) or kind, "__name__", str(kind))
    raise ValueError(f"{where} is {value!r:.60}: expected {name}")


def _text(text: Any, where: str) -> str:
    if not isinstance(text, str) or len(text) > LONGEST or REFUSED.search(text):
        raise ValueError(
            f"{where} is {text!r:.60}: expected one line of at most {LONGEST} letters, without | < > `"
        )
    return text
