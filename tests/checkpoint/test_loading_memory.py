"""What a process needs while it loads packed weights: the file, mapped, and one tensor."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

MODEL_ELEMENTS = 134_515_008
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


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from Linux's /proc")
def test_a_rank_of_three_reads_its_part(loading_memory):
    check_part(loading_memory.in_own_process("float32", ranks=3))


def check_part(row):
    """The part, and at most the largest tensor of the complete model, which is tied: the embedding in float32."""
    largest = 4 * 49152 * 576
    assert row["weight_bytes"] < 0.34 * 4 * MODEL_ELEMENTS
    assert row["peak_growth_bytes"] <= row["weight_bytes"] + largest


def test_recorded_rows(loading_memory):
    stored, dense, stored_part, dense_part = json.loads(loading_memory.RESULTS.read_text())
    check(stored)
    check_part(dense_part)
    assert [stored["weights"], dense["weights"]] == ["stored", "float32"]
    assert [stored_part["ranks"], dense_part["ranks"]] == [3, 3]
    assert dense["peak_growth_bytes"] > 4 * stored["peak_growth_bytes"]
    assert stored_part["peak_growth_bytes"] < 0.7 * stored["peak_growth_bytes"]
