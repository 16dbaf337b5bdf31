"""Recorded runs of `bench`: found by kind, with device, date and picture."""

import json
from dataclasses import replace

import pytest

from tinyllm.bench.recorded import RESULTS
from tinyllm.bench.rows import read_rows, write_rows
from tinyllm.draw.recorded_runs import KINDS, no_run, recorded_runs
from tinyllm.stages import STAGES

LADDER = RESULTS / "ladder-cpu.json"


def test_an_unknown_kind_raises():
    with pytest.raises(ValueError, match="kind 'speed' is unknown: expected one of"):
        recorded_runs("speed")


@pytest.mark.parametrize("kind", KINDS)
def test_recorded_runs_have_text_and_picture(kind):
    names = sorted(path.stem for path in RESULTS.glob(f"{kind}-*.json"))
    runs = recorded_runs(kind)
    assert [run.name for run in runs] == names
    for run in runs:
        rows = json.loads((RESULTS / f"{run.name}.json").read_text())
        first, models = rows[0], {row["model"] for row in rows}
        what = first["model"] if len(models) == 1 else f"{len(models)} models"
        head = f"recorded on {first['device']}, {first['dtype']}, {first['date']}: {what}"
        assert run.text.startswith(head + "\n")
        assert run.figure.axes


@pytest.mark.parametrize("kind", KINDS)
def test_a_sentence_without_a_recorded_run(kind, tmp_path):
    assert recorded_runs(kind, tmp_path) == []
    assert no_run(kind).endswith(f"bench {KINDS[kind]} --json FILE records one")


def test_models_have_their_own_ratio_and_limit(tmp_path):
    rows = read_rows(LADDER)[:2]
    fast = [
        replace(row, model="fast (random)", next_token_ms=row.next_token_ms / 4) for row in rows
    ]
    write_rows(rows + fast[1:] + fast[:1], tmp_path / "models-cpu.json")
    (run,) = recorded_runs("models", tmp_path)
    head, slow, quick = run.text.splitlines()[2:]
    assert head.split()[:4] == ["model", "search", "hf", rows[1].stage]
    times = f"({rows[0].next_token_ms / rows[1].next_token_ms:.2f}x)"
    assert f"{rows[1].next_token_ms:.2f} {times}" in slow
    assert f"{fast[1].next_token_ms:.2f} {times}" in quick and quick.split()[0] == "fast"
    (panel,) = run.figure.axes
    assert [bar.get_height() for bar in panel.patches] == [
        row.next_token_ms
        for stage in ("hf", rows[1].stage)
        for row in rows + fast
        if row.stage == stage
    ]
    assert [label.get_text() for label in panel.get_xticklabels()] == [
        rows[0].model,
        "fast (random)",
    ]


def test_each_workload_of_a_run_has_a_table_and_a_picture(tmp_path):
    rows = read_rows(LADDER)
    write_rows(
        [replace(row, prompt_tokens=n) for n in (32, 64) for row in rows],
        tmp_path / "latency-cpu.json",
    )
    searched = [
        replace(row, batch=b, largest_batch=2, seconds=1.0, memory_budget_bytes=8)
        for row in rows
        for b in (1, 2)
    ]
    write_rows(searched, tmp_path / "throughput-cpu.json")
    stages = [replace(rows[1], stage=name) for name in STAGES]
    write_rows(rows[:2], tmp_path / "ladder-two.json")
    write_rows(stages, tmp_path / "ladder-all.json")
    (latency,), (throughput,) = (
        recorded_runs(kind, tmp_path) for kind in ("latency", "throughput")
    )
    assert latency.text.count(" tokens in, ") == 2 and throughput.text.count(" tokens in, ") == 1
    assert [axis.get_xlabel() for axis in latency.figure.axes] == ["tokens in the prompt"]
    assert [axis.get_xlabel() for axis in throughput.figure.axes] == ["requests in a batch"]
    whole, two = recorded_runs("ladder", tmp_path)
    assert "not in this run" not in whole.text
    assert two.text.endswith("\nnot in this run: fused, segment, sdpa, final")
    assert "in the end" in [label.get_text() for label in whole.figure.axes[0].get_yticklabels()]
    assert "in the end" not in [label.get_text() for label in two.figure.axes[0].get_yticklabels()]
