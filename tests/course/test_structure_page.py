"""Every name on the page of the structure is defined in the file that it names."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "book" / "structure.md").read_text()
NAMES = sorted(set(re.findall(r"`((?:tinyllm|kernels)/\S+\.py): ([\w.]+)`", PAGE)))


def definitions(node, prefix=""):
    """Names of classes, functions and constants; members as CLASS.NAME."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef | ast.FunctionDef):
            yield prefix + child.name
            yield from definitions(child, f"{prefix}{child.name}.")
        elif isinstance(child, ast.Assign | ast.AnnAssign):
            targets = child.targets if isinstance(child, ast.Assign) else [child.target]
            yield from (prefix + target.id for target in targets if isinstance(target, ast.Name))


def test_the_page_names_its_places():
    assert len(NAMES) > 30
    assert PAGE.count("`tinyllm/") + PAGE.count("`kernels/") == len(
        re.findall(r"`(?:tinyllm|kernels)/\S+\.py: [\w.]+`", PAGE)
    ), "a place without a name"


@pytest.mark.parametrize(("path", "name"), NAMES, ids=[name for _, name in NAMES])
def test_names_are_defined(path, name):
    assert name in set(definitions(ast.parse((ROOT / path).read_text())))


@pytest.mark.parametrize(
    ("question", "files"),
    [
        ("Where are k and v written", 4),
        ("What happens at a beam reorder", 3),
        ("Which kernel does attention", 4),
        ("How do I add a cache", 3),
        ("How do I add a weight format", 6),
    ],
)
def test_answers_pass_few_files(question, files):
    answer = PAGE.split(f"**{question}")[1].split("\n\n**")[0]
    assert len(set(re.findall(r"`((?:tinyllm|kernels)/\S+\.py):", answer))) <= files
