"""The search for the largest batch in a memory budget, with an engine of limited memory."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import tinyllm
from tinyllm.bench.machine import Machine
from tinyllm.bench.rows import read_rows, table
from tinyllm.bench.throughput import BatchSearch, largest_batch, measure, planned_batch
from tinyllm.bench.worker import is_out_of_memory, limit_memory
from tinyllm.bench.worker_client import RemoteEngine, Worker, WorkerError, WorkerOutOfMemory
from tinyllm.cli import main
from tinyllm.generation.memory import CallShape, memory_need
from tinyllm.stages import FASTEST

MACHINE = Machine("a machine", 1e9, 1e9, 1e-6)


@given(true=st.integers(0, 3000), guess=st.integers(0, 3000), most=st.integers(1, 2000))
@settings(max_examples=300, deadline=None)
def test_the_largest_batch_is_found_from_any_guess(true, guess, most):
    tried = []

    def fits(batch):
        tried.append(batch)
        return batch <= true

    found, best = largest_batch(fits, guess, most), min(true, most)
    assert found <= best and best - found <= max(1, found // 50) * (found < best)
    assert found == best or best > 50
    assert all(1 <= batch <= most for batch in tried) and len(tried) == len(set(tried)) <= 30


class Limited(Worker):
    """A worker that returns zeros, and is out of memory for batches of more than `holds` tokens."""

    def __init__(self, holds, greedy=0):
        self.holds, self.greedy, self.asked = holds, greedy, []

    def request(self, do, *, ids, new_tokens, num_beams, watch):
        batch, tokens = len(ids), len(ids[0]) + new_tokens
        self.asked.append((batch, new_tokens))
        if batch * (tokens + self.greedy * (new_tokens > 2)) > self.holds:
            raise WorkerOutOfMemory("it: CUDA out of memory")
        times = [0.1 * (i + 1) for i in range(new_tokens)]
        return {
            "tokens": [[*prompt, *[0] * new_tokens] for prompt in ids],
            "times": times,
            "peak_bytes": None,
        }


def searched(worker, name, decoder, **changes):
    loaded = {"dtype": "float32", "weight_bytes": 1, "prepare_s": 1.5, "versions": {}}
    loaded |= {"weights": "dense float32", "table_bytes": None}
    engine, rows = RemoteEngine(name, worker, decoder.config, loaded), []
    search = BatchSearch(
        "tiny", torch.ones(64, 8, dtype=torch.int64), 8, 1, repeats=3, budget=10**9, **changes
    )
    answer = measure(engine, search, MACHINE, record=rows.append)
    return rows, answer


@pytest.mark.parametrize("name", ["hf", FASTEST])
def test_an_engine_is_timed_up_to_its_largest_batch(name, decoder):
    worker = Limited(holds=37 * 16)
    rows, answer = searched(worker, name, decoder)
    assert [row.batch for row in rows[-1]] == [1, 4, 16, 37]
    assert [row.repeats for row in (rows[0][0], rows[-1][0])] == [1, 3]
    assert {(row.largest_batch, row.memory_budget_bytes) for row in rows[-1]} == {(37, 10**9)}
    assert (rows[-1][0].planned_batch is None) == (name == "hf")
    assert len(answer) == 37
    top = rows[-1][-1]
    assert top.seconds == pytest.approx(0.8) and top.call_tokens_per_s == pytest.approx(
        37 * 8 / 0.8
    )
    assert top.ready_s >= 1.5
    timed = [batch for batch, _ in worker.asked[-12:]]
    assert timed == [1, 4, 16, 37, 37, 16, 4, 1, 1, 4, 16, 37]


def test_freed_bytes_of_weights_are_planned_for_prompts(decoder):
    """As many more prompts as the freed memory holds."""
    prompts = torch.ones(1, 64, dtype=torch.int64)
    search = BatchSearch("tiny", prompts, 64, 1, repeats=1, budget=200 << 20)
    call = CallShape(1, 64, 64)
    stage = tinyllm.STAGES[FASTEST]
    planned = {}
    for name, weight_bytes in ((FASTEST, 160 << 20), (f"{FASTEST}, q4_1", 40 << 20)):
        loaded = {"dtype": "float32", "weight_bytes": weight_bytes, "prepare_s": 0, "versions": {}}
        loaded |= {"weights": name, "table_bytes": None}
        planned[name] = planned_batch(
            RemoteEngine(name, Limited(0), decoder.config, loaded), search
        )
    dense, packed = planned.values()
    more = memory_need(stage, decoder.config, replace(call, prompts=packed - dense), 4).total
    assert more == pytest.approx(120 << 20, rel=0.01)


def test_a_batch_whose_complete_answer_does_not_fit_is_reduced(decoder):
    rows, _ = searched(Limited(holds=37 * 16, greedy=2), "hf", decoder, batches=())
    assert [row.batch for row in rows[-1]] == [32]


def test_a_batch_that_does_not_fit_every_time_is_reduced(decoder):
    class Leaky(Limited):
        def request(self, do, **request):
            if len(request["ids"]) == 37 and [batch for batch, _ in self.asked].count(37) == 3:
                raise WorkerError("it: RuntimeError: DefaultCPUAllocator: can't allocate memory")
            return super().request(do, **request)

    rows, answer = searched(Leaky(holds=37 * 16), FASTEST, decoder, batches=())
    assert [(row.batch, row.largest_batch, row.repeats) for row in rows[-1]] == [
        (36, 36, 3)
    ] and len(answer) == 36


def test_too_small_a_budget_raises(decoder):
    with pytest.raises(
        MemoryError, match=r"not even one prompt fits into 1\.0 GB, weights included"
    ):
        searched(Limited(holds=3), "hf", decoder)


def test_other_errors_are_raised(decoder):
    class Broken(Limited):
        def request(self, do, **request):
            raise WorkerError("it: ValueError: no")

    with pytest.raises(WorkerError, match="no"):
        searched(Broken(1), "hf", decoder)


@pytest.mark.parametrize(
    ("error", "memory"),
    [
        (MemoryError("3 prompts do not fit"), True),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate"), True),
        (
            RuntimeError(
                "[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"
            ),
            True,
        ),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED"), True),
        (RuntimeError("shapes cannot be multiplied"), False),
        (KeyError("x"), False),
    ],
)
def test_out_of_memory_errors_of_all_libraries(error, memory):
    assert is_out_of_memory(error) is memory


def test_throughput_from_the_command_line(saved, tmp_path, capsys):
    out, png = tmp_path / "rows.json", tmp_path / "batches.png"
    small = [
        "--prompts",
        "8",
        "--new-tokens",
        "4",
        "--beams",
        "2",
        "--repeats",
        "1",
        "--max-batch",
        "3",
    ]
    engines = ["--stages", "segment", "--peers", "hf", "--memory-budget", "16"]
    engines += ["--weights", "bfloat16", "--kv-dtype", "int8"]
    files = ["--json", str(out), "--png", str(png)]
    assert (
        main(["bench", "--preset", "throughput", "--model", str(saved), *small, *engines, *files])
        == 0
    )
    rows = read_rows(out)
    ours = ["segment", "segment, int8 keys", "segment, bfloat16", "segment, bfloat16, int8 keys"]
    assert [(row.stage, row.batch, row.largest_batch) for row in rows] == [
        (name, batch, 3) for name in ("hf", *ours) for batch in (1, 3)
    ]
    assert {row.stage: row.kv_dtype for row in rows} == {
        name: "int8" if "int8" in name else None for name in ("hf", *ours)
    }
    sizes = {row.stage: row.weight_bytes for row in rows}
    assert sizes["segment, bfloat16"] < 0.6 * sizes["segment"]
    assert sizes["segment, bfloat16, int8 keys"] == sizes["segment, bfloat16"]
    exact = [row for row in rows if row.kv_dtype is None]
    assert {row.first_difference for row in exact} == {None}
    assert png.read_bytes().startswith(b"\x89PNG")
    shown = capsys.readouterr().out
    assert (
        "2 beams, 8 tokens in, 4 out" in shown
        and shown.count("3 (largest)") == 5
        and "seconds per call" in shown
    )


def test_engines_are_compared_at_their_largest_batches(decoder):
    (first, *_), *_ = searched(Limited(holds=16), "hf", decoder)[0]
    at = [("hf", 1, 2, 1.0), ("hf", 2, 2, 1.0), ("naive", 2, 6, 1.0), ("naive", 6, 6, 1.5)]
    rows = [
        replace(first, stage=s, batch=b, largest_batch=m, seconds=t, peak_bytes=2 * 10**9)
        for s, b, m, t in at
    ]
    head, *lines = table(rows)
    assert [line[head.index("vs hf")] for line in lines] == ["-", "1.00x", "-", "2.00x"]
    assert [line[head.index("batch")] for line in lines] == ["1", "2 (largest)", "2", "6 (largest)"]
    assert {line[head.index("GB beside the weights")] for line in lines} == {"2.0"}


def test_gpu_memory_is_limited_by_device_index(monkeypatch):
    limited = []
    monkeypatch.setattr(
        torch.cuda, "get_device_properties", lambda device: SimpleNamespace(total_memory=100)
    )
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 3)
    monkeypatch.setattr(
        torch.cuda, "set_per_process_memory_fraction", lambda *given: limited.append(given)
    )
    limit_memory(torch.device("cuda"), 50)
    limit_memory(torch.device("cuda:1"), 200)
    assert limited == [(0.5, 3), (1.0, 1)]
