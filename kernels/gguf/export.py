"""The kernel of GGUF weights as a folder that the package `kernels` loads, without tinyllm."""

from __future__ import annotations

import ast
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

NAME = "tinyllm-gguf"
VERSION = 1  # of the interface
BACKENDS = ("cpu", "cuda", "xpu")  # of torch; the files are the same for each
KERNELS = Path(__file__).resolve().parents[1]
INTERFACE = KERNELS / "gguf" / "__init__.py"
ROOT = '''"""Packed GGUF weights, by transformers' interface."""

from .gguf import *
'''


def export(folder: Path) -> None:
    """Write the kernel of GGUF weights for the package `kernels`: FOLDER/build/torch-cpu, torch-cuda and torch-xpu.

    It imports torch, Triton on a GPU, and itself. Raises FileExistsError for a folder that holds anything.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(f"{folder} is there and not empty: expected a new or empty folder")
    files = source_files()
    for backend in BACKENDS:
        variant = folder / "build" / f"torch-{backend}"
        for name, text in (files | {"metadata.json": metadata(files, backend)}).items():
            path = variant / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)


def source_files() -> dict[str, str]:
    """The text of every file by its path: the interface and all it imports, in packages that import nothing else."""
    files = {"__init__.py": ROOT}
    found = [INTERFACE]
    for path in found:
        text = path.read_text()
        files[str(path.relative_to(KERNELS))] = replace_annotations(text)
        package = path.parent / "__init__.py"
        files.setdefault(str(package.relative_to(KERNELS)), f'"""{path.parent.name}."""\n')
        found += [target for target in imports(path, text) if target not in found]
    return files


def imports(path: Path, text: str) -> Iterator[Path]:
    """The modules of `kernels` that a file imports, at its head or within a function."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.level:
            folder = path.parents[node.level - 1].joinpath(*(node.module or "").split("."))
            if folder.is_dir():
                yield from (folder / f"{alias.name}.py" for alias in node.names)
            else:
                yield folder.with_suffix(".py")


def replace_annotations(text: str) -> str:
    """The same annotations of shapes as `typing` has them."""

    def replace(found: re.Match) -> str:
        names = found[1].split(", ")
        return "from typing import " + ", ".join(f"Annotated as {name}" for name in names)

    return re.sub(r"^from jaxtyping import (.+)$", replace, text, flags=re.MULTILINE)


def metadata(files: dict[str, str], backend: str) -> str:
    """The description of a build; `id` differs with the text of its files."""
    digest = hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()[:7]
    fields = {
        "name": NAME,
        "id": f"_{NAME.replace('-', '_')}_{backend}_{digest}",
        "version": VERSION,
        "license": "Apache-2.0",
        "python-depends": [],
        "backend": {"type": backend},
    }
    return json.dumps(fields, indent=2) + "\n"
