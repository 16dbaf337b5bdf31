"""The last stage in other formats of the weights, beside the dense ones."""

import pytest
import torch

import models
from tinyllm.bench.compare import Plan, bench
from tinyllm.bench.engines import EngineSettings, Failures, open_engines
from tinyllm.bench.machine import Machine
from tinyllm.bench.peers import pick_peers
from tinyllm.bench.rows import is_ours, read_rows, write_rows
from tinyllm.checkpoint import open_checkpoint
from tinyllm.checkpoint.weight_formats import STORED, pick_weights
from tinyllm.cli.bench_inputs import pick_formats

CPU = torch.device("cpu")
MACHINE = Machine("a machine", 1e9, 1e9, 1e-6)
PROMPT = torch.arange(3, 15).reshape(2, 6)


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    """Rows of transformers, of two dense stages, and of the last one in three formats."""
    folder = tmp_path_factory.mktemp("tiny")
    sizes = {"hidden_size": 64, "intermediate_size": 64, "eos_token_id": 3, "pad_token_id": 0}
    models.tiny(**sizes).save_pretrained(folder)
    formats = [pick_weights(name, None) for name in ("q4_1", "bfloat16", "q8_0")]
    settings = EngineSettings(open_checkpoint(folder), CPU, torch.float32, weights=formats)
    with open_engines(settings, ["naive", "sdpa"], pick_peers(["hf"]), Failures()) as engines:
        return bench(engines, Plan("tiny", PROMPT, new_tokens=4, repeats=1), machine=MACHINE)


def test_engines_are_named_by_their_formats(rows):
    formats = ["Q4_1", "BF16", "Q8_0"]
    names = ["hf", "naive", "sdpa", *(f"sdpa, {name}" for name in formats)]
    assert [row.stage for row in rows] == names
    packed = ["packed Q4_1, Q8_0", "packed BF16", "packed Q8_0"]
    assert [row.weights for row in rows] == ["dense float32"] * 3 + packed
    assert [is_ours(name) for name in names] == [False] + [True] * 5


def test_bytes_are_those_of_the_blocks(rows):
    dense, *packed = rows[2:]
    assert all(row.weight_bytes < dense.weight_bytes for row in packed)
    assert all(row.predicted_bytes_per_token < dense.predicted_bytes_per_token for row in packed)
    assert all(row.moved_bytes_per_token == row.counted_bytes_per_token for row in rows[1:])
    assert all(row.launches_per_layer == row.predicted_launches_per_layer for row in rows[1:])


def test_rows_keep_their_format(rows, tmp_path):
    write_rows(rows, tmp_path / "rows.json")
    assert read_rows(tmp_path / "rows.json") == rows


def test_formats_of_a_run(tmp_path):
    """Those that are named; else as stored, where the file packs its weights."""
    models.tiny().save_pretrained(tmp_path)
    dense, packed = open_checkpoint(tmp_path), open_checkpoint(None)
    assert pick_formats(None, dense, torch.float32) == []
    assert pick_formats(None, packed, torch.float32) == [STORED]
    assert pick_formats([], packed, torch.float32) == []
    names = [one.name for one in pick_formats(["q8_0", "bfloat16"], dense, torch.float32)]
    assert names == ["q8_0", "bfloat16"]


def test_a_model_without_stages_of_ours(tmp_path):
    models.tiny().save_pretrained(tmp_path)
    settings = EngineSettings(open_checkpoint(tmp_path), CPU, torch.float32, weights=[STORED])
    with open_engines(settings, [], {}, Failures()) as engines:
        assert engines == []
