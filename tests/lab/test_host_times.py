"""Launch times of the host: a model of them, and recorded ladders as a table."""

import json
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyllm.bench.rows import Row, read_rows, write_rows
from tinyllm.draw.timeline import draw_timeline
from tinyllm.lab.host import host_table, host_times, recorded_ladders, timeline
from tinyllm.lab.shapes import SHAPES

LAYERS = SHAPES["llama-2-7b"]["num_hidden_layers"]


def row(stage, ms, launches, device="Some GPU"):
    return Row(
        stage=stage,
        model="llama-2-7b (random)",
        device=device,
        dtype="bfloat16",
        batch=1,
        num_beams=1,
        prompt_tokens=1024,
        new_tokens=128,
        first_token_ms=1.0,
        next_token_ms=ms,
        tokens_per_s=1e3 / ms,
        peak_bytes=None,
        weight_bytes=1,
        predicted_bytes_per_token=6_000_000_000,
        moved_bytes_per_token=None,
        counted_bytes_per_token=None,
        bandwidth_gb_s=1.0,
        bandwidth_share=0.5,
        read_bandwidth_gb_s=3000.0,
        launches_per_layer=launches,
        predicted_launches_per_layer=launches,
        first_difference=None,
        versions={},
        date="2026-01-02",
    )


@pytest.fixture
def folder(tmp_path):
    write_rows(
        [row("hf", 20.0, None), row("naive", 16.0, 40), row("final", 2.5, 5)],
        tmp_path / "ladder-gpu.json",
    )
    write_rows([row("naive", 40.0, 36, "A CPU, 2 threads")], tmp_path / "ladder-cpu.json")
    seen = {"device": "Some GPU", "shape": "llama-2-7b", "dtype": "bfloat16", "context": 1024}
    busy = [("naive", 40, 6.0), ("final", 9, 4.0)]  # of an earlier `final`
    launches = [seen | {"stage": stage, "launches": n, "busy_ms": ms} for stage, n, ms in busy]
    (tmp_path / "launches-gpu.json").write_text(json.dumps(launches))
    return tmp_path


durations = st.lists(st.floats(0.0, 1e3), min_size=1, max_size=20)


@given(busy=durations, launch=st.floats(0.0, 100.0))
def test_a_kernel_starts_after_its_launch_and_the_kernel_before(busy, launch):
    before = 0.0
    for number, (kernel, duration) in enumerate(
        zip(timeline(busy, launch), busy, strict=True), start=1
    ):
        assert kernel.launched == number * launch
        assert kernel.start == max(kernel.launched, before)
        assert kernel.end == kernel.start + duration
        before = kernel.end


@given(duration=st.floats(0.1, 50.0), launch=st.floats(0.1, 50.0), n=st.integers(1, 30))
def test_the_slower_of_the_two_sets_the_pace(duration, launch, n):
    end = timeline([duration] * n, launch)[-1].end
    assert end == pytest.approx(n * max(duration, launch) + min(duration, launch))


def test_ladders_of_gpus_with_device_and_date(folder):
    (rows,) = recorded_ladders(folder).values()
    device, model, columns, hf, naive, final = host_table(rows, folder).split("\n")
    assert device == "Some GPU, bfloat16, 2026-01-02:"
    assert model == "llama-2-7b (random), batch 1, 1024 tokens in, 128 out"
    assert " ".join(columns.split()) == (
        "stage launches in layers ms per token us per launch device busy ms limit ms"
    )
    assert hf.split() == ["hf", "-", "20.0", "-", "-", "2.0"]
    assert naive.split() == [
        "naive",
        str(40 * LAYERS),
        "16.0",
        f"{16e3 / 40 / LAYERS:.1f}",
        "6.0",
        "2.0",
    ]
    assert final.split() == [
        "final",
        str(5 * LAYERS),
        "2.5",
        f"{2.5e3 / 5 / LAYERS:.1f}",
        "-",
        "2.0",
    ]


def test_a_model_of_unknown_depth_has_no_launches(folder):
    rows = [
        Row(**asdict(one) | {"model": "another"}) for one in read_rows(folder / "ladder-gpu.json")
    ]
    assert {time.launches for time in host_times(rows, folder)} == {None}
    assert {time.us_per_launch for time in host_times(rows, folder)} == {None}


def test_every_recorded_ladder_has_a_table():
    for rows in recorded_ladders().values():
        assert len(host_table(rows).split("\n")) == len(rows) + 3


def test_a_column_without_a_number_is_left_out(folder):
    (folder / "launches-gpu.json").unlink()
    (rows,) = recorded_ladders(folder).values()
    columns = host_table(rows, folder).split("\n")[2]
    assert "device busy" not in columns
    assert " ".join(columns.split()).endswith("us per launch limit ms")


def test_a_timeline_is_drawn():
    kernels = timeline([3.0, 5.0], 4.0)
    (axis,) = draw_timeline({"one by one": kernels}).axes
    bars = [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in axis.patches]
    assert bars == [(0.0, 4.0), (4.0, 7.0), (4.0, 8.0), (8.0, 13.0)]
    assert axis.get_title(loc="left") == "one by one: 13 us, device busy 8"
