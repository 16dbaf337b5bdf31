"""Sampled answers of one prompt: what all engines draw, what counts, and the picture."""

from dataclasses import replace

import pytest
import torch

import models
import tinyllm
from tinyllm.bench.compare import Plan, bench, workload
from tinyllm.bench.machine import Machine
from tinyllm.bench.rows import grouped, read_rows, table, title
from tinyllm.bench.timing import Engine
from tinyllm.bench.worker_client import RemoteEngine, Worker
from tinyllm.cli import main
from tinyllm.draw.recorded_runs import draw_rows

MACHINE = Machine("a machine", 1e9, 1e9, 1e-6)
IDS = torch.arange(1, 8)[None]


@pytest.fixture(scope="module")
def engines():
    hf = models.tiny(seed=1)
    return [Engine("hf", hf), Engine("final", tinyllm.optimize(hf))]


def test_all_engines_draw_the_same_answers(engines):
    hf, final = (engine.run(IDS, 5, num_answers=6) for engine in engines)
    assert hf.shape == (6, 12) and torch.equal(hf, final)
    assert len({str(answer) for answer in hf.tolist()}) > 1
    assert torch.equal(hf, engines[0].run(IDS, 5, num_answers=6))


def test_the_tokens_of_every_answer_count(engines):
    plan = Plan("tiny", IDS, new_tokens=6, repeats=1, num_answers=4)
    rows = bench(engines, plan, machine=MACHINE)
    assert [(row.stage, row.num_answers, row.first_difference) for row in rows] == [
        ("hf", 4, None),
        ("final", 4, None),
    ]
    for row in rows:
        assert row.tokens_per_s == pytest.approx(4e3 / row.next_token_ms)
        assert row.call_tokens_per_s == pytest.approx(24 / row.seconds)
    counted = rows[1]
    assert counted.moved_bytes_per_token == counted.counted_bytes_per_token
    work = workload(engines[1], plan)
    assert (work.copies, work.independent) == (4, True)
    assert title(rows) == "batch 1, 4 answers, 7 tokens in, 6 out"
    head, *lines = table(rows)
    assert head[-2:] == ("tokens/s", "vs hf") and lines[0][-1] == "1.00x"


def test_an_engine_in_another_process_has_none(decoder):
    loaded = {"dtype": "float32", "weight_bytes": 1, "prepare_s": 0.0, "versions": {}}
    loaded |= {"weights": "dense float32", "table_bytes": None}
    engine = RemoteEngine("openvino", Worker.__new__(Worker), decoder.config, loaded)
    message = "3 sampled answers of openvino: expected an engine in this process"
    for act in (engine.run, engine.time, engine.peak_bytes):
        models.says(ValueError, message, lambda act=act: act(IDS, 4, num_answers=3))


def test_the_picture_has_a_line_for_each_engine(row):
    rows = [
        replace(row, stage=s, prompt_tokens=t, num_answers=n, seconds=2.0, peak_bytes=n * 10**9)
        for s in ("hf", "final")
        for t in (2048, 8192)
        for n in (1, 64)
    ]
    rows = [r for r in rows if (r.stage, r.prompt_tokens, r.num_answers) != ("hf", 8192, 64)]
    assert len(grouped(rows)) == 4
    speed, memory, longer, _ = draw_rows(rows).axes
    assert [line.get_label() for line in speed.lines] == ["hf", "final"]
    assert speed.lines[1].get_ydata().tolist() == [
        row.new_tokens * row.batch * n / 2 for n in (1, 64)
    ]
    assert memory.lines[0].get_ydata().tolist() == [1.0, 64.0]
    assert longer.lines[0].get_xdata().tolist() == [1]


def test_answers_from_the_command_line(saved, tmp_path, capsys):
    out, png = tmp_path / "rows.json", tmp_path / "answers.png"
    small = ["--prompts", "8", "--new-tokens", "4", "--answers", "1", "3", "--repeats", "1"]
    files = ["--json", str(out), "--png", str(png)]
    assert main(["bench", "--preset", "answers", "--model", str(saved), *small, *files]) == 0
    rows = read_rows(out)
    assert [(row.stage, row.num_answers, row.first_difference) for row in rows] == [
        (name, n, None) for n in (1, 3) for name in ("hf", "final")
    ]
    assert png.read_bytes().startswith(b"\x89PNG")
    assert "3 answers, 8 tokens in, 4 out" in capsys.readouterr().out
    plan = ["bench", "--preset", "answers", "--model", str(saved), *small, "--plan"]
    assert main(plan) == 0
    assert "1 x 8 tokens, 4 new ones for each of 3 answers" in capsys.readouterr().out
