"""Engines in processes of their own, and runs that continue without a failed one."""

import os
import sys

import pytest
import torch

from tinyllm.bench.compare import Plan, bench
from tinyllm.bench.engines import Failures, open_engines
from tinyllm.bench.machine import Machine
from tinyllm.bench.peers import Peer
from tinyllm.bench.presets import FIRST
from tinyllm.bench.timing import Engine
from tinyllm.bench.torch_path import torch_path
from tinyllm.bench.worker_client import (
    RemoteEngine,
    Worker,
    WorkerError,
    environment_of,
)

MACHINE = Machine("a machine", 1e9, 1e9, 1e-6)
PROMPT = torch.arange(3, 15).reshape(2, 6)
EAGER = {"backend": "eager", "mode": None}  # hf-static compiles for minutes otherwise


@pytest.fixture(scope="module")
def worker():
    """One process for all tests without a crash, which loads one engine after another."""
    worker = Worker("it")
    yield worker
    worker.close()


LOAD = {"device": "cpu", "dtype": "float32", "threads": 2, "budget": None}


@pytest.mark.parametrize(
    ("kind", "options"),
    [("hf", {}), ("hf-static", EAGER), ("stage", {"stage": FIRST})],
    ids=["hf", "static", "ours"],
)
def test_a_worker_returns_the_same_tokens_and_their_times(kind, options, worker, folder, decoder):
    loaded = worker.request("load", kind=kind, folder=str(folder), options=options, **LOAD)
    assert loaded["path"] == torch_path(torch.device("cpu"))
    engine, ours = RemoteEngine("it", worker, decoder.config, loaded), Engine("naive", decoder)
    assert (
        engine.weight_bytes == ours.weight_bytes
        and engine.dtype == torch.float32
        and "torch" in engine.versions
    )
    for beams in (1, 3):
        assert engine.run(PROMPT, 5, beams).tolist() == ours.run(PROMPT, 5, beams).tolist()
    timing = engine.time(PROMPT, 5, 3)
    assert timing.next_token_ms > 0 and timing.first_token_ms / 1e3 < timing.seconds < 60
    assert 0 < engine.peak_bytes(PROMPT, 5, 3) < 1e8
    with pytest.raises(WorkerError, match="it: "):
        engine.run(PROMPT, 5, -1)
    assert engine.run(PROMPT, 5).shape == (2, 11)  # an error does not end the worker


def test_a_failed_load_raises_with_its_reason(worker, tmp_path):
    with pytest.raises(WorkerError, match=r"it: \w*Error: .*config.json"):
        worker.request("load", kind="hf", folder=str(tmp_path), options={}, **LOAD)


def test_a_process_that_does_not_start_raises_with_its_error_output(tmp_path):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho no module named anything >&2\nexit 3\n")
    python.chmod(0o755)
    worker = Worker("ipex", str(python))
    with pytest.raises(
        WorkerError, match="ipex: its process ended with status 3: no module named anything"
    ):
        worker.request("load")
    worker.close()


def test_another_interpreter_has_its_own_packages(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "ours")
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\necho "path: <$PYTHONPATH>" >&2\nexit 3\n')
    python.chmod(0o755)
    worker = Worker("ipex", str(python))
    with pytest.raises(WorkerError, match="path: <>"):
        worker.request("load")
    worker.close()
    assert environment_of(sys.executable)["PYTHONPATH"] == "ours"


def test_other_engines_continue_after_a_worker_died(settings, capsys):
    peers = {"hf": Peer()}
    with open_engines(settings, [FIRST], peers, Failures(), separate=True) as engines:
        plan, killed = Plan("tiny", PROMPT, new_tokens=4, repeats=2), []

        def kill_after_the_first_round(rows):
            if not killed:
                os.kill(engines[0]._worker._process.pid, 9)
            killed.append([row.stage for row in rows])

        how = {"attempt": Failures("a case").attempt, "record": kill_after_the_first_round}
        rows = bench(engines, plan, machine=MACHINE, **how)
        hf, ours = (engine.load_s for engine in engines)
        assert rows[0].path == engines[1].path
    assert (
        0 < ours == rows[0].load_s < hf
    )  # of a process of its own, Python's start and imports count
    assert killed[0] == ["hf", FIRST] and [row.stage for row in rows] == [FIRST]
    assert (
        "hf is left out of a case: hf: its process ended with status -9" in capsys.readouterr().err
    )


def test_peers_come_first_and_transformers_shares_our_weights(settings):
    peers = {"hf": Peer(), "hf-static": Peer(options=EAGER)}
    with open_engines(settings, [FIRST], peers, Failures()) as engines:
        assert [engine.name for engine in engines] == ["hf", "hf-static", FIRST]
        assert [engine.load_s is None for engine in engines] == [True, True, False]
        places = {engine.model.get_input_embeddings().weight.data_ptr() for engine in engines[:2]}
        assert places == {engines[2].model.embed_tokens.weight.data_ptr()}
        hf, _, ours = engines
        assert len({str(engine.run(PROMPT, 5).tolist()) for engine in engines}) == 1
        assert hf.run(PROMPT, 5, 3).tolist() == ours.run(PROMPT, 5, 3).tolist()
