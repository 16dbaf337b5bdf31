"""Clocks, rounds, memory, peers and rows: the measurements beside the cost model."""

import json
from dataclasses import replace

import pytest
import torch
from transformers import StoppingCriteriaList

import models
import tinyllm
from tinyllm.bench.compare import Plan, bench, first_difference
from tinyllm.bench.engines import load_engines
from tinyllm.bench.export import save_folder
from tinyllm.bench.machine import launch_overhead, measure_machine, versions
from tinyllm.bench.peers import transformers_twin
from tinyllm.bench.rows import (
    COLUMNS,
    as_markdown,
    as_text,
    ratio_to_peer,
    read_rows,
    table,
    write_rows,
)
from tinyllm.bench.timing import Engine, TokenClock, time_in_rounds
from tinyllm.checkpoint import open_checkpoint
from tinyllm.lab.memory import peak_bytes
from tinyllm.lab.shapes import SHAPES, random_checkpoint
from tinyllm.model import load_model

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("tiny")
    models.tiny(eos_token_id=3, pad_token_id=0).save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def rows(folder):
    checkpoint = open_checkpoint(folder)
    engines = load_engines(checkpoint, list(tinyllm.STAGES), ["hf"], CPU, torch.float32)
    return bench(
        engines, Plan("tiny", torch.ones(2, 5, dtype=torch.int64), new_tokens=6, repeats=2)
    )


class Scripted:
    """A model that generates without computation, and records its calls."""

    def __init__(self, name, calls):
        self.name, self.calls = name, calls

    def generate(self, input_ids, *, max_new_tokens, stopping_criteria, **kwargs):
        self.calls.append(self.name)
        for _ in range(max_new_tokens):
            stopping_criteria(input_ids, None)
        return input_ids


def test_rounds_alternate_the_order_of_engines():
    calls = []
    engines = [Engine(name, Scripted(name, calls)) for name in "ab"]
    timings = time_in_rounds(engines, torch.ones(1, 3, dtype=torch.int64), new_tokens=4, repeats=3)
    assert "".join(calls) == "abbaab"
    assert set(timings) == {"a", "b"}


@pytest.mark.parametrize("num_beams", [1, 3])
def test_the_clock_records_every_token(smollm, num_beams):
    clock = TokenClock(CPU)
    criteria = StoppingCriteriaList([clock])
    Engine("naive", smollm).run(
        torch.ones(1, 3, dtype=torch.int64), 4, num_beams, stopping_criteria=criteria
    )
    assert len(clock.times) == 4
    assert clock.times == sorted(clock.times)


def test_rows_of_a_beam_search(folder):
    checkpoint = open_checkpoint(folder)
    engines = load_engines(checkpoint, list(tinyllm.STAGES), ["hf"], CPU, torch.float32)
    rows = bench(
        engines,
        Plan("tiny", torch.ones(2, 5, dtype=torch.int64), new_tokens=40, repeats=1, num_beams=3),
    )
    assert [row.num_beams for row in rows] == [3] * (1 + len(tinyllm.STAGES))
    assert {row.first_difference for row in rows} == {None}
    for row in rows[1:]:
        assert row.moved_bytes_per_token == row.counted_bytes_per_token
        assert row.launches_per_layer == row.predicted_launches_per_layer
        assert row.predicted_bytes_per_token < row.moved_bytes_per_token
    peaks = {row.stage: row.peak_bytes for row in rows}
    assert peaks["segment"] < peaks["fused"]


def test_engines_generate_exactly_new_tokens(folder):
    engines = load_engines(
        open_checkpoint(folder), list(tinyllm.STAGES), ["hf"], CPU, torch.float32
    )
    prompt = torch.ones(1, 2, dtype=torch.int64)
    assert {engine.run(prompt, 9).shape for engine in engines} == {(1, 11)}


def test_peak_bytes_counts_live_tensors():
    def run():
        first = torch.ones(1000)
        del first
        second = torch.ones(3000)
        return second + 1

    assert 0 <= peak_bytes(run, CPU) - 2 * 3000 * 4 < 100  # and a few scalars


@models.every_kind
def test_the_peer_shares_the_weights(kind, tmp_path):
    models.look_at_one_memory(kind, tmp_path, CPU)


@pytest.mark.parametrize("kind", ["gemma2", "bloom"])
def test_weights_written_for_other_processes_are_the_checkpoints(kind, tmp_path):
    hf = models.tiny(kind)
    hf.save_pretrained(tmp_path)
    decoder = load_model(open_checkpoint(tmp_path), tinyllm.STAGES["final"], CPU, torch.float32)
    (tmp_path / "copy").mkdir()
    save_folder(decoder, open_checkpoint(tmp_path), tmp_path / "copy")
    copy = type(hf).from_pretrained(tmp_path / "copy")
    assert all(
        torch.equal(value, copy.state_dict()[name]) for name, value in hf.state_dict().items()
    )


def test_an_unknown_peer_raises(folder):
    with pytest.raises(
        ValueError, match=r"peer 'vllm' is unknown: expected one of \['hf', 'hf-static'"
    ):
        load_engines(open_checkpoint(folder), ["naive"], ["vllm"], CPU, torch.float32)
    with pytest.raises(ValueError, match=r"only \['hf', 'hf-static'\] run in this process"):
        load_engines(open_checkpoint(folder), ["naive"], ["ipex"], CPU, torch.float32)


def test_rows_have_prediction_count_and_measurement(rows):
    assert [row.stage for row in rows] == ["hf", *tinyllm.STAGES]
    for row in rows:
        assert row.first_difference is None
        assert (row.batch, row.prompt_tokens, row.new_tokens) == (2, 5, 6)
        assert min(row.first_token_ms, row.next_token_ms, row.peak_bytes, row.bandwidth_gb_s) > 0
        assert row.tokens_per_s == pytest.approx(2e3 / row.next_token_ms)
        assert row.call_tokens_per_s == pytest.approx(2 * 6 / row.seconds)
        assert row.seconds > (row.first_token_ms + 4 * row.next_token_ms) / 2e3 and row.ready_s > 0
        assert row.repeats == 2 and row.largest_batch is None
        assert row.bandwidth_share == pytest.approx(row.bandwidth_gb_s / row.read_bandwidth_gb_s)
    for row in rows[1:]:
        assert (
            row.moved_bytes_per_token == row.counted_bytes_per_token > row.predicted_bytes_per_token
        )
        assert row.launches_per_layer == row.predicted_launches_per_layer
    assert len({row.weight_bytes for row in rows}) == 1


def test_rows_are_written_and_read(rows, tmp_path):
    write_rows(rows, tmp_path / "rows.json")
    assert read_rows(tmp_path / "rows.json") == rows


@pytest.mark.parametrize("text", ["{", '[{"stage": "naive"}]', json.dumps({"a": 1})])
def test_a_file_without_rows_raises(tmp_path, text):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(ValueError, match=r"x\.json: not a recorded run"):
        read_rows(tmp_path / "x.json")


def test_tables_show_every_column_and_ratios_within_the_run(rows):
    slow, fast = replace(rows[0], next_token_ms=30.0), replace(rows[1], next_token_ms=10.0)
    assert ratio_to_peer(fast, [slow, fast]) == 3.0
    assert ratio_to_peer(fast, [fast]) is None
    assert cell([slow, fast], "vs hf") == "3.00x"
    assert cell([slow, replace(fast, first_difference=2)], "same tokens") == "differ from token 3"
    assert cell(rows, "same tokens") == "yes"
    assert cell(rows[1:], "same tokens") == "-"  # without transformers, no "yes"
    assert len(as_text(rows).splitlines()) == 1 + len(rows)
    shown = len(COLUMNS) - 4  # all but dtypes, formats of weights, ranks and the time to load
    assert {line.count("|") for line in as_markdown(rows).splitlines()} == {shown + 1}


def cell(rows, head):
    """The last row's cell in a column."""
    heads, *lines = table(rows)
    return lines[-1][heads.index(head)]


def test_empty_columns_are_left_out(rows):
    old = [replace(row, ready_s=None) for row in rows]
    assert "ready s" in table(rows)[0] and "ready s" not in table(old)[0]
    loaded = [replace(rows[0], load_s=1.26), rows[1]]
    assert cell(loaded[::-1], "load s") == "1.3" and cell(loaded, "load s") == "-"
    assert "load s" not in table(rows)[0]
    mixed = [*rows, replace(rows[0], stage="openvino", dtype="float16")]
    assert "dtype" in table(mixed)[0] and "dtype" not in table(rows)[0]


def test_the_first_token_that_differs_is_found():
    oracle = torch.tensor([[5, 6, 1, 2, 3], [5, 6, 1, 2, 3]])
    other = oracle.clone()
    other[1, 3] = 9
    assert first_difference(oracle.clone(), oracle, prompt_tokens=2) is None
    assert first_difference(other, oracle, prompt_tokens=2) == 1


def test_the_machine_is_measured(monkeypatch):
    monkeypatch.setattr("tinyllm.bench.machine.BUFFER_BYTES", {"cpu": 1 << 20})
    machine = measure_machine(CPU, repeats=1)
    assert min(machine.read_bandwidth, machine.copy_bandwidth, machine.launch_overhead) > 0
    assert launch_overhead(CPU, repeats=1, launches=10) > 0
    assert {"python", "torch", "transformers"} <= versions().keys()


@pytest.mark.parametrize("shape", SHAPES)
def test_random_shapes_have_the_sizes_of_their_names(shape):
    checkpoint = random_checkpoint(shape, CPU, torch.bfloat16)
    billions = sum(torch.Size(size).numel() for size in checkpoint.weights.shapes.values()) / 1e9
    size = shape.rsplit("-", 1)[1]
    said = (
        float(size[:-1]) / 1000
        if size.endswith("m")
        else float(size.replace("b1", ".1").rstrip("b"))
    )
    assert billions == pytest.approx(said, rel=0.1)


def test_an_unknown_shape_raises():
    with pytest.raises(ValueError, match="shape 'llama-9-1b' is unknown: expected one of"):
        random_checkpoint("llama-9-1b", CPU, torch.bfloat16)


def test_random_weights_run():
    from tinyllm.lab import shapes

    small = {
        **SHAPES["tinyllama-1.1b"],
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": 1,
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shapes, "SHAPES", {"small": small | {"vocab_size": 50}})
        checkpoint = random_checkpoint("small", CPU, torch.float32)
    decoder = load_model(checkpoint, tinyllm.STAGES["naive"], CPU, torch.float32)
    ids = torch.ones(1, 4, dtype=torch.int64)
    logits = decoder(ids)
    assert logits.isfinite().all() and logits.std() > 0
    torch.testing.assert_close(transformers_twin(decoder, checkpoint)(ids).logits, logits)
