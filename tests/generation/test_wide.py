"""Hundreds of sequences of one prompt: samples, beams and drawn beams, the tokens of transformers in every stage."""

from dataclasses import replace
from functools import cache

import pytest
import torch

import models
import tinyllm
from tinyllm.stages import STAGES

VOCAB = 389
SEARCHES = {
    "sampling": {"do_sample": True, "temperature": 1.3, "top_k": 40},
    "beams": {},
    "drawn beams": {"do_sample": True, "temperature": 1.3},
}
# Every stage meets narrower and wider rows than a tile of any kernel has; 1,024 once in every search.
WIDTHS = {"naive": 96, "fused": 65, "segment": 200, "sdpa": 128, "final": 256}
FEW = 8  # sequences returned of a beam search
MODELS = {
    "llama": {"kind": "llama"},
    "ALiBi": {"kind": "bloom"},
    "window and soft cap": {"kind": "gemma2", "sliding_window": 5},
}


@cache
def hf(name):
    return models.tiny(seed=3, vocab_size=VOCAB, **MODELS[name])


def answer(model, search, width, lengths=(7,), new=5):
    ids, mask = models.ragged(VOCAB, lengths, seed=width)
    options = dict(SEARCHES[search])
    if search == "sampling":
        options["num_return_sequences"] = width
    else:
        options |= {"num_beams": width, "num_return_sequences": FEW}
    torch.manual_seed(width)
    return model.generate(
        ids, attention_mask=mask, max_new_tokens=new, **{"do_sample": False} | options
    ).tolist()


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize("stage", STAGES)
def test_wide_requests_in_every_stage(stage, search):
    model = tinyllm.optimize(hf("llama"), stage=stage)
    width = WIDTHS[stage]
    assert answer(model, search, width) == answer(hf("llama"), search, width)


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize("stage", ["segment", "final"])
def test_a_thousand_and_twenty_four(stage, search):
    model = tinyllm.optimize(hf("llama"), stage=stage)
    assert answer(model, search, 1024, new=3) == expected_of_1024(search)


@cache
def expected_of_1024(search):
    return answer(hf("llama"), search, 1024, new=3)


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("stage", ["segment", "final"])
def test_wide_requests_of_padded_prompts(stage, name, search):
    model = tinyllm.optimize(hf(name), stage=stage)
    right = answer(hf(name), search, 65, (3, 8))
    assert answer(model, search, 65, (3, 8)) == right


@pytest.mark.parametrize("search", SEARCHES)
def test_wide_requests_in_our_own_kernels(search):
    model = tinyllm.optimize(hf("llama"), stage=replace(STAGES["sdpa"], kernels="cpu"))
    assert answer(model, search, 200) == answer(hf("llama"), search, 200)
