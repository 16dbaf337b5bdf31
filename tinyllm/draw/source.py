"""Source code of the kernels, read from their files by name, without importing them."""

from __future__ import annotations

import ast
import re
from importlib.resources import files


def kernel_source(path: str, *names: str) -> str:
    """Functions of a file below `tinyllm.kernels`, Python (decorators included) or C++ (its comment included).

    Raises LookupError for an unknown name.
    """
    text = (files("tinyllm.kernels") / path).read_text()
    cut = _python_function if path.endswith(".py") else _cpp_function
    return "\n\n".join(cut(text, name) for name in names)


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
