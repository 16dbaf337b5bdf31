"""What is left out of Triton's interpreter, so that it takes less than half of its time."""

import pytest
import torch

from tinyllm.check import check

pytest.importorskip("triton")
from triton.runtime import interpreter as triton_interpreter

from tinyllm.kernels.triton import TRITON, interpreter

pytestmark = pytest.mark.usefixtures("interpreted")


@pytest.fixture
def calls(monkeypatch):
    """How often each function of the interpreter is called."""
    counts = {"_patch_builtin": 0, "_patch_lang": 0}

    def count(name):
        function = getattr(triton_interpreter, name)

        def counted(*arguments):
            counts[name] += 1
            return function(*arguments)

        monkeypatch.setattr(triton_interpreter, name, counted)

    for name in counts:
        count(name)
    return counts


def test_the_language_is_patched_once_for_all_functions_of_a_launch(calls):
    verdict = check(
        "segment_attention", TRITON.segment_attention, dtypes=[torch.float32], every=1000
    )
    assert verdict.right and verdict.total == 1
    assert calls["_patch_lang"] > 20, "functions that the kernel calls"
    assert calls["_patch_builtin"] < 20, "of one launch"


def test_another_release_is_left_as_it_is(monkeypatch):
    patch = triton_interpreter._patch_lang
    monkeypatch.delattr(triton_interpreter, "_get_np_dtype")
    interpreter.speed_up()
    assert triton_interpreter._patch_lang is patch
