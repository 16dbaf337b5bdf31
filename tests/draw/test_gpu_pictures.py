"""The pictures of a GPU: what they show is what is computed, and their letters are legible on a phone."""

import pytest

from tinyllm.draw import gpu_picker, memory_hierarchy, stepper, xe_core
from tinyllm.draw.gpu_picker import FORMATS, MODELS, pick_gpu
from tinyllm.draw.picture import smallest_letters
from tinyllm.draw.two_limits import draw_two_limits
from tinyllm.lab.intel_gpus import GPUS, intel_gpu, stored_bytes, token_bytes
from tinyllm.lab.occupancy import decode_launches
from tinyllm.lab.shapes import known_config

SMOLLM, B580 = known_config("smollm2-135m"), intel_gpu("B580")


def texts(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def test_the_picker_starts_at_its_first_position_and_has_the_limit_of_the_table():
    picker = pick_gpu()
    assert (picker.gpu.value, picker.model.value, picker.format.value) == (
        GPUS[0].name, MODELS[0], next(iter(FORMATS)),
    )  # fmt: skip
    for name, size in FORMATS.items():
        picker.format.value = name
        ms = 1e3 * token_bytes(SMOLLM, size) / GPUS[0].bandwidth
        assert f"at least {ms:.2f} ms" in picker.words.value
    assert picker.still.startswith("[picture: the limit per token of smollm2-135m")


def test_a_model_that_does_not_fit_has_no_bar(monkeypatch):
    drawn = []
    kept = stepper.picture
    monkeypatch.setattr(
        stepper, "picture", lambda figure, alt: drawn.append(figure) or kept(figure, alt)
    )
    picker = pick_gpu()
    picker.model.value = "llama-2-7b"
    picker.gpu.value = B580.name
    config = known_config("llama-2-7b")
    assert stored_bytes(config) > B580.memory
    assert "does not fit" in picker.words.value
    widths = dict(zip(GPUS, (bar.get_width() for bar in drawn[-1].axes[0].patches), strict=True))
    assert widths[B580] == 0
    assert widths[GPUS[0]] == pytest.approx(1e3 * token_bytes(config) / GPUS[0].bandwidth)
    picker.format.value = "4 bits (q4_0)"
    assert "fits" in picker.words.value and "does not fit" not in picker.words.value


def test_the_model_is_larger_than_every_cache_of_the_picture():
    figure = memory_hierarchy._figure({"a model": token_bytes(SMOLLM)})
    assert "a model" in "".join(texts(figure))
    on_chip = [level.num_bytes for level in memory_hierarchy.TILE[: memory_hierarchy.ON_CHIP]]
    assert max(on_chip) < token_bytes(SMOLLM) < memory_hierarchy.TILE[3].num_bytes
    assert memory_hierarchy.TILE[3].bandwidth == intel_gpu("Max 1550").bandwidth


def test_an_xe_core_has_a_cell_for_each_thread():
    launch = decode_launches(SMOLLM, B580)[2]
    filled = xe_core.threads_of_core(launch, B580)
    figure = xe_core._core(B580, launch, filled)
    (axes,) = figure.axes
    colours = [patch.get_facecolor() for patch in axes.patches[:32]]
    empty = max(set(colours), key=colours.count)
    assert len(filled) == 16 == sum(colour != empty for colour in colours)
    assert "256 registers" in "".join(texts(figure))


def test_letters_are_legible_on_a_phone():
    launches = decode_launches(SMOLLM, B580)
    figures = [
        memory_hierarchy._figure({"a": 1e8}),
        xe_core._core(B580, launches[0], xe_core.threads_of_core(launches[0], B580)),
        xe_core._filled([B580], [launches[:3]]),
        gpu_picker.draw_limits(GPUS, B580.name, 1e9, 1e9),
        draw_two_limits({32: 1e-6, 1 << 20: 1e-4}, 1e-6, 1e10),
    ]
    for figure in figures:
        figure.draw_without_rendering()
        assert smallest_letters(figure) >= 8
