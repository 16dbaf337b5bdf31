"""What a process needs while it loads packed weights: the file, mapped, and one tensor."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "book" / "loading_memory.py"


@pytest.fixture(scope="module")
def loading_memory():
    spec = importlib.util.spec_from_file_location("loading_memory", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def check(row):
    assert row["file_bytes"] / 2 < row["peak_growth_bytes"]
    assert row["peak_growth_bytes"] <= row["file_bytes"] + row["largest_tensor_bytes"]


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from Linux's /proc")
def test_the_peak_is_at_most_the_file_and_its_largest_tensor(loading_memory):
    check(loading_memory.in_own_process("stored"))


def test_recorded_rows(loading_memory):
    stored, dense = json.loads(loading_memory.RESULTS.read_text())
    check(stored)
    assert [stored["weights"], dense["weights"]] == ["stored", "float32"]
    assert dense["peak_growth_bytes"] > 4 * stored["peak_growth_bytes"]
