"""Put the recorded runs into the README: `python book/readme.py [--check]`.

The tables and pictures between the markers come from `book/results/ladder-*.json`; nobody types them.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tinyllm.draw.ladder import draw_ladder
from tinyllm.measure.rows import Row, as_markdown, read_rows

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "book" / "results"
RUNS = ("ladder-cpu", "ladder-h200-llama-2-7b", "ladder-h200-tinyllama-fp32")  # in the order in which they are shown
START, END = "<!-- recorded run: start -->", "<!-- recorded run: end -->"


def recorded() -> dict[str, list[Row]]:
    """The runs shown, by the name of their file."""
    return {name: read_rows(RESULTS / f"{name}.json") for name in RUNS}


def section(runs: dict[str, list[Row]]) -> str:
    """What stands between the markers."""
    return "\n\n".join([START, *(described(name, rows) for name, rows in runs.items()), END])


def described(name: str, rows: list[Row]) -> str:
    """One run: what and where, the table, the picture."""
    row = rows[0]
    versions = ", ".join(f"{package} {number}" for package, number in row.versions.items())
    where = (
        f"**{row.device}**, {row.date}: {row.model}, {row.dtype}, batch {row.batch}, {row.prompt_tokens} tokens in, "
        f"{row.new_tokens} out; read bandwidth {row.read_bandwidth_gb_s:.1f} GB/s; {versions}."
    )
    picture = f"![Milliseconds and bytes per token of each stage beside the limit](book/results/{name}.png)"
    return f"{where}\n\n{as_markdown(rows)}\n\n{picture}"


def updated(readme: str, runs: dict[str, list[Row]]) -> str:
    """The README with the section made anew. Raises ValueError where the markers are missing."""
    if START not in readme or END not in readme:
        raise ValueError(f"README.md has no section between {START!r} and {END!r}")
    before, after = readme.split(START)[0], readme.split(END)[1]
    return before + section(runs) + after


def main() -> int:
    """Write the README and its pictures, or with --check say whether they are current."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 where the README is stale")
    check = parser.parse_args().check
    runs, path = recorded(), ROOT / "README.md"
    new = updated(path.read_text(), runs)
    if check:
        return int(new != path.read_text())
    path.write_text(new)
    for name, rows in runs.items():
        draw_ladder(rows).savefig(RESULTS / f"{name}.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
