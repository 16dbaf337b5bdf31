"""What `bench` runs: presets, peers in processes of their own, rows as they come, and their pictures."""

import json
import os
import sys
from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import models
import tinyllm
from tinyllm.bench.compare import Plan, bench
from tinyllm.bench.engines import EngineSettings, Failures, load_engines, open_engines
from tinyllm.bench.export import save_folder, save_gguf
from tinyllm.bench.machine import Machine
from tinyllm.bench.peers import Peer, absent, pick_peers, pick_pythons
from tinyllm.bench.presets import FIRST, PRESETS, BenchCase, pick_preset
from tinyllm.bench.rows import grouped, read_rows, title, write_rows
from tinyllm.bench.timing import Engine
from tinyllm.bench.worker_client import (
    RemoteEngine,
    Worker,
    WorkerError,
)
from tinyllm.checkpoint import open_checkpoint
from tinyllm.cli import bench as command
from tinyllm.cli import main
from tinyllm.draw.latency import draw_latency
from tinyllm.draw.recorded_runs import draw_rows
from tinyllm.draw.throughput import draw_batches
from tinyllm.draw.waterfall import SAVED, draw_waterfall, steps
from tinyllm.model import load_model
from tinyllm.stages import FASTEST

CPU = torch.device("cpu")
RESULTS = Path(__file__).parents[2] / "book" / "results"
MACHINE = Machine("a machine", 1e9, 1e9, 1e-6)
PROMPT = torch.arange(3, 15).reshape(2, 6)
EAGER = {"backend": "eager", "mode": None}  # hf-static compiles for minutes otherwise


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("tiny")
    models.tiny(eos_token_id=3, pad_token_id=0).save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def decoder(saved):
    return load_model(open_checkpoint(saved), tinyllm.STAGES[FIRST], CPU, torch.float32)


@pytest.fixture(scope="module")
def where(saved):
    return EngineSettings(open_checkpoint(saved), CPU, torch.float32)


@pytest.fixture(scope="module")
def folder(decoder, saved, tmp_path_factory):
    """The weights as every worker gets them."""
    path = tmp_path_factory.mktemp("weights")
    save_folder(decoder, open_checkpoint(saved), path)
    save_gguf(decoder, open_checkpoint(saved), path / "model.gguf")
    return path


@pytest.fixture(autouse=True)
def small_buffers(monkeypatch):
    monkeypatch.setattr("tinyllm.bench.machine.BUFFER_BYTES", {"cpu": 1 << 20})


@pytest.fixture(scope="module")
def row(where):
    engines = load_engines(where.checkpoint, [FIRST], [], CPU, torch.float32)
    (row,) = bench(engines, Plan("tiny", PROMPT, new_tokens=4, repeats=1), machine=MACHINE)
    return row


# Presets


def test_presets_are_what_their_names_promise():
    assert list(PRESETS) == ["quick", "latency", "throughput", "ladder"]
    prompts = (32, 128, 1024, 4096)
    assert PRESETS["latency"].cases == [BenchCase(t, w, 1, 128) for t in prompts for w in (1, 4)]
    assert PRESETS["throughput"].cases == [
        BenchCase(1024, 4, None, 128),
        BenchCase(1024, 1, None, 128),
    ]
    assert PRESETS["quick"].cases == [BenchCase(64, 1, 1, 16), BenchCase(64, 4, 1, 16)]
    assert PRESETS["ladder"].cases == [BenchCase(128, 1, 1, 64)]
    assert pick_preset(None).cases == [BenchCase(None, 1, 1, 64)]
    assert PRESETS["ladder"].stages == tuple(tinyllm.STAGES)
    assert PRESETS["latency"].stages == (FIRST, FASTEST)
    assert all(preset.repeats >= 5 for preset in PRESETS.values())


def test_what_a_user_passes_replaces_what_a_preset_says():
    options = [
        "--prompts",
        "8",
        "16",
        "--beams",
        "2",
        "--batch",
        "3",
        "--new-tokens",
        "5",
        "--stages",
        FIRST,
    ]
    preset = command.resolve(parsed(["--preset", "latency", *options, "--peers", "--repeats", "2"]))
    assert preset.cases == [BenchCase(8, 2, 3, 5), BenchCase(16, 2, 3, 5)]
    assert (preset.stages, preset.peers, preset.repeats, preset.separate) == ((FIRST,), (), 2, True)
    assert command.resolve(parsed(["--preset", "throughput", "--batch", "8"])).batches is None
    assert command.resolve(parsed(["--preset", "latency", "--one-copy"])).separate is False


def parsed(arguments):
    from tinyllm.cli import build_parser

    return build_parser().parse_args(["bench", *arguments])


def test_an_unknown_preset_is_named():
    with pytest.raises(ValueError, match="preset 'slow' is unknown: expected one of \\['quick'"):
        pick_preset("slow")


def test_help_names_every_preset_and_its_stages(capsys):
    with pytest.raises(SystemExit):
        main(["bench", "--help"])
    out = capsys.readouterr().out
    assert all(f"  {name}" in out for name in PRESETS) and all(
        stage in out for stage in tinyllm.STAGES
    )


# Peers


def test_a_peer_that_is_not_installed_is_named_and_left_out(capsys, saved, tmp_path):
    peers = {
        "there": Peer(("json",)),
        "not": Peer(("no_such_module", "json"), install="pip install it"),
    }
    (reason,) = absent(peers, "cpu", {}).values()
    assert reason.startswith(
        "not installed (this environment has no no_such_module): pip install it, and --peer-python"
    )
    options = [
        "--prompts",
        "4",
        "--new-tokens",
        "2",
        "--repeats",
        "1",
        "--stages",
        FIRST,
        "--peers",
        "hf",
        "ipex",
    ]
    assert (
        main(["bench", "--model", str(saved), *options, "--json", str(tmp_path / "rows.json")]) == 0
    )
    assert "ipex is left out: not installed" in capsys.readouterr().err
    assert [row.stage for row in read_rows(tmp_path / "rows.json")] == ["hf", FIRST]


def test_a_peer_for_other_devices_is_left_out():
    assert absent(pick_peers(["openvino"]), "cuda", {}) == {
        "openvino": "does not run on cuda: expected one of ['xpu', 'cpu']"
    }


def test_another_environment_is_asked_what_it_has(tmp_path):
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    pythons = pick_pythons([f"ipex={python}"])
    assert pythons == {"ipex": str(python)}
    peers = {"ipex": Peer(("json", "no_such_module", "no_such.module"))}
    assert absent(peers, "cpu", pythons)["ipex"].startswith(
        f"not installed ({python} has no no_such_module, no_such."
    )
    assert absent({"ipex": Peer(("json", "xml.dom"))}, "cpu", pythons) == {}


# Weights for other processes


def test_the_folder_is_one_that_transformers_reads(folder, decoder):
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder)
    torch.testing.assert_close(model(PROMPT).logits, decoder(PROMPT))
    config = json.loads((folder / "config.json").read_text())
    assert (config["rope_theta"], config["torch_dtype"], config["rope_scaling"]) == (
        10000.0,
        "float32",
        None,
    )


def test_large_weights_are_written_to_several_files(decoder, where, tmp_path, monkeypatch):
    monkeypatch.setattr("tinyllm.bench.export.SHARD_BYTES", 20000)
    save_folder(decoder, where.checkpoint, tmp_path)
    assert len(list(tmp_path.glob("*.safetensors"))) > 2
    again = load_model(open_checkpoint(tmp_path), tinyllm.STAGES[FIRST], CPU, torch.float32)
    assert torch.equal(again(PROMPT), decoder(PROMPT))


@pytest.mark.parametrize("changes", [{}, {"tie_word_embeddings": True, "num_key_value_heads": 4}])
def test_the_gguf_file_holds_the_same_model(changes, tmp_path, own_cache):
    models.tiny(**changes).save_pretrained(tmp_path)
    checkpoint = open_checkpoint(tmp_path)
    mine = load_model(checkpoint, tinyllm.STAGES[FIRST], CPU, torch.float32)
    save_gguf(mine, checkpoint, tmp_path / "model.gguf")
    again = load_model(
        open_checkpoint(tmp_path / "model.gguf"), tinyllm.STAGES[FIRST], CPU, torch.float32
    )
    torch.testing.assert_close(again(PROMPT), mine(PROMPT))


def test_a_gguf_file_of_scaled_positions_is_refused(tmp_path):
    models.tiny(rope_parameters=models.ROPES[1]).save_pretrained(tmp_path)
    checkpoint = open_checkpoint(tmp_path)
    scaled = load_model(checkpoint, tinyllm.STAGES[FIRST], CPU, torch.float32)
    with pytest.raises(ValueError, match="expected a Llama without scaling"):
        save_gguf(scaled, checkpoint, tmp_path / "model.gguf")


# Workers


@pytest.fixture(scope="module")
def worker():
    """One process for all tests that end well: it can load one engine after another."""
    worker = Worker("it")
    yield worker
    worker.close()


LOAD = {"device": "cpu", "dtype": "float32", "threads": 2, "budget": None}


@pytest.mark.parametrize(
    ("kind", "options"),
    [("hf", {}), ("hf-static", EAGER), ("stage", {"stage": FIRST})],
    ids=["hf", "static", "ours"],
)
def test_a_worker_gives_the_same_tokens_and_their_times(kind, options, worker, folder, decoder):
    loaded = worker.request("load", kind=kind, folder=str(folder), options=options, **LOAD)
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
    assert engine.run(PROMPT, 5).shape == (2, 11)  # an error is no end


def test_a_worker_that_cannot_load_says_why(worker, tmp_path):
    with pytest.raises(WorkerError, match=r"it: \w*Error: .*config.json"):
        worker.request("load", kind="hf", folder=str(tmp_path), options={}, **LOAD)


def test_a_worker_that_does_not_start_is_quoted(tmp_path):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho no module named anything >&2\nexit 3\n")
    python.chmod(0o755)
    worker = Worker("ipex", str(python))
    with pytest.raises(
        WorkerError, match="ipex: its process ended with status 3: no module named anything"
    ):
        worker.request("load")
    worker.close()


def test_the_others_continue_where_a_worker_dies(where, capsys):
    peers = {"hf": Peer()}
    with open_engines(where, [FIRST], peers, Failures(), separate=True) as engines:
        plan, killed = Plan("tiny", PROMPT, new_tokens=4, repeats=2), []

        def kill_after_the_first_round(rows):
            if not killed:
                os.kill(engines[0]._worker._process.pid, 9)
            killed.append([row.stage for row in rows])

        how = {"attempt": Failures("a case").attempt, "record": kill_after_the_first_round}
        rows = bench(engines, plan, machine=MACHINE, **how)
    assert killed[0] == ["hf", FIRST] and [row.stage for row in rows] == [FIRST]
    assert (
        "hf is left out of a case: hf: its process ended with status -9" in capsys.readouterr().err
    )


def test_peers_come_first_and_those_of_transformers_share_our_weights_unless_told_otherwise(where):
    peers = {"hf": Peer(), "hf-static": Peer(options=EAGER)}
    with open_engines(where, [FIRST], peers, Failures()) as engines:
        assert [engine.name for engine in engines] == ["hf", "hf-static", FIRST]
        places = {engine.model.get_input_embeddings().weight.data_ptr() for engine in engines[:2]}
        assert places == {engines[2].model.embed_tokens.weight.data_ptr()}
        for beams in (1, 3):
            assert len({str(engine.run(PROMPT, 5, beams).tolist()) for engine in engines}) == 1


# Rows as they come


class Stubborn(Engine):
    """An engine that is interrupted at its third timing."""

    def time(self, *asked):
        self.model.asked = getattr(self.model, "asked", 0) + 1
        if self.model.asked == 3:
            raise KeyboardInterrupt
        return super().time(*asked)


def test_an_interrupted_run_loses_nothing(decoder, tmp_path):
    path, plan = tmp_path / "rows.json", Plan("tiny", PROMPT, new_tokens=4, repeats=5)
    with pytest.raises(KeyboardInterrupt):
        bench(
            [Stubborn("naive", decoder)],
            plan,
            machine=MACHINE,
            record=lambda rows: write_rows(rows, path),
        )
    (row,) = read_rows(path)
    assert row.repeats == 2 and row.next_token_ms > 0


def test_rows_of_one_question_stand_together(row):
    other = replace(row, num_beams=4)
    first, second = grouped([row, other, replace(row, stage="hf")])
    assert [r.stage for r in first] == [FIRST, "hf"] and second == [other]
    assert (
        title(first) == "batch 2, 6 tokens in, 4 out"
        and title(second) == "batch 2, 4 beams, 6 tokens in, 4 out"
    )
    search = [replace(row, batch=batch, largest_batch=8) for batch in (1, 8)]
    assert len(grouped(search)) == 1 and title(search) == "6 tokens in, 4 out"


@pytest.mark.parametrize("path", sorted(RESULTS.glob("ladder-*.json")), ids=lambda path: path.stem)
def test_what_was_recorded_can_still_be_read(path):
    assert all(row.next_token_ms > 0 for row in read_rows(path))


# Pictures


def ladder_of(row):
    """Rows as a ladder of two peers and three stages has them."""
    ms = {"hf": 40.0, "hf-static": 12.0, "naive": 38.0, "fused": 30.0, "segment": 33.0}
    ours = {"moved_bytes_per_token": 10**9}
    return [
        replace(
            row,
            stage=name,
            next_token_ms=time,
            **(ours if name in tinyllm.STAGES else {"moved_bytes_per_token": None}),
        )
        for name, time in ms.items()
    ]


def test_a_waterfall_goes_from_the_first_stage_to_the_last(row):
    rows = ladder_of(row)
    bars = steps(rows, [row.next_token_ms for row in rows])
    Bar = namedtuple("Bar", "name start end colour")
    naive, fused, segment, end = (Bar(*bar) for bar in bars[2:])
    assert (naive.start, naive.end, end.end) == (0.0, 38.0, 33.0)
    assert (fused.start, fused.end, fused.colour) == (38.0, 30.0, SAVED)
    assert segment.start == 30.0 and segment.colour != SAVED
    times, sizes = draw_waterfall(rows).axes
    assert [bar.get_width() for bar in times.patches] == [40.0, 12.0, 38.0, -8.0, 3.0, 33.0]
    texts = [text.get_text() for text in times.texts]
    assert "−8.0 → 30.0 ms, 1.33x hf" in texts and any(text.startswith(" limit") for text in texts)
    assert [text.get_text() for text in sizes.texts][:2] == ["not counted"] * 2


def test_latency_has_a_line_for_each_engine_and_the_limit(row):
    rows = [
        replace(r, prompt_tokens=t, num_beams=w)
        for r in ladder_of(row)
        for t in (32, 128)
        for w in (1, 4)
    ]
    greedy, beams, widths = draw_latency(rows).axes
    for axes in (greedy, beams, widths):
        assert [line.get_label() for line in axes.lines] == [
            *(r.stage for r in ladder_of(row)),
            "limit",
        ]
    assert greedy.lines[0].get_ydata().tolist() == [40.0, 40.0]
    assert widths.get_title() == "a prompt of 128 tokens" and beams.get_title() == "4 beams"


def test_throughput_is_drawn_over_the_batch(row):
    rows = [
        replace(r, batch=b, largest_batch=8, seconds=2.0, num_beams=w, memory_budget_bytes=10**9)
        for r in ladder_of(row)
        for b in (1, 8)
        for w in (1, 4)
    ]
    greedy, beams = draw_batches(rows).axes
    assert (greedy.get_title(), beams.get_title()) == ("greedy", "4 beams")
    assert greedy.lines[0].get_xdata().tolist() == [1, 8]
    assert greedy.lines[0].get_ydata().tolist() == [2.0, 16.0]
    assert greedy.lines[0].get_label() == "hf: 8 at a time, 16 tokens/s"


def test_rows_choose_their_picture(row):
    rows = ladder_of(row)
    assert (
        len(draw_rows([*rows, *(replace(r, num_beams=4) for r in rows)]).axes) == 1
    )  # latency over beams
    assert len(draw_rows(rows).axes[0].patches) == len(rows) + 1  # a waterfall
    assert len(draw_rows(rows[:3]).axes[0].patches) == 3  # one stage alone is no ladder
