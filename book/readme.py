"""Put the recorded runs into README.md, book/results.md and book/report.md: `python book/readme.py [--check]`.

The tables and pictures between the markers come from `book/results/*.json`; none is typed by hand. The README has a few
figures, the page of results has all recorded runs, and that of reports what to expect of a GPU.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import answer_tables
import attention_table
import beam_tables
import bench_tables
import family_table
import first_token_tables
import kv_errors
import loading_memory
import packed_tables
import pages
import rank_tables
import report_tables
import start_times
import weight_errors

from tinyllm.bench.rows import Row, grouped
from tinyllm.draw.attention_cells import attention_runs, draw_attention_cells, middle
from tinyllm.draw.latency import draw_latency
from tinyllm.draw.models import draw_models
from tinyllm.draw.throughput import draw_batches, draw_throughput
from tinyllm.draw.waterfall import draw_searches, draw_waterfall

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "book" / "results"
README, PAGE = ROOT / "README.md", ROOT / "book" / "results.md"
REPORT = ROOT / "book" / "report.md"
MARKERS = "<!-- recorded {}: start -->", "<!-- recorded {}: end -->"


def tests() -> str:
    """The outcome of every recorded run of the tests that need a GPU."""
    return "\n\n".join(pages.gpu_tests(path) for path in sorted(RESULTS.glob("gpu-tests-*.json")))


def notebooks() -> str:
    """The map of the course."""
    return pages.course_map("notebooks/")


def headline() -> str:
    """The figures of the README."""
    return f"{bench_tables.headline(report_tables.headline())}\n\n{rank_tables.headline()}"


SECTIONS = {
    README: {"demo": bench_tables.demo, "headline": headline, "notebooks": notebooks},
    REPORT: {"cards": report_tables.cards},
    PAGE: {
        "reports": report_tables.reports,
        "run": bench_tables.ladder,
        "beams": beam_tables.beams,
        "attention": attention_table.attention,
        "packed": packed_tables.packed,
        "weights": weight_errors.table,
        "keys": kv_errors.table,
        "int8": answer_tables.int8_attention,
        "answers": answer_tables.answers,
        "ranks": rank_tables.ranks,
        "loading": loading_memory.table,
        "start": start_times.table,
        "first": first_token_tables.first_tokens,
        "families": family_table.families,
        "tests": tests,
        "files": pages.files,
    },
}


def updated(path: Path) -> str:
    """A file with its sections generated again. Raises ValueError where a marker is missing."""
    text = path.read_text()
    for name, made in SECTIONS[path].items():
        start, end = (marker.format(name) for marker in MARKERS)
        if start not in text or end not in text:
            raise ValueError(f"{path.name} has no section between {start!r} and {end!r}")
        text = f"{text.split(start)[0]}{start}\n\n{made()}\n\n{end}{text.split(end)[1]}"
    return text


def main() -> int:
    """Write the files and the pictures; with --check, return 1 where a file is stale."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="change nothing; exit 1 where a file is stale"
    )
    check, new = parser.parse_args().check, {path: updated(path) for path in SECTIONS}
    if check:
        return int(any(text != path.read_text() for path, text in new.items()))
    for path, text in new.items():
        path.write_text(text)
    for kind, draw in (
        ("ladder", draw_waterfall),
        ("models", draw_models),
        ("latency", draw_latency),
    ):
        for name, rows in bench_tables.recorded(kind).items():
            draw(rows).savefig(RESULTS / f"{name}.png")
    for name, rows in bench_tables.recorded("demo").items():
        draw_searches(grouped(rows)).savefig(RESULTS / f"{name}.png")
    for run in attention_runs():
        shape = run["rows"][0]["shape"]
        draw_attention_cells(run, *middle(run, shape)).savefig(
            RESULTS / attention_table.picture_of(run)
        )
    for name in beam_tables.THROUGHPUTS:
        rows = beam_tables.load(name)
        found = (
            draw_batches([Row(**row) for row in rows])
            if "stage" in rows[0]
            else draw_throughput(rows)
        )
        found.savefig(RESULTS / f"{name}.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
