"""A kernel's source as its compiler specialises it: without the branches that a launch does not take."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Mapping
from itertools import groupby
from typing import Any

from tinyllm.draw.source import exact_source

WIDTH = 90  # columns of a printed line
OPERATORS = {
    ast.Is: lambda a, b: a is b,
    ast.IsNot: lambda a, b: a is not b,
    ast.Eq: lambda a, b: a == b,
    ast.NotEq: lambda a, b: a != b,
    ast.Lt: lambda a, b: a < b,
    ast.LtE: lambda a, b: a <= b,
    ast.Gt: lambda a, b: a > b,
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.FloorDiv: lambda a, b: a // b,
    ast.Mod: lambda a, b: a % b,
}


class Unknown(Exception):
    """The value of an expression is not known before the kernel runs."""


def kernel_paragraphs(path: str, name: str, known: Mapping[str, Any]) -> list[str]:
    """The body of a kernel below `tinyllm.kernels` for one launch, cut at its empty lines.

    `known` has the constants of the launch by name, and pointers that are None, such as "slopes_ptr". Only the branch
    that they select is kept, as Triton's compiler does. Raises LookupError for an unknown name.
    """
    source = exact_source(path, name)
    (function,) = ast.parse(source).body
    assert isinstance(function, ast.FunctionDef)
    start = _first_line(function)
    body = "\n".join(source.splitlines()[start - 1 : function.end_lineno])
    text = _wrapped(specialised(textwrap.dedent(body), known))
    return [part.strip("\n") for part in text.split("\n\n") if part.strip()]


def specialised(source: str, known: Mapping[str, Any]) -> str:
    """Statements with every decided `if` replaced by the branch taken, and constants that are decided left out."""
    return _lines_of(source, dict(known)).strip("\n")


def _wrapped(text: str) -> str:
    """The text without formatters' marks, and with long comments in more lines."""
    found: list[str] = []
    for is_comment, group in groupby(text.splitlines(), key=lambda line: line.lstrip()[:1] == "#"):
        lines = [line.removesuffix("  # fmt: skip") for line in group]
        if is_comment and max(map(len, lines)) > WIDTH:
            indent = " " * (len(lines[0]) - len(lines[0].lstrip()))
            words = " ".join(line.strip().removeprefix("#").strip() for line in lines)
            mark = f"{indent}# "
            lines = textwrap.wrap(words, WIDTH, initial_indent=mark, subsequent_indent=mark)
        found += lines
    return "\n".join(found)


def _first_line(function: ast.FunctionDef) -> int:
    """The first line after the docstring."""
    has_docstring = ast.get_docstring(function) is not None
    end = function.body[0].end_lineno if has_docstring else function.body[0].lineno - 1
    assert end is not None
    return end + 1


def _lines_of(source: str, known: dict[str, Any]) -> str:
    lines, done, kept = source.splitlines(), 0, []
    for node in ast.parse(source).body:
        above = lines[done : node.lineno - 1]  # comments and empty lines
        done = node.end_lineno or node.lineno
        statement = "\n".join(lines[node.lineno - 1 : done])
        replaced = _statement(node, statement, known)
        if replaced is None:
            above = [line for line in above if not line.strip()]
        kept += [*above, *([] if replaced is None else [replaced])]
    return "\n".join(kept)


def _statement(node: ast.stmt, text: str, known: dict[str, Any]) -> str | None:
    """A statement for this launch; None where nothing is left of it."""
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
        try:
            known[node.target.id] = _value(node.value, known)
        except Unknown:
            return _without_decided_expressions(text, known)
        return None
    if isinstance(node, ast.If):
        return _branch(node, text, known)
    if isinstance(node, ast.For):
        body = _lines_of(_body(text, node.body, node.lineno), known)
        return text.splitlines()[0] + "\n" + textwrap.indent(body, "    ")
    return _without_decided_expressions(text, known)


def _branch(node: ast.If, text: str, known: dict[str, Any]) -> str | None:
    try:
        taken = node.body if _value(node.test, known) else node.orelse
    except Unknown:
        body = _lines_of(_body(text, node.body, node.lineno), known)
        return text if node.orelse else text.splitlines()[0] + "\n" + textwrap.indent(body, "    ")
    return _lines_of(_body(text, taken, node.lineno), known) if taken else None


def _body(text: str, body: list[ast.stmt], first_line: int) -> str:
    """The lines of a block, with the comments above them, from the text of the statement that has it."""
    lines = text.splitlines()
    start, end = body[0].lineno - first_line, (body[-1].end_lineno or 0) - first_line
    while start and lines[start - 1].strip().startswith("#"):
        start -= 1
    block = textwrap.dedent("\n".join(lines[start : end + 1]))
    return block.removeprefix("el") if block.startswith("elif ") else block


def _without_decided_expressions(text: str, known: Mapping[str, Any]) -> str:
    """A statement with every decided `a if test else b` of one line replaced by the text of its value."""
    lines = text.splitlines()
    found = [x for x in ast.walk(ast.parse(text)) if isinstance(x, ast.IfExp)]
    for node in sorted(found, key=lambda x: (x.lineno, x.col_offset), reverse=True):
        try:
            chosen = node.body if _value(node.test, known) else node.orelse
        except Unknown:
            continue
        if node.lineno == node.end_lineno:
            line, value = lines[node.lineno - 1], ast.get_source_segment(text, chosen) or ""
            lines[node.lineno - 1] = line[: node.col_offset] + value + line[node.end_col_offset :]
    return "\n".join(lines)


def _value(node: ast.expr, known: Mapping[str, Any]) -> Any:
    """The value of an expression of constants; raises Unknown."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name | ast.Attribute):
        name = ast.unparse(node)
        if name not in known:
            raise Unknown(name)
        return known[name]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return not _value(node.operand, known)
    if isinstance(node, ast.BoolOp):
        return _of_several(node, known)
    if isinstance(node, ast.IfExp):
        return _value(node.body if _value(node.test, known) else node.orelse, known)
    if isinstance(node, ast.Compare | ast.BinOp):
        return _of_two(node, known)
    raise Unknown(ast.unparse(node))


def _of_several(node: ast.BoolOp, known: Mapping[str, Any]) -> Any:
    """`and` and `or`: one decided term may decide, whatever the others are."""
    decides, unknown = isinstance(node.op, ast.Or), False
    for term in node.values:
        try:
            if bool(_value(term, known)) == decides:
                return decides
        except Unknown:
            unknown = True
    if unknown:
        raise Unknown(ast.unparse(node))
    return not decides


def _of_two(node: ast.Compare | ast.BinOp, known: Mapping[str, Any]) -> Any:
    if isinstance(node, ast.BinOp):
        left, operator, right = node.left, node.op, node.right
    else:
        left, operator, right = node.left, node.ops[0], node.comparators[0]
    if type(operator) not in OPERATORS:
        raise Unknown(ast.unparse(node))
    return OPERATORS[type(operator)](_value(left, known), _value(right, known))
