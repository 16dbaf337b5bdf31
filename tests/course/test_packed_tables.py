"""Tables of engines on packed weights, and the random files that some of them are measured on."""

import json
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

import tinyllm
from tinyllm.bench.rows import Row, write_rows
from tinyllm.checkpoint import open_checkpoint
from tinyllm.kernels import cpu
from tinyllm.kernels.block_formats import FORMATS
from tinyllm.lab import shapes

BOOK = Path(__file__).parents[2] / "book"
sys.path += [str(BOOK), str(BOOK / "device")]

import bench_packed_cpu  # noqa: E402
import packed_tables  # noqa: E402
import random_gguf  # noqa: E402

CPU = torch.device("cpu")
SMALL = {
    **shapes.SHAPES["tinyllama-1.1b"],
    "hidden_size": 256,
    "intermediate_size": 512,
    "num_hidden_layers": 2,
    "num_attention_heads": 8,
    "vocab_size": 64,
}
HF = Row(
    stage="hf",
    model="a model",
    device="a machine",
    dtype="float32",
    batch=1,
    num_beams=1,
    prompt_tokens=128,
    new_tokens=64,
    first_token_ms=90.0,
    next_token_ms=40.0,
    tokens_per_s=25.0,
    peak_bytes=1,
    weight_bytes=400,
    predicted_bytes_per_token=400,
    moved_bytes_per_token=None,
    counted_bytes_per_token=None,
    bandwidth_gb_s=10.0,
    bandwidth_share=0.3,
    read_bandwidth_gb_s=30.0,
    launches_per_layer=None,
    predicted_launches_per_layer=None,
    first_difference=None,
    versions={"torch": "2.13.0"},
    date="2026-01-02",
    repeats=5,
    weights="dense float32",
    bits_per_weight=32.0,
)


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(shapes, "SHAPES", {"small": SMALL})


def test_a_line_for_each_engine_and_a_column_for_each_search(tmp_path):
    """An engine without beams has a dash there; versions are those of all engines."""
    peer = replace(
        HF,
        stage="llama.cpp, Q4_1",
        next_token_ms=8.0,
        first_difference=10,
        weights="packed Q4_1, Q8_0",
        bits_per_weight=5.74,
        versions={"torch": "2.13.0", "llama-cpp-python": "0.3"},
    )
    ours = replace(peer, stage="final, Q4_1", next_token_ms=4.0, first_difference=None)
    beams = [replace(row, num_beams=4, next_token_ms=2 * row.next_token_ms) for row in (HF, ours)]
    write_rows([HF, peer, ours, *beams], tmp_path / "packed-peers-cpu.json")
    heading, _, _, _, *lines = packed_tables.packed(tmp_path).splitlines()
    assert "llama-cpp-python 0.3, torch 2.13.0" in heading and "medians of 5 rounds" in heading
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert [row[:5] for row in cells] == [
        ["hf", "dense float32", "32.00", "40.00", "80.00"],
        ["llama.cpp, Q4_1", "packed Q4_1, Q8_0", "5.74", "8.00 (5.00x)", "-"],
        ["final, Q4_1", "packed Q4_1, Q8_0", "5.74", "4.00 (10.00x)", "8.00 (10.00x)"],
    ]
    assert [row[-1] for row in cells] == ["2 of 2", "0 of 1", "2 of 2"]


def test_a_sentence_without_a_recorded_run(tmp_path):
    assert packed_tables.packed(tmp_path) == "No run is recorded yet."


@pytest.mark.parametrize("name", ["Q4_K", "Q8_0"])
def test_a_random_file_holds_one_format_and_runs(name, small, tmp_path):
    checkpoint = shapes.random_checkpoint("small", CPU, torch.float32)
    random_gguf.write_random(checkpoint, FORMATS[name], tmp_path / "random.gguf")
    tensors = open_checkpoint(tmp_path / "random.gguf").weights.tensors.values()
    types = {info.kind for info in tensors if len(info.shape) == 2}
    assert types == {FORMATS[name].ggml_type}
    model = tinyllm.from_pretrained(tmp_path / "random.gguf", stage="sdpa", weights="stored")
    logits = model(torch.arange(3, 9)[None])
    assert logits.isfinite().all() and 0.1 < logits.std() < 10


def test_all_matrices_of_a_token_are_measured(small, tmp_path, monkeypatch):
    """Their bytes are those of the format; torch's groups of 32 have a scale and a zero point like the activations."""
    monkeypatch.setattr(bench_packed_cpu, "BANDWIDTH_BYTES", 1 << 20)
    if reason := cpu.unavailable():
        pytest.skip(reason)
    rows = bench_packed_cpu.measure("small", torch.float32, ["Q4_K", "Q8_0"], 1, times=1)
    names = [("tinyllm", "dense"), ("tinyllm", "Q4_K"), ("tinyllm", "Q8_0")]
    names.append(("torch int4pack", "int4, groups of 32"))
    assert [(row.engine, row.weights) for row in rows] == names
    assert [row.bits_per_weight for row in rows] == [32, 4.5, 8.5, 4 + 2 * 32 / 32]
    sizes = [(512, 256), (256, 256), (1024, 256), (256, 512)] * 2 + [(64, 256)]
    assert list(bench_packed_cpu.matrix_sizes(shapes.known_config("small"))) == sizes
    assert rows[0].weight_bytes == 4 * sum(n * k for n, k in sizes)
    (tmp_path / "packed-matmuls-cpu.json").write_text(json.dumps([asdict(row) for row in rows]))
    table = packed_tables.packed(tmp_path)
    assert (
        table.count("float32 |") == 4 and "| torch int4pack | int4, groups of 32 | 6.00 |" in table
    )


def test_torch_multiplies_by_its_codes():
    """Codes from 0 to 15 stand for -8 to 7, and the zero point is added."""
    matrices = bench_packed_cpu.torch_matrices([(32, 64)], torch.float32)
    (matmul,) = matrices.matmuls
    scales = matmul.keywords["scales"]
    scales[..., 0], scales[..., 1] = 1.0, 8.0
    out = matmul(torch.ones(1, 64))
    assert out.shape == (1, 32) and out.min() >= 0 and out.max() <= 15 * 64
    torch.testing.assert_close(out, out.round(), rtol=0, atol=0.01)
