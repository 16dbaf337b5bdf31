"""Source code of the kernels, read from their files by name, without importing them."""

from __future__ import annotations

import ast
import re
from importlib.resources import files
from textwrap import wrap

COLUMNS = 90  # of a line


def kernel_source(path: str, *names: str) -> str:
    """Functions of a file below `tinyllm.kernels` for a page of the course: no line is wider than the page.

    Raises LookupError for an unknown name.
    """
    return narrow(exact_source(path, *names))


def exact_source(path: str, *names: str) -> str:
    """The same as they are in the file: Python with its decorators, C++ with its comment."""
    text = (files("tinyllm.kernels") / path).read_text()
    cut = _python_function if path.endswith(".py") else _cpp_function
    return "\n\n".join(cut(text, name) for name in names)


def narrow(source: str) -> str:
    """Source code with no line wider than a page of the course: comments and arguments continue on the next line."""
    return "\n".join(part for line in source.split("\n") for part in _parts(line))


def _parts(line: str) -> list[str]:
    """One line of code, as several where it is too wide."""
    if len(line) <= COLUMNS:
        return [line]
    indent = line[: len(line) - len(line.lstrip())]
    inner = f"{indent}    "
    assignment = re.fullmatch(r"\s*(\w+(?:: [\w.]+)? = )(.*[^({\[;])", line)
    if assignment:
        return [f"{indent}{assignment[1]}(", *_parts(f"{inner}{assignment[2]}"), f"{indent})"]
    comment = re.match(r"\s*(// |# )", line)
    after = f"{indent}{comment[1]}" if comment else inner
    options = {"initial_indent": indent, "subsequent_indent": after, "break_on_hyphens": False}
    return wrap(line.strip(), COLUMNS, break_long_words=False, **options)


def _python_function(text: str, name: str) -> str:
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            return "\n".join(text.splitlines()[first - 1 : node.end_lineno])
    raise LookupError(f"no function {name!r} in this file")


def _cpp_function(text: str, name: str) -> str:
    start = rf"^(//[^\n]*\n)*(KERNEL[^\n]*\n)?([^\s/][^\n]*)?\b{name}"
    found = re.search(rf"{start}\([^;]*?\{{$.*?^\}}", text, re.MULTILINE | re.DOTALL)
    if found is None:
        raise LookupError(f"no function {name!r} in this file")
    return found[0]
