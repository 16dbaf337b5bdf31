"""The rooms of the house: what importing costs, who may know whom, how long a file may be."""

import ast
import json
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LIBRARY = sorted((ROOT / "tinyllm").rglob("*.py"))
KERNELS = sorted((ROOT / "kernels").rglob("*.py"))
LISTED = """
import json, sys
import {module}
json.dump([name for name in sys.modules], sys.stdout)
"""


def module_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    parts = ("tinyllm", *parts) if parts[0] == "kernels" else parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def types_only(node):
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def statements(node):
    """All that runs: imports for type checkers alone are no arrows."""
    for child in ast.iter_child_nodes(node):
        if not types_only(child):
            yield child
            yield from statements(child)


def imported(path):
    """Names of the modules that a file imports, at its head or within a function."""
    package = module_of(path).split(".")[: None if path.name == "__init__.py" else -1]
    for node in statements(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *filter(None, [node.module])])
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def room(module):
    return module.split(".")[1] if module.startswith("tinyllm.") else None


@cache
def arrows():
    """From each file to the rooms it imports from, its own left out."""
    own = {path: room(module_of(path)) for path in (*LIBRARY, *KERNELS)}
    return {path: {room(name) for name in imported(path)} - {None, own[path]} for path in own}


@cache
def loaded(module):
    """What is in `sys.modules` after one import in a fresh interpreter."""
    out = subprocess.run(
        [sys.executable, "-c", LISTED.format(module=module)], check=True, capture_output=True, text=True
    )
    return set(json.loads(out.stdout))


@pytest.mark.parametrize("package", ["transformers", "triton", "matplotlib", "gguf", "safetensors", "huggingface_hub"])
def test_import_brings_no_heavy_package(package):
    assert package not in loaded("tinyllm")


def test_import_brings_little_besides_torch():
    ours = {name.split(".")[0] for name in loaded("tinyllm") - loaded("torch")}
    assert ours - sys.stdlib_module_names <= {"tinyllm", "jaxtyping", "wadler_lindig", "tqdm", "numpy"}


ABOVE = {"decoder", "generation", "checkpoint", "families", "stages", "api", "bench", "lab", "draw", "cli", "cost"}
MAY_NOT = {
    "config": ABOVE | {"ops", "cache", "attention", "runtime", "kernels"},
    "ops": ABOVE,
    "cache": ABOVE,
    "attention": ABOVE,
    "runtime": ABOVE,
    "families": {"decoder", "generation", "checkpoint", "api"},
    "stages": {"decoder", "generation", "checkpoint", "families", "api"},
    "generation": {"decoder", "checkpoint", "families", "stages", "api", "ops", "cache", "attention"},
    "decoder": {"checkpoint", "families", "api"},
    "checkpoint": {"api"},
}
ABOUT_US = {"bench", "lab", "draw", "cli", "__main__"}


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: str(path.relative_to(ROOT)))
def test_arrows_point_down(path):
    mine = room(module_of(path))
    assert not arrows()[path] & MAY_NOT.get(mine, set())
    if mine not in ABOUT_US:
        assert not arrows()[path] & ABOUT_US


@pytest.mark.parametrize("path", KERNELS, ids=lambda path: str(path.relative_to(ROOT)))
def test_kernels_know_nothing_of_tinyllm(path):
    assert not {name for name in imported(path) if name.split(".")[:2] != ["tinyllm", "kernels"] and "tinyllm" in name}


def test_imports_are_seen():
    names = set(imported(ROOT / "tinyllm" / "decoder.py"))
    assert {"torch", "tinyllm.stages", "tinyllm.generation.prompt", "tinyllm.generation.prompt.check_ids"} <= names
    assert "transformers" not in names, "imported for types alone"
    assert "transformers" in set(imported(ROOT / "tinyllm" / "generation" / "parts.py"))
    assert "checkpoint" in arrows()[ROOT / "tinyllm" / "api.py"], "imported within a function"


def test_every_package_is_installed():
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    packages = {module_of(path) for path in (*LIBRARY, *KERNELS) if path.name == "__init__.py"}
    assert set(listed) == packages
    assert {
        module_of(path / "x.py").rpartition(".")[0] for path in {file.parent for file in (*LIBRARY, *KERNELS)}
    } == packages


@pytest.mark.parametrize(
    "path", [*LIBRARY, *KERNELS, *sorted((ROOT / "tests").rglob("*.py"))], ids=lambda path: path.name
)
def test_files_are_short(path):
    assert len(path.read_text().splitlines()) <= 400
