"""The script that measures starts: processes of their own, their medians, and a program that fails."""

import importlib.util
import json
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "book" / "start_times.py"
LONG = "import time\nwhile time.process_time() < 0.5: pass"


@pytest.fixture(scope="module")
def start_times():
    spec = importlib.util.spec_from_file_location("start_times", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_every_program_has_a_row(start_times, monkeypatch, tmp_path):
    monkeypatch.setattr(start_times, "PROGRAMS", {"short": ("-c", ""), "long": ("-c", LONG)})
    rows = start_times.measure(2)
    short, long = rows
    assert (short.program, long.program, long.rounds) == ("short", "long", 2)
    assert 0 < short.cpu_seconds < 0.5 < long.cpu_seconds
    assert all(row.seconds > 0 for row in rows) and long.seconds >= 0.5
    (tmp_path / "rows.json").write_text(json.dumps([asdict(row) for row in rows]))
    *_, first, second = start_times.table(tmp_path / "rows.json").split("\n")
    assert first.startswith("| short | ")
    assert second == f"| long | {long.seconds:.2f} | {long.cpu_seconds:.2f} |"


def test_a_program_that_fails_is_named(start_times):
    with pytest.raises(RuntimeError, match="-c raise SystemExit"):
        start_times.run(("-c", "raise SystemExit(3)"))


def test_recorded_rows(start_times):
    """Ours take less of the processor than transformers on the same file, and more than the import of torch."""
    rows = json.loads(start_times.RESULTS.read_text())
    assert [row["program"] for row in rows] == list(start_times.PROGRAMS)
    torch, _, command, ours, theirs = (row["cpu_seconds"] for row in rows)
    assert torch < command < ours < theirs
