"""Many requests of every kind through one model: a few of them now, the recorded run of all."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RECORDED = sorted((ROOT / "book" / "results").glob("soak-*.json"))


def right(record):
    assert record["different"] == []
    assert record["bytes_before"] == record["bytes_after"] > 0
    assert all(count > 0 for count in record["kinds"].values())


def test_a_few_requests(tmp_path):
    path = tmp_path / "soak.json"
    command = [
        sys.executable,
        ROOT / "book" / "soak.py",
        "--requests",
        "60",
        "--sample",
        "20",
        "--json",
        path,
    ]
    subprocess.run(command, check=True, capture_output=True)
    record = json.loads(path.read_text())
    right(record)
    assert record["requests"] == 60 and record["compared"] == 20


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_recorded(path):
    record = json.loads(path.read_text())
    right(record)
    assert record["compared"] >= 50


def test_two_thousand_are_recorded():
    assert max(json.loads(path.read_text())["requests"] for path in RECORDED) >= 2000
