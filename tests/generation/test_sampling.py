"""Sampling against transformers: with the same seed of torch's generator, the same tokens."""

import warnings
from functools import cache

import pytest
import torch
from transformers import GenerationConfig

import models
import tinyllm
from tinyllm.model import restage
from tinyllm.stages import STAGES

every_stage = pytest.mark.parametrize("stage", STAGES)
OPTIONS = {
    "nothing said": {},
    "temperature": {"temperature": 0.6},
    "hot": {"temperature": 3.0, "top_k": 0},
    "top_k": {"top_k": 3},
    "no top_k": {"top_k": None},
    "top_p": {"top_p": 0.7},
    "min_p": {"min_p": 0.2, "top_k": 0},
    "all of them": {"temperature": 1.4, "top_k": 20, "top_p": 0.9, "min_p": 0.05},
    "penalty": {"repetition_penalty": 1.3, "temperature": 1.5},
    "several answers": {"num_return_sequences": 3, "temperature": 2.0},
    "ends": {"eos_token_id": [3, 9], "pad_token_id": 0, "min_new_tokens": 2, "temperature": 2.0},
}


IDS, MASK = models.ragged(97, (2, 6, 9), seed=3)
BATCH = {"input_ids": IDS, "attention_mask": MASK, "max_new_tokens": 14, "do_sample": True}


@cache
def model_of_transformers():
    return models.tiny(seed=4, vocab_size=97)


@pytest.fixture
def hf():
    return model_of_transformers()


@pytest.fixture
def batch():
    return BATCH


def seeded(model, seed, **options):
    torch.manual_seed(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.generate(**options)


@cache
def expected(name, seed):
    """What transformers answers, computed once for all stages."""
    return seeded(model_of_transformers(), seed, **BATCH, **OPTIONS[name]).tolist()


@every_stage
@pytest.mark.parametrize("name", OPTIONS)
def test_same_seed_same_tokens(hf, batch, stage, name):
    model = tinyllm.optimize(hf, stage=stage)
    for seed in range(3):
        assert seeded(model, seed, **batch, **OPTIONS[name]).tolist() == expected(name, seed)


def test_other_seeds_give_other_tokens(hf, batch):
    model = tinyllm.optimize(hf)
    assert (
        len({str(seeded(model, seed, **batch, temperature=2.0).tolist()) for seed in range(5)}) == 5
    )


def test_several_answers_to_one_prompt_differ_and_stand_together(hf, batch):
    out = seeded(tinyllm.optimize(hf), 0, **batch, num_return_sequences=4, temperature=3.0)
    prompts = out[:, : batch["input_ids"].shape[1]].view(3, 4, -1)
    assert (prompts == batch["input_ids"][:, None]).all()
    assert len({str(row) for row in out[:4].tolist()}) == 4


def test_sampling_by_the_models_own_defaults(hf, batch):
    given = {name: batch[name] for name in ("input_ids", "attention_mask")}
    model = tinyllm.optimize(hf)
    config = GenerationConfig(do_sample=True, temperature=1.7, top_p=0.8, max_new_tokens=9)
    hf.generation_config, kept = config, hf.generation_config
    model.generation_config = config
    try:
        assert seeded(model, 1, **given).tolist() == seeded(hf, 1, **given).tolist()
    finally:
        hf.generation_config = kept


def test_scores_are_those_that_were_drawn_from(hf, batch):
    asked = {
        "return_dict_in_generate": True,
        "output_scores": True,
        "output_logits": True,
        "top_k": 4,
    }
    mine, theirs = (seeded(m, 2, **batch, **asked) for m in (tinyllm.optimize(hf), hf))
    for step, right in zip(mine.scores, theirs.scores, strict=True):
        assert (step.isfinite().sum(dim=-1) == 4).all()
        torch.testing.assert_close(step, right, rtol=1e-4, atol=1e-4)


@pytest.fixture(scope="module")
def story(smollm):
    """A prompt for the real model, and how it is continued."""
    ids = smollm.tokenizer("Once upon a time", return_tensors="pt")["input_ids"]
    options = {"do_sample": True, "temperature": 0.8, "top_p": 0.9, "max_new_tokens": 8}
    return {"inputs": ids, **options}


@pytest.fixture(scope="module")
def expected_story(oracle, story):
    return seeded(oracle, 7, **story).tolist()


@every_stage
def test_the_real_model_samples_as_transformers_does(smollm, story, expected_story, stage):
    model = restage(smollm, STAGES[stage])
    assert seeded(model, 7, **story).tolist() == expected_story
