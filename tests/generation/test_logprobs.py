"""`output_logprobs`: those of transformers' `compute_transition_scores`, and no scores kept for them."""

import copy
import pickle
from functools import cache

import pytest
import torch

import models
import tinyllm
from models import says
from tinyllm.lab.memory import peak_bytes
from tinyllm.runtime.native import NativeStep

every_stage = pytest.mark.parametrize("stage", tinyllm.STAGES)
SAMPLES = {"do_sample": True, "num_return_sequences": 4}
WAYS = {
    "greedy": {},
    "samples": SAMPLES,
    "samples of few tokens": SAMPLES | {"top_k": 6, "temperature": 1.7, "min_p": 0.02},
    "penalties": SAMPLES | {"repetition_penalty": 1.4, "no_repeat_ngram_size": 2},
    "normalised": SAMPLES | {"top_p": 0.8, "renormalize_logits": True},
    "beams": {"num_beams": 4, "num_return_sequences": 3},
    "beams with a penalty": {"num_beams": 3, "length_penalty": -1.0, "repetition_penalty": 1.4},
    "beam samples": {"num_beams": 4, "num_return_sequences": 3, "do_sample": True, "top_k": 9},
}
ENDS = {
    "none ends": {},
    "all end": {"eos_token_id": list(range(0, 97, 4)), "pad_token_id": 1},
}


@pytest.fixture(scope="module")
def hf():
    return models.tiny(seed=4, vocab_size=97)


@pytest.fixture(scope="module")
def batch():
    ids, mask = models.ragged(97, (2, 6, 9), seed=3)
    return {"inputs": ids, "attention_mask": mask, "max_new_tokens": 12}


def seeded(model, **options):
    torch.manual_seed(5)
    return model.generate(return_dict_in_generate=True, **options)


@pytest.fixture(scope="module")
def expected(hf, batch):
    """A function of a way and an end: transformers' sequences and scores, computed once for all stages."""

    @cache
    def compute(way, ends):
        theirs = seeded(hf, output_scores=True, **batch | ENDS[ends] | WAYS[way])
        scores = hf.compute_transition_scores(
            theirs.sequences, theirs.scores, theirs.get("beam_indices"), normalize_logits=True
        )
        return theirs.sequences.tolist(), scores

    return compute


@every_stage
@pytest.mark.parametrize("ends", ENDS)
@pytest.mark.parametrize("way", WAYS)
def test_they_are_the_transition_scores(hf, batch, expected, stage, ends, way):
    options = batch | ENDS[ends] | WAYS[way]
    sequences, scores = expected(way, ends)
    mine = seeded(tinyllm.optimize(hf, stage=stage), output_logprobs=True, **options)
    assert mine.sequences.tolist() == sequences
    assert mine.logprobs.dtype == torch.float32
    models.close(mine.logprobs, scores)
    assert mine.scores is None


def test_a_pad_token_beyond_the_vocabulary_changes_no_token_before_it(hf, batch):
    options = batch | ENDS["all end"]
    model = tinyllm.optimize(hf)
    mine = seeded(model, output_logprobs=True, **options | {"pad_token_id": 1000})
    right = seeded(model, output_logprobs=True, **options)
    before = mine.sequences[:, 9:] != 1000
    assert before.any() and not before.all()
    assert mine.logprobs[before].tolist() == right.logprobs[before].tolist()


def test_steps_stay_native(hf, batch, monkeypatch):
    steps = []
    bind = NativeStep.bind
    monkeypatch.setattr(
        NativeStep, "bind", lambda step, cache: steps.append(1) or bind(step, cache)
    )
    model = tinyllm.optimize(hf)
    if "native step" not in repr(model):
        pytest.skip("no compiler here")
    seeded(model, output_logprobs=True, **batch, **SAMPLES)
    assert len(steps) == batch["max_new_tokens"] - 1


@pytest.mark.parametrize("way", ["samples", "beams"])
def test_no_scores_are_kept(way):
    model = tinyllm.optimize(models.tiny(vocab_size=5000, max_position_embeddings=128))
    ids = torch.ones(1, 4, dtype=torch.int64)

    def call(**options):
        return lambda: seeded(
            model, input_ids=ids, max_new_tokens=40, temperature=1.0, **WAYS[way], **options
        )

    scores = 4 * 5000 * 4  # bytes of one step
    without = peak_bytes(call(), torch.device("cpu"))
    assert peak_bytes(call(output_logprobs=True), torch.device("cpu")) < without + 2 * scores
    assert peak_bytes(call(output_scores=True), torch.device("cpu")) > without + 30 * scores


@pytest.mark.parametrize("way", ["samples", "beams"])
def test_an_output_is_copied_and_pickled_with_them(hf, batch, way):
    answer = seeded(tinyllm.optimize(hf), output_logprobs=True, **batch, **WAYS[way])
    for other in (copy.copy(answer), pickle.loads(pickle.dumps(answer))):
        assert other.logprobs.tolist() == answer.logprobs.tolist() == answer["logprobs"].tolist()


def test_without_them_an_output_has_none(hf, batch):
    answer = seeded(tinyllm.optimize(hf), **batch)
    assert "logprobs" not in answer


def test_an_output_that_has_no_place_for_them_is_refused(hf, batch):
    message = (
        "output_logprobs=True without return_dict_in_generate: expected an output that holds more than the sequences; "
        "pass return_dict_in_generate=True"
    )
    model = tinyllm.optimize(hf)
    says(ValueError, message, lambda: model.generate(output_logprobs=True, **batch))
    message = "output_logprobs=1: expected True or False"
    says(ValueError, message, lambda: seeded(model, output_logprobs=1, **batch))
