"""The widget that steps through a beam search: its picture, its text, and its static form without a front end."""

from base64 import b64decode
from dataclasses import replace
from functools import cache
from html import unescape
from types import SimpleNamespace

import pytest
import torch

import models
import tinyllm
from tinyllm.draw.beam_memory import draw_beam_memory
from tinyllm.draw.beam_stepper import step_through_beams
from tinyllm.draw.picture import picture
from tinyllm.lab.beam_trace import as_text
from tinyllm.lab.kv_trace import trace_beams

STEPS = range(5)


@pytest.fixture(scope="module", params=tinyllm.STAGES)
def trace(request):
    model = tinyllm.optimize(models.tiny(), stage=request.param)
    model.tokenizer = SimpleNamespace(decode=lambda ids: f"<{ids[0]}>")  # tokens like HTML tags
    return trace_beams(model, torch.tensor([[3, 14, 15, 9]]), width=3, new_tokens=len(STEPS))


@pytest.fixture
def stepper(trace):
    return step_through_beams(trace)


def text_of(stepper):
    return unescape(stepper.words.value.removeprefix("<pre>").removesuffix("</pre>"))


@cache
def drawn(trace, step):
    return picture(draw_beam_memory(trace, step), "").png


def test_it_opens_at_the_prompt(stepper, trace):
    assert (stepper.slider.value, stepper.slider.min, stepper.slider.max) == (0, 0, STEPS[-1])
    assert text_of(stepper) == as_text(trace, 0)
    assert stepper.image.value == drawn(trace, 0)


@pytest.mark.parametrize("control", ["slider", "play"])
def test_moving_a_control_changes_picture_and_text(stepper, trace, control):
    seen = set()
    for step in reversed(STEPS):
        getattr(stepper, control).value = step
        assert stepper.slider.value == stepper.play.value == step
        assert text_of(stepper) == as_text(trace, step)
        assert stepper.image.value == drawn(trace, step)
        seen.add((stepper.image.value, stepper.words.value))
    assert len(seen) == len(STEPS)


def test_pictures_are_those_of_the_trace(stepper):
    row, image, words = stepper.children
    assert row.children == (stepper.play, stepper.slider)
    assert (image, words) == (stepper.image, stepper.words)
    assert stepper.play.max == stepper.slider.max


def test_tokens_are_escaped(stepper):
    assert "&lt;14&gt;" in stepper.words.value
    assert "<14>" not in stepper.words.value


def test_without_a_front_end_the_picture_remains(stepper, trace):
    stepper.slider.value = 2
    shown = stepper._repr_mimebundle_()
    assert b64decode(shown["image/png"]) == drawn(trace, 2)
    assert (
        shown["text/plain"]
        == f"[picture: step 2 of a search with 3 beams: the slots that each beam reads in {trace.stage}]"
    )
    assert "application/vnd.jupyter.widget-view+json" in shown


def test_two_caches_are_drawn_one_below_the_other(trace):
    model = tinyllm.optimize(models.tiny(), stage="fused")
    model.tokenizer = SimpleNamespace(decode=lambda ids: f"<{ids[0]}>")
    beside = trace_beams(model, torch.tensor([[3, 14, 15, 9]]), width=3, new_tokens=len(STEPS))
    both = step_through_beams(beside, trace)
    both.slider.value = 2
    assert text_of(both) == f"{as_text(beside, 2)}\n\n{as_text(trace, 2)}"
    assert both.image.value == picture(draw_beam_memory([beside, trace], 2), "").png
    assert f"in fused and {trace.stage}]" in both._repr_mimebundle_()["text/plain"]
    axes = draw_beam_memory([beside, trace], 2).axes
    squares = [len(draw_beam_memory(one, 2).axes[0].patches) for one in (beside, trace)]
    assert [len(axis.patches) for axis in axes] == squares
    assert [axis.get_title(loc="left") for axis in axes] == [
        "fused, step 2",
        f"{trace.stage}, step 2",
    ]


def test_traces_of_different_searches_raise(trace):
    shorter = replace(trace, steps=trace.steps[:-1])
    expected = "expected traces of one search, at least one"
    models.says(
        ValueError,
        f"searches of (beams, steps) [(3, 5), (3, 4)]: {expected}",
        lambda: step_through_beams(trace, shorter),
    )
    models.says(ValueError, f"searches of (beams, steps) []: {expected}", step_through_beams)
