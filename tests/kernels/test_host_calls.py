"""What Python does for the first token: a fast GPU waits where a layer's kernels are launched more slowly than run."""

import sys
from dataclasses import replace

import pytest
import torch

import models
import tinyllm

IDS = torch.arange(1, 25)[None]  # more rows than a GEMV takes, as every long prompt
PACKAGES = {"tinyllm", "torch", "triton"}
MOST_CALLS_OF_A_LAYER = 150
WALKS = {"named_modules", "named_children", "_named_members"}


@pytest.fixture(autouse=True)
def launches(interpreted, monkeypatch):
    """The launches of Triton's kernels, none of which is run: what they would write is left as it is."""
    interpreter = pytest.importorskip("triton.runtime.interpreter")
    found = []
    monkeypatch.setattr(interpreter.InterpretedFunction, "run", lambda *_, **named: found.append(1))
    return found


def calls_of_first_token(kind, layers):
    """The names of the functions in Python that are called, without those that check types in tests alone."""
    hf = models.tiny(kind, num_hidden_layers=layers)
    model = tinyllm.optimize(hf, stage=replace(tinyllm.STAGES["final"], kernels="triton"))
    for _ in range(2):  # imports, and what is computed once
        model.generate(IDS, max_new_tokens=1)
    names = []

    def count(frame, event, argument):
        if event == "call" and frame.f_globals.get("__name__", "").split(".")[0] in PACKAGES:
            names.append(frame.f_code.co_name)

    sys.setprofile(count)
    try:
        model.generate(IDS, max_new_tokens=1)
    finally:
        sys.setprofile(None)
    return names


@pytest.mark.parametrize("kind", ["llama", "opt", "gptj", "bloom"])
def test_a_layer_takes_few_calls(kind, launches):
    few = len(calls_of_first_token(kind, 2))
    assert launches
    more = len(calls_of_first_token(kind, 6))
    assert 0 < (more - few) / 4 <= MOST_CALLS_OF_A_LAYER


def test_modules_are_not_walked():
    assert not WALKS.intersection(calls_of_first_token("llama", 2))
