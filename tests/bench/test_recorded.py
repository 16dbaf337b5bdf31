"""Recorded runs of kernels, and their tables in the notebooks."""

import json
from itertools import product
from pathlib import Path
from statistics import median

from tinyllm.bench.recorded import kernel_table, seeded_faults
from tinyllm.draw.throughput import draw_throughput

RESULTS = Path(__file__).parents[2] / "book" / "results"
ROW = {
    "kernel": "rms_norm",
    "shape": "4096",
    "rows": 1,
    "device": "Some GPU",
    "dtype": "bfloat16",
    "date": "2026-01-02",
}
TIMES = {"ours_us": 2.5, "naive_us": 20.0, "share_of_copy": 0.31, "cold": False}


def test_every_recorded_row_has_name_and_date(tmp_path):
    other = ROW | TIMES | {"kernel": "linear"}
    (tmp_path / "kernels.json").write_text(json.dumps([ROW | TIMES, other]))
    (tmp_path / "ladder.json").write_text(json.dumps([{"stage": "naive"}]))
    (tmp_path / "trace.json").write_text(json.dumps({"kernel": "rms_norm"}))
    device, head, row = kernel_table(["rms_norm"], tmp_path).split("\n")
    assert device == "recorded on Some GPU, bfloat16, 2026-01-02"
    assert head.split()[-4:] == ["compiled", "us", "of", "copy"]
    assert row.split() == [
        "rms_norm",
        "4096",
        "1",
        "2.50",
        "20.00",
        "-",
        "cached",
    ]


def test_a_sentence_without_a_recorded_run(tmp_path):
    assert "no run" in kernel_table(["rms_norm"], tmp_path)


def test_throughput_is_drawn_as_recorded():
    rows = json.loads((RESULTS / "throughput-h200-llama-2-7b.json").read_text())
    batches, speeds = draw_throughput(rows).axes
    assert [bar.get_width() for bar in batches.patches] == [row["largest_batch"] for row in rows]
    assert [bar.get_width() for bar in speeds.patches] == [row["tokens_per_s"] for row in rows]
    for row in rows:
        assert row["tokens_per_s"] == row["largest_batch"] * row["new_tokens"] / row["seconds"]
        assert row["seconds"] == median(row["all_seconds"])


def test_memory_of_a_beam_search_is_recorded_for_every_prompt_and_width():
    rows = json.loads((RESULTS / "beam-memory-cpu.json").read_text())
    cases = [(row["prompt_tokens"], row["num_beams"], row["engine"]) for row in rows]
    assert cases == list(product((128, 512, 1024), (1, 4, 8), ("hf", "fused", "segment")))
    assert all(row["cache_bytes_predicted"] == row["cache_bytes_counted"] for row in rows)


def test_seeded_faults_are_seen_or_missed(tmp_path):
    row = {"kind": "a mask", "what": "a kernel: without it", "interpreted": True, "compiled": False}
    path = tmp_path / "faults.json"
    path.write_text(json.dumps({"rows": [row]}))
    heads, line = seeded_faults(path).splitlines()
    assert line.split() == ["a", "mask", "a", "kernel", "seen", "missed"]
    assert heads.index("compiled") == line.index("missed")
