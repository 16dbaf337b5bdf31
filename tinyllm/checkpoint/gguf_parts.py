"""The files of one model: a GGUF file may be split into parts, which are read together."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from tinyllm.checkpoint.gguf_header import Header

PART = re.compile(r"(?P<stem>.*)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf", re.DOTALL)
NUMBER = "split.no"
COUNT = "split.count"
TENSORS = "split.tensors.count"


def open_parts(path: Path) -> list[Header]:
    """The headers of all parts of a model, the first one first, wherever `path` points.

    Raises FileNotFoundError naming the parts that are missing, ValueError for parts that do not belong together.
    """
    given = Header(path)
    count = _declared(given, COUNT, default=1)
    if count <= 1:
        return [given]
    paths = _paths(path, count)
    missing = [part.name for part in paths if not part.exists()]
    if missing:
        raise FileNotFoundError(
            f"{path} is one of {count} parts of a split file, and {path.parent} does not have "
            f"{', '.join(missing)}: copy or download all parts"
        )
    parts = [given if part == path else Header(part) for part in paths]
    _check_parts(parts, _declared(given, TENSORS, default=None))
    return parts


def _paths(path: Path, count: int) -> list[Path]:
    """Where all parts are, by the name of one of them."""
    match = PART.fullmatch(path.name)
    if match is None or int(match["count"]) != count:
        raise ValueError(
            f"{path} is one of {count} parts of a split file: expected a name that ends in "
            f"-00001-of-{count:05}.gguf, and the other parts beside it"
        )
    return [path.with_name(f"{match['stem']}-{i + 1:05}-of-{count:05}.gguf") for i in range(count)]


def _check_parts(parts: list[Header], tensors: int | None) -> None:
    for i, part in enumerate(parts):
        numbers = (_declared(part, NUMBER, default=0), _declared(part, COUNT, default=1))
        if numbers != (i, len(parts)):
            raise ValueError(
                f"{part.path} says that it is part {numbers[0] + 1} of {numbers[1]}: "
                f"expected part {i + 1} of {len(parts)}"
            )
    seen: dict[str, Path] = {}
    for part in parts:
        twice = next((name for name in part.tensors if name in seen), None)
        if twice is not None:
            raise ValueError(f"{part.path} has the tensor {twice!r}, as {seen[twice]} has")
        seen |= dict.fromkeys(part.tensors, part.path)
    if tensors is not None and tensors != len(seen):
        raise ValueError(f"{parts[0].path}: its parts hold {len(seen)} tensors: expected {tensors}")


def _declared(header: Header, key: str, default: Any) -> Any:
    """A count in the metadata of a split file."""
    value = header.metadata.get(key, default)
    if value is not default and (type(value) is not int or value < 0):
        raise ValueError(f"{header.path}: {key} is {value!r}: expected a count")
    return value
