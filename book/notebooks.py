"""Run the notebooks and keep their outputs: `python book/notebooks.py [FILE ...]`.

Every notebook, those of the solutions too, runs in a fresh kernel. Execution times, progress bars and cell names are
normalised, so that a second run changes an output only if its text or picture differs. What the kernel reports about
the language stays: JupyterLab would add it and mark the notebook as modified. The answers to predictions are hidden.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from datetime import date
from pathlib import Path
from time import perf_counter

import nbformat
from nbclient import NotebookClient
from tqdm import tqdm

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
TIMES = Path(__file__).parent / "results" / "notebooks-cpu.json"
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
PROGRESS = re.compile(r"\d+%\|")
WIDGET = "application/vnd.jupyter.widget-view+json"
HIDDEN, UNCOMPARED = "hide-output", "nbval-ignore-output"  # tags of the site and of nbval


def execute(path: Path) -> float:
    """Run one notebook in place; returns the seconds it took. Raises CellExecutionError where a cell fails."""
    notebook = nbformat.read(path, as_version=4)
    start = perf_counter()
    where = {"metadata": {"path": str(path.parent)}}
    NotebookClient(notebook, timeout=300, coalesce_streams=True, resources=where).execute()
    seconds = perf_counter() - start
    normalise(notebook)
    nbformat.write(notebook, path)
    return seconds


def normalise(notebook: nbformat.NotebookNode) -> None:
    """Remove execution times, give cells fixed names, hide answers, and exempt cells that load a model."""
    notebook.metadata.kernelspec = nbformat.from_dict(KERNEL)
    notebook.metadata = nbformat.from_dict(
        {name: notebook.metadata[name] for name in ("kernelspec", "language_info")}
    )
    for i, cell in enumerate(notebook.cells):
        cell.id = f"cell-{i}"
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if is_content(output)]
            for output in cell.outputs:
                output.get("data", {}).pop(
                    WIDGET, None
                )  # the id of a model that ended with the kernel
    hide_answers(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code" and "from_pretrained" in called(cell.source):
            set_tag(cell, UNCOMPARED, True)  # a slow machine shows a progress bar


def hide_answers(notebook: nbformat.NotebookNode) -> None:
    """Hide the outputs that answer a `**Predict.**` paragraph, and no others, on the site and in JupyterLab."""
    hidden = answers(notebook)
    for i, cell in enumerate(notebook.cells):
        if cell.cell_type == "code":
            set_tag(cell, HIDDEN, i in hidden)
            cell.metadata.pop("jupyter", None)
            if i in hidden:
                cell.metadata["jupyter"] = {"outputs_hidden": True}


def answers(notebook: nbformat.NotebookNode) -> set[int]:
    """After each `**Predict.**`, the first code cell with an output that is not itself a question."""
    found, waiting = set(), False
    for i, cell in enumerate(notebook.cells):
        if cell.cell_type == "markdown":
            waiting = waiting or "**Predict.**" in cell.source
        elif waiting and cell.outputs and "predict" not in called(cell.source):
            found.add(i)
            waiting = False
    return found


def called(source: str) -> set[str]:
    """The names of the functions and methods that the code of a cell calls."""
    calls = [node.func for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return {
        call.attr if isinstance(call, ast.Attribute) else getattr(call, "id", "") for call in calls
    }


def set_tag(cell: nbformat.NotebookNode, tag: str, there: bool) -> None:
    """Add a tag to a cell, or remove it."""
    tags = [one for one in cell.metadata.get("tags", []) if one != tag] + [tag] * there
    cell.metadata.pop("tags", None)
    if tags:
        cell.metadata["tags"] = tags


def is_content(output: nbformat.NotebookNode) -> bool:
    """Whether an output is neither standard error nor a finished progress bar."""
    text = output.get("data", {}).get("text/plain", "")
    return output.get("name") != "stderr" and not PROGRESS.search(text)


def main(arguments: list[str]) -> None:
    """Run the named notebooks, or all; a run of all records its times."""
    seconds = {}
    for path in tqdm(
        [Path(name) for name in arguments] or sorted(NOTEBOOKS.rglob("[0-9]*.ipynb")),
        unit="notebook",
    ):
        seconds[path.stem] = round(execute(path), 1)
        tqdm.write(f"{path.name}: {seconds[path.stem]} s")
    if not arguments:
        record(seconds)


def record(seconds: dict[str, float]) -> None:
    """Record the seconds of each notebook, with machine and date."""
    import torch

    from tinyllm.bench.machine import versions
    from tinyllm.runtime.device import device_name

    run = {
        "device": device_name(torch.device("cpu")),
        "date": str(date.today()),
        "versions": versions(),
    }
    TIMES.write_text(json.dumps(run | {"seconds": seconds}, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
