"""Put the recorded runs into the README: `python book/readme.py [--check]`.

The table and the picture between the markers come from `book/results/ladder-cpu.json`; nobody types them.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tinyllm.draw.ladder import draw_ladder
from tinyllm.measure.rows import Row, as_markdown, read_rows

ROOT = Path(__file__).parent.parent
RESULTS, PICTURE = ROOT / "book" / "results" / "ladder-cpu.json", ROOT / "book" / "results" / "ladder-cpu.png"
START, END = "<!-- recorded run: start -->", "<!-- recorded run: end -->"


def section(rows: list[Row]) -> str:
    """What stands between the markers."""
    row = rows[0]
    versions = ", ".join(f"{name} {number}" for name, number in row.versions.items())
    where = (
        f"{row.model}, {row.dtype}, batch {row.batch}, {row.prompt_tokens} tokens in, {row.new_tokens} out, on "
        f"{row.device} (read bandwidth {row.read_bandwidth_gb_s:.1f} GB/s), {row.date}; {versions}."
    )
    picture = f"![Milliseconds and bytes per token of each stage beside the limit]({PICTURE.relative_to(ROOT)})"
    return f"{START}\n{as_markdown(rows)}\n\n{where}\n\n{picture}\n{END}"


def updated(readme: str, rows: list[Row]) -> str:
    """The README with the section made anew. Raises ValueError where the markers are missing."""
    if START not in readme or END not in readme:
        raise ValueError(f"README.md has no section between {START!r} and {END!r}")
    before, after = readme.split(START)[0], readme.split(END)[1]
    return before + section(rows) + after


def main() -> int:
    """Write the README and its picture, or with --check say whether they are current."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 where the README is stale")
    check = parser.parse_args().check
    rows, path = read_rows(RESULTS), ROOT / "README.md"
    new = updated(path.read_text(), rows)
    if check:
        return int(new != path.read_text())
    path.write_text(new)
    draw_ladder(rows).savefig(PICTURE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
