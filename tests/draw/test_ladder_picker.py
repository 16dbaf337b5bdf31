"""The widget that predicts the ladder: its numbers, its controls, and its static form without a front end."""

from base64 import b64decode
from dataclasses import replace
from html import unescape
from types import SimpleNamespace

import pytest

import tinyllm
from models import says
from tinyllm.bench.machine import Machine
from tinyllm.config import LayerKind
from tinyllm.cost.model import least_bytes, pass_cost, reorder_cost, weight_elements
from tinyllm.cost.workload import Workload
from tinyllm.draw import stepper
from tinyllm.draw.ladder_picker import PROMPTS, WIDTHS, pick_from_ladder, predict
from tinyllm.lab.shapes import known_config
from tinyllm.runtime.runner import EAGER

GPU = Machine("<a GPU>", read_bandwidth=2e12, copy_bandwidth=1e12, launch_overhead=5e-6)
SMOLLM, LLAMA = known_config("smollm2-135m"), known_config("llama-2-7b")
CHOICES = [(SMOLLM, "naive", 1, 32), (SMOLLM, "final", 3, 2048), (LLAMA, "fused", 4, 8192)]


@pytest.fixture
def figures(monkeypatch):
    """The drawn figures, without PNGs, which take most of the time."""
    drawn = []
    monkeypatch.setattr(
        stepper,
        "picture",
        lambda figure, alt: drawn.append(figure) or SimpleNamespace(png=b"a PNG"),
    )
    return drawn


def pick(picker, stage, width, prompt):
    picker.stage.value, picker.width.value, picker.prompt.value = stage, width, prompt


def text_of(picker):
    return unescape(picker.words.value.removeprefix("<pre>").removesuffix("</pre>"))


def rows_of(picker):
    """The cells of each stage, and the stages with a star."""
    lines = [line.split() for line in text_of(picker).splitlines()[3:-1]]
    cells = {
        line[-8]: [float(cell.replace(",", "").strip("%")) for cell in line[-7:]] for line in lines
    }
    return cells, [line[1] for line in lines if line[0] == "*"]


@pytest.mark.parametrize("config, chosen, width, prompt", CHOICES)
def test_numbers_are_those_of_the_cost_model(figures, config, chosen, width, prompt):
    picker = pick_from_ladder(config, GPU, size=4, new_tokens=21)
    pick(picker, chosen, width, prompt)
    work = Workload(
        1, 1, prompt + 10, 4, kernels="triton", copies=width, steps=10, reserved_steps=20
    )
    least, (cells, starred) = least_bytes(config, work), rows_of(picker)
    assert (list(cells), starred) == (list(tinyllm.STAGES), [chosen])
    for name, stage in tinyllm.STAGES.items():
        cost = pass_cost(stage, config, work)
        if width > 1:
            cost += reorder_cost(stage, config, work)
        calls = 1 if name == "final" else cost.launches
        by_bytes, by_calls = cost.bytes / 2e9, 5e-3 * calls
        longer = max(by_bytes, by_calls)
        expected = [
            cost.bytes / 1e6,
            cost.launches,
            calls,
            by_bytes,
            by_calls,
            longer,
            100 * least / 2e9 / longer,
        ]
        digits = [1, 0, 0, 3, 3, 3, 1]
        assert cells[name] == [
            pytest.approx(x, abs=0.51 * 10**-n) for x, n in zip(expected, digits, strict=True)
        ]
    assert f"limit: {least / 1e6:,.1f} MB, {least / 2e9:.3f} ms" in text_of(picker)


def test_copied_and_shared_bytes_by_hand(figures):
    """Keys and values of Llama-2-7B: in a contiguous cache copied twice and read once, in a segment cache read once."""
    picker, token, w, t, s = pick_from_ladder(LLAMA, GPU), 2 * 2 * 32 * 4096, 8, 4096, 64
    pick(picker, "final", w, t)
    cells, held = rows_of(picker)[0], w * (t + s)
    weights, written = 2 * (weight_elements(LLAMA) - 32000 * 4096), w * token
    contiguous = weights + token * (2 * held + 2 * held + held + w) + written
    shared = weights + token * (t + w * (s + 1)) + written
    for name in tinyllm.STAGES:
        by_hand = contiguous if name in ("naive", "fused") else shared
        assert by_hand <= 1e6 * cells[name][0] < 1.01 * by_hand, name  # and activations


def test_launches_of_a_gpu_by_hand(figures):
    """Five in a layer of the last stages, and seven where the norm of several rows is unfused."""
    picker, launches = pick_from_ladder(LLAMA, GPU), {}
    for width in (1, 4):
        picker.width.value = width
        launches[width] = {name: cells[1] for name, cells in rows_of(picker)[0].items()}
    assert 5 * 32 < launches[1]["final"] == launches[1]["sdpa"] < 5 * 32 + 10
    assert 7 * 32 < launches[4]["final"] == launches[4]["sdpa"] < 7 * 32 + 20
    assert (
        launches[4]["naive"] - launches[1]["naive"] == 2 * 32
    )  # a reorder of k and of v in every layer


def test_calls_of_the_host_depend_on_the_runner():
    final, work = tinyllm.STAGES["final"], Workload(1, 1, 96, 2, kernels="triton", steps=64)
    eager = predict(replace(final, name="mine", runner=EAGER), SMOLLM, GPU, work)
    replayed = predict(final, SMOLLM, GPU, work)
    assert (replayed.calls, eager.calls) == (1, replayed.launches)
    assert (
        eager.at_least == eager.by_calls > replayed.at_least == replayed.by_bytes == eager.by_bytes
    )


def test_it_opens_at_the_first_positions(figures):
    picker = pick_from_ladder(SMOLLM, GPU)
    assert (picker.stage.value, picker.width.value, picker.prompt.value) == ("naive", 1, 32)
    assert picker.stage.options == tuple(tinyllm.STAGES)
    assert (picker.width.options, picker.prompt.options) == (tuple(WIDTHS), tuple(PROMPTS))
    assert (WIDTHS[0], WIDTHS[-1], PROMPTS[0], PROMPTS[-1]) == (1, 8, 32, 8192)
    controls, image, words = picker.children
    assert (image, words) == (picker.image, picker.words)
    assert (controls.children[0], controls.children[1].children) == (
        picker.stage,
        (picker.width, picker.prompt),
    )
    head = "0.13 billion weights of 2 bytes, 1 beam, 32 tokens in, 64 of 128 out\n<a GPU>: reads 2,000 GB/s, 5 us"
    assert text_of(picker).startswith(head)
    assert "&lt;a GPU&gt;" in picker.words.value


def test_a_control_changes_picture_and_text_alone():
    picker = pick_from_ladder(SMOLLM, GPU)
    children, values, seen = picker.children, {"stage": "naive", "width": 1, "prompt": 32}, []
    for control, value in [
        (None, None),
        ("stage", "final"),
        ("width", 4),
        ("prompt", 1024),
        ("prompt", 32),
    ]:
        if control is not None:
            getattr(picker, control).value = values[control] = value
        seen.append((bytes(picker.image.value), picker.words.value))
        assert {name: getattr(picker, name).value for name in values} == values
        assert picker.children == children
    assert seen[4] == seen[2]
    assert all(len(set(kind)) == 4 for kind in zip(*seen, strict=True))
    assert all(png.startswith(b"\x89PNG") for png, _ in seen)


def test_the_chosen_stage_is_marked_and_changes_no_number(figures):
    picker = pick_from_ladder(SMOLLM, GPU)
    numbers, _ = rows_of(picker)
    for place, stage in ((4, "final"), (0, "naive"), (3, "sdpa")):
        picker.stage.value = stage
        assert rows_of(picker) == (numbers, [stage])
        (axes,) = figures[-1].axes
        band = axes.patches[-1]
        assert place - 0.5 < band.get_y() < place < band.get_y() + band.get_height() < place + 0.5
        bold = [
            label.get_text() for label in axes.get_yticklabels() if label.get_fontweight() == "bold"
        ]
        assert bold == [stage]


def test_the_picture_has_the_numbers_of_the_table(figures):
    picker = pick_from_ladder(SMOLLM, GPU)
    pick(picker, "final", 4, 1024)
    (axes,), (cells, _) = figures[-1].axes, rows_of(picker)
    *bars, _ = axes.patches
    times = [ms for row in cells.values() for ms in row[3:5]]
    assert [bar.get_width() for bar in bars] == pytest.approx(times, abs=6e-4)
    longer = [ms == row[5] for row in cells.values() for ms in row[3:5]]
    assert [text.get_fontweight() == "bold" for text in axes.texts] == longer
    assert axes.texts[-1].get_text() == f"0.005 ms, {cells['final'][1]:.0f} launches in 1 call"
    limit = least_bytes(SMOLLM, Workload(1, 1, 1088, 2, copies=4, steps=64)) / 2e9
    assert list(axes.lines[0].get_xdata()) == [limit, limit]
    assert max(times) < axes.get_xlim()[1]


def test_without_a_front_end_picture_and_table_remain(figures):
    picker = pick_from_ladder(SMOLLM, GPU)
    pick(picker, "segment", 1, 32)
    shown = picker._repr_mimebundle_()
    assert b64decode(shown["image/png"]) == picker.image.value == b"a PNG"
    alt = "1 beam, 32 tokens in: bars of time by bytes and by calls, segment marked, the limit as a line"
    assert shown["text/plain"] == f"[picture: {alt}]\n{text_of(picker)}"
    assert "application/vnd.jupyter.widget-view+json" in shown


def test_invalid_workloads_raise():
    size = "size 3: expected bytes per element, one of (2, 4); pass 2 for 16 bits"
    says(ValueError, size, lambda: pick_from_ladder(SMOLLM, GPU, size=3))
    tokens = "new_tokens 2: expected 3 or more, one of them in the middle; pass 128"
    says(ValueError, tokens, lambda: pick_from_ladder(SMOLLM, GPU, new_tokens=2))


def test_the_limit_of_layers_with_a_window(figures):
    picker = pick_from_ladder(replace(SMOLLM, kinds=(LayerKind(SMOLLM.rope, 16),)), GPU)
    shares = [float(line.split()[-1].rstrip("%")) for line in text_of(picker).splitlines()[3:-1]]
    assert len(shares) == len(tinyllm.STAGES) and max(shares) <= 100


@pytest.mark.parametrize(
    "limits", [{"read_bandwidth": 0.0}, {"launch_overhead": -1.0}, {"read_bandwidth": float("nan")}]
)
def test_a_machine_without_limits_raises(limits):
    machine = replace(GPU, **limits)
    message = f"{machine}: expected limits above 0; pass what measure_machine found"
    says(ValueError, message, lambda: pick_from_ladder(SMOLLM, machine))
