"""Recorded runs of kernels, as the notebooks show them."""

import json

from tinyllm.measure.recorded import kernel_table

ROW = {
    "kernel": "rms_norm",
    "shape": "4096",
    "rows": 1,
    "device": "Some GPU",
    "dtype": "bfloat16",
    "date": "2026-01-02",
}
TIMES = {"ours_us": 2.5, "naive_us": 20.0, "share_of_copy": 0.31, "cold": False}


def test_every_recorded_row_is_named_and_dated(tmp_path):
    other = ROW | TIMES | {"kernel": "linear"}
    (tmp_path / "kernels.json").write_text(json.dumps([ROW | TIMES, other]))
    (tmp_path / "ladder.json").write_text(json.dumps([{"stage": "naive"}]))
    (tmp_path / "trace.json").write_text(json.dumps({"kernel": "rms_norm"}))
    device, head, row = kernel_table(["rms_norm"], tmp_path).split("\n")
    assert device == "recorded on Some GPU, bfloat16, 2026-01-02"
    assert head.split()[-3:] == ["of", "copy", "bandwidth"]
    assert row.split() == ["rms_norm", "4096", "1", "2.50", "20.00", "-", "31%", "(in", "the", "cache)"]


def test_nothing_recorded_is_said(tmp_path):
    assert "no run" in kernel_table(["rms_norm"], tmp_path)
