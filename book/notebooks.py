"""Run the notebooks and keep their outputs: `python book/notebooks.py [FILE ...]`.

Every notebook, those of the solutions too, runs in a fresh kernel. Execution times, kernel versions, progress bars
and cell names are normalised, so that a second run changes an output only if its text or picture differs.
"""

from __future__ import annotations

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
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
PROGRESS = re.compile(r"\d+%\|")
WIDGET = "application/vnd.jupyter.widget-view+json"


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
    """Remove execution times and kernel versions, and give cells fixed names."""
    notebook.metadata = nbformat.from_dict(METADATA)
    for i, cell in enumerate(notebook.cells):
        cell.id = f"cell-{i}"
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if is_content(output)]
            for output in cell.outputs:
                output.get("data", {}).pop(
                    WIDGET, None
                )  # the id of a model that ended with the kernel


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
