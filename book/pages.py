"""Pages of the site generated from recorded runs and notebooks: `python book/pages.py [FOLDER]`.

`book/conf.py` calls it before a build; `book/readme.py` uses the table of the notebooks and the list of files.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
RESULTS, NOTEBOOKS = ROOT / "book" / "results", ROOT / "notebooks"
GENERATED, ISA = ROOT / "book" / "generated", ROOT / "book" / "device" / "isa.md"
NEEDS = {"triton": "Triton", "sycl": "Intel's SYCL runtime"}


def sources(path: Path, kind: str) -> list[str]:
    """The sources of a notebook's cells of a kind, `markdown` or `code`."""
    cells = json.loads(path.read_text())["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == kind]


def course() -> list[Path]:
    """The notebooks in the order of reading."""
    return sorted(NOTEBOOKS.glob("[0-9]*.ipynb"))


def question(path: Path) -> str:
    """The question in a notebook's first cell."""
    return re.search(r"\*\*Question\.\*\* (.+)", sources(path, "markdown")[0])[1]


def needs(path: Path) -> str:
    """The extras that a notebook needs."""
    code = "\n".join(sources(path, "code"))
    return ", ".join(name for word, name in NEEDS.items() if word in code) or "-"


def course_map(folder: str) -> str:
    """A table of the notebooks and their questions; links begin with `folder`."""
    lines = ["| notebook | question |", "| --- | --- |"]
    lines += [f"| [{title(path)}]({folder}{path.name}) | {question(path)} |" for path in course()]
    return "\n".join(lines)


def title(path: Path) -> str:
    """The number and the name of a notebook."""
    return sources(path, "markdown")[0].splitlines()[0].removeprefix("# ")


def course_times(folder: str) -> str:
    """The same with run times and extras."""
    times = json.loads((RESULTS / "notebooks-cpu.json").read_text())
    lines = [
        f"Seconds are those of a whole run on {times['device']}, {times['date']}.\n",
        "| notebook | question | seconds | needs |",
        "| --- | --- | --- | --- |",
    ]
    for path in course():
        seconds = f"{times['seconds'][path.stem]:.0f}"
        link = f"[{title(path)}]({folder}{path.name})"
        lines.append(f"| {link} | {question(path)} | {seconds} | {needs(path)} |")
    return "\n".join(lines)


def gpu_tests(path: Path) -> str:
    """A paragraph with the result of the tests that need a GPU."""
    run = json.loads(path.read_text())
    return f"**{run['device']}**, {run['date']}: {run['passed']} passed, {run['failed']} failed. {run['what']}."


def files() -> str:
    """A table of the recorded files."""
    lines = ["| file | device | date | rows |", "| --- | --- | --- | --- |"]
    for path in sorted(RESULTS.glob("*.json")):
        run = json.loads(path.read_text())
        first, rows = (
            (run[0], len(run)) if isinstance(run, list) else (run, len(run.get("rows", [1])))
        )
        lines.append(f"| `{path.name}` | {where(first)} | {first.get('date', '-')} | {rows} |")
    return "\n".join(lines)


def where(row: Mapping[str, Any]) -> str:
    """The device of a run; results that are exact on every machine have none."""
    return row.get("device") or "any: exact, not timed"


def kernels_by_gpu() -> str:
    """A table from the record of the machine code: every kernel on every Intel GPU that it is compiled for."""
    rows = [
        line.strip("| \n").split(" | ")
        for line in ISA.read_text().splitlines()
        if line.startswith("| ")
    ]
    rows = [dict(zip(rows[0], row, strict=True)) for row in rows if row != rows[0]]
    gpus = list(dict.fromkeys(row["GPU"] for row in rows))
    lines = ["| kernel | " + " | ".join(gpus) + " |", "| --- |" + " --- |" * len(gpus)]
    for kernel in dict.fromkeys(row["kernel"] for row in rows):
        found = [
            [row for row in rows if (row["kernel"], row["GPU"]) == (kernel, gpu)] for gpu in gpus
        ]
        lines.append(f"| {kernel} | " + " | ".join(map(compiled, found)) + " |")
    return "\n".join(lines)


def compiled(rows: list[dict[str, str]]) -> str:
    """One kernel on one GPU: its data types, spilled registers, and use of the matrix engine."""
    if not rows:
        return "-"
    spilled = sum(int(row["spilled bytes"]) for row in rows)
    matrix = ", dpas" * any(row["dpas"] != "0" for row in rows)
    return f"{len(rows)} types, {spilled} spilled{matrix}"


def seeded_faults() -> str:
    """A table of the faults put into kernels on purpose, and which way of running saw them."""
    run = json.loads((RESULTS / "seeded-faults.json").read_text())
    lines = ["| fault | seen by the interpreter | seen compiled |", "| --- | --- | --- |"]
    for row in run["rows"]:
        seen = ["yes" if row[way] else "no" for way in ("interpreted", "compiled")]
        lines.append(f"| {row['kind']}: {row['what']} | {seen[0]} | {seen[1]} |")
    return "\n".join(lines)


def gpu_code() -> str:
    """A table of the kernels whose code of a GPU has run on the CPU."""
    run = json.loads((RESULTS / "gpu-code.json").read_text())
    lines = [
        f"Made on {run['date']} by {run['compiler']} for {run['gpu']}, run by {run['machine']}:",
        "",
        "| kernel | format | right | not right | largest error | functions of the GPU | seconds |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in run["rows"]:
        numbers = f"{row['right']} | {len(row['not_right'])} | {row['largest_error']:.1e}"
        kinds = ", ".join(dict.fromkeys(call.partition("(")[0] for call in row["calls"]))
        lines.append(
            f"| {row['kernel']} | {row['dtype']} | {numbers} | {kinds} | {row['seconds']:.0f} |"
        )
    return "\n".join(lines)


def families() -> str:
    """The page of the families."""
    import family_table

    intro = (
        "A family is a table of data; [adding one](../adding_a_family.md) takes about thirty lines."
    )
    return f"# Families\n\n{intro} {family_table.families()}"


def write(folder: Path) -> None:
    """Write the generated pages into a folder."""
    import kernel_tables
    import steps

    from tinyllm.kernels.triton import in_flight

    folder.mkdir(parents=True, exist_ok=True)
    pages = {"map": course_times("../notebooks/"), "families": families()}
    pages["kernels_by_gpu"] = kernels_by_gpu()
    pages["seeded_faults"] = seeded_faults()
    pages["gpu_code"] = gpu_code()
    pages["sycl_beside_triton"] = kernel_tables.sycl_beside_triton()
    pages["choice_on_xpu"] = kernel_tables.choice_on_xpu()
    pages["bytes_in_flight"] = in_flight.table()
    pages["steps"] = steps.page(folder / "static" / "steps", "../../_static/steps")
    for name, text in pages.items():
        (folder / f"{name}.md").write_text(text + "\n")


def root_redirect(site: Path) -> None:
    """Redirect the root of a built site to its first page."""
    if (site / "book").is_dir():
        page = '<!doctype html><meta charset="utf-8"><title>tinyllm</title>'
        (site / "index.html").write_text(
            f'{page}<meta http-equiv="refresh" content="0; url=book/index.html">\n'
        )


if __name__ == "__main__":
    write(Path(sys.argv[1]) if sys.argv[1:] else GENERATED)
