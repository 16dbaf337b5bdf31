"""The words of docstrings, comments and pages: plain English, and the terms of the field.

A refused word is a person for machinery, or a private word for which the field has a term. Words with an innocent use
are not refused. Code, code spans, links and recorded results are not checked.
"""

import ast
import io
import json
import re
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# What is checked: extend this list when another folder or file is clean.
CHECKED = (
    "tinyllm",
    "kernels",
    "book",
    "notebooks",
    "tests/bench",
    "tests/check",
    "tests/cost",
    "tests/course",
    "tests/draw",
    "tests/lab",
    "tests/structure",
)
# A pattern, the words to write instead, and a text that is refused.
RULES = (
    (
        r"somebody|nobody|whoever",
        "the caller, the beam or the reader; or a passive",
        "nobody waits",
    ),
    (r"told|tells (?:the|it|them|apart)", "receives, returns, shows or prints", "it is told so"),
    (r"asked|asks", "reads, calls, requests or needs", "the host asks"),
    (r"knows|wants|promises|promised", "has, needs, predicts or supports", "the plan knows it"),
    (r"said|says", "states, has or prints", "as the preset says"),
    (r"gets to hear|notices", "receives, finds or fails", "no test notices"),
    (r"looks? (?:at|into)|looked at", "reads, records or observes", "a beam looks at a slot"),
    (r"at once", "together, in one launch, immediately or synchronously", "read at once"),
    (
        r"in turns?|takes? turns|took turns|turn after turn",
        "alternately, or in rounds",
        "take turns",
    ),
    (r"go(?:es)? on|went on", "continues", "it goes on"),
    (r"rides?|riding", "epilogue or prologue", "a norm rides on it"),
    (r"apart", "separate, separately or unfused", "a norm apart"),
    (r"spell(?:s|ed) (?:it )?out", "unfused or explicit", "spelled out"),
    (r"whole(?! rows)", "complete", "the whole prompt"),
    (r"room", "memory, slots or package", "room for a key"),
    (r"(?<!matrix )(?<!dot )products?", "matmul, or GEMV for one row", "the four products"),
    (r"waves", "batches; for programs of a launch: one wave", "in waves"),
    (r"hand(?:s|ed)? (?:over|on|out)", "passes, launches or returns", "handed over"),
    (r"ancestry|descends? from", "the beam index", "a beam descends from it"),
)


def comments(source):
    """Docstrings and comments of Python code, as (line, text)."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            text = ast.get_docstring(node, clean=False)
            for number, line in enumerate((text or "").split("\n")):
                yield node.body[0].lineno + number, line
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def markdown(source):
    """The prose of a page, as (line, text): without code blocks and recorded results."""
    inside = None
    for number, line in enumerate(source.split("\n"), start=1):
        if inside:
            inside = None if re.match(inside, line) else inside
        elif line.startswith("```") and not line.startswith("```{glossary}") and line != "```":
            inside = "```$"
        elif line.startswith("<!-- recorded"):
            inside = "<!-- recorded .*: end"
        else:
            yield number, line


def prose(path):
    """The prose of a file, as (place, text)."""
    if path.suffix == ".py":
        yield from comments(path.read_text())
    elif path.suffix == ".md":
        yield from markdown(path.read_text())
    else:
        for number, cell in enumerate(json.loads(path.read_text())["cells"]):
            source = "".join(cell["source"])
            found = markdown(source) if cell["cell_type"] == "markdown" else comments(source)
            yield from ((f"cell {number}, line {line}", text) for line, text in found)


def refused(texts):
    """The refused words, each with its place and the words to write instead."""
    found = []
    for place, text in texts:
        plain = re.sub(r"`[^`]*`|\]\([^)]*\)|\"[^\"]*\"", " ", text)
        for pattern, instead, _ in RULES:
            for match in re.finditer(rf"\b(?:{pattern})\b", plain, re.I):
                found.append(f"{place}: {match.group()!r}: write {instead}")
    return found


def files():
    for name in CHECKED:
        path = ROOT / name
        found = [path] if path.is_file() else sorted(path.rglob("*"))
        yield from (
            one
            for one in found
            if one.suffix in (".py", ".md", ".ipynb")
            and not {"generated", ".ipynb_checkpoints", "__pycache__"} & set(one.parts)
            and one != Path(__file__)
        )


@pytest.mark.parametrize("path", list(files()), ids=lambda path: str(path.relative_to(ROOT)))
def test_prose_is_plain(path):
    found = refused(prose(path))
    assert not found, "\n".join(found)


@pytest.mark.parametrize("pattern, instead, example", RULES, ids=[rule[2] for rule in RULES])
def test_every_rule_refuses_its_example(pattern, instead, example):
    assert [line.endswith(f"write {instead}") for line in refused([(1, example)])].count(True) == 1


def test_every_kind_of_prose_is_checked(tmp_path):
    code = '"""Nobody."""\n\n\ndef f():\n    """Told."""\n    return 1  # at once\n'
    recorded = "<!-- recorded run: start -->\napart\n<!-- recorded run: end -->\n"
    page = f"The whole.\n```python\nroom\n```\n`room`\n{recorded}It asks.\n"
    cells = [
        {"cell_type": "markdown", "source": ["It knows."]},
        {"cell_type": "code", "source": ["x = 1  # said\n"]},
    ]
    for name, text in (("x.py", code), ("x.md", page), ("x.ipynb", json.dumps({"cells": cells}))):
        (tmp_path / name).write_text(text)
    assert [line.split(": write")[0] for line in refused(prose(tmp_path / "x.py"))] == [
        "1: 'Nobody'",
        "5: 'Told'",
        "6: 'at once'",
    ]
    assert [line.split(":")[0] for line in refused(prose(tmp_path / "x.md"))] == ["1", "9"]
    assert len(refused(prose(tmp_path / "x.ipynb"))) == 2


def test_innocent_words_are_allowed():
    assert not refused(
        [(1, "A matrix product, the dot product, one wave, whole rows, and `whole`.")]
    )
