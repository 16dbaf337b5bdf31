"""Samples of one prompt that do not fit at once: the prompt is computed once, and the tokens are as if at once."""

import warnings
from bisect import bisect_left
from functools import cache

import pytest
import torch

import models
import tinyllm
from tinyllm.generation.batching import even_size
from tinyllm.generation.greedy_sample import SampleRows, sample
from tinyllm.generation.memory import CallShape, MemoryBudget
from tinyllm.lab.memory import peak_bytes

every_stage = pytest.mark.parametrize("stage", tinyllm.STAGES)
ENDS = {"eos_token_id": [3, 9, 11, 20, 31, 44], "pad_token_id": 1}
SAMPLES = {"do_sample": True, "num_return_sequences": 11, "max_new_tokens": 14, "top_k": 0}
CALLS = {
    "none ends": {},
    "they end one by one": ENDS,
    "few tokens": {"top_k": 5, "temperature": 1.6, "repetition_penalty": 1.2} | ENDS,
    "padded": {"padding": 3} | ENDS,
    "stop strings": {"stop_strings": ["ab", "c", "k"]} | ENDS,
}


def call_of(name):
    options = SAMPLES | CALLS[name]
    padding = options.pop("padding", 0)
    ids, mask = models.ragged(61, (9 - padding, 9), seed=8)
    if "stop_strings" in options:
        options["tokenizer"] = models.letters()
    return {"inputs": ids[:1], "attention_mask": mask[:1]} | options


def budget(model, copies, total=11):
    """Bytes for so many samples of nine tokens at a time."""
    call = CallShape(1, 9, 14, total, padded=True)

    def most(free):
        return MemoryBudget(model.stage, model.config, 4, call, free, "").max_copies(9)

    sizes = range(1000, 10**7, 1000)
    found = sizes[bisect_left(sizes, copies, key=most)]
    assert most(found) == copies
    return found


def seeded(model, **options):
    torch.manual_seed(3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.generate(**options)


@cache
def hf():
    return models.tiny(seed=2)


@cache
def expected(name):
    """What transformers answers, and the next random number; computed once for all stages."""
    return seeded(hf(), **call_of(name)).tolist(), torch.rand(1)


@every_stage
@pytest.mark.parametrize("copies", [1, 4, 6])
def test_the_tokens_and_the_next_draw_are_those_of_transformers(stage, copies):
    model = tinyllm.optimize(hf(), stage=stage)
    limit = budget(model, copies)
    for name in CALLS:
        tokens, next_draw = expected(name)
        assert seeded(model, memory_budget=limit, **call_of(name)).tolist() == tokens
        assert torch.rand(1) == next_draw


@pytest.mark.parametrize("stage", ["segment", "final"])
def test_the_prompt_is_computed_once(stage):
    model = tinyllm.optimize(models.tiny(seed=2), stage=stage)
    passes = []
    model.layers[0].register_forward_pre_hook(
        lambda layer, args: passes.append(tuple(args[0].shape[:2]))
    )
    seeded(model, memory_budget=budget(model, 4), **call_of("none ends"))
    assert passes == [(1, 9)] + 3 * 13 * [(1, 4)]


@pytest.mark.parametrize("stage", ["naive", "final"])
@pytest.mark.parametrize("copies", [2, 9])
def test_a_call_fits_into_its_budget(stage, copies):
    shape = {"hidden_size": 64, "intermediate_size": 96, "max_position_embeddings": 512}
    model = tinyllm.optimize(models.tiny(vocab_size=1000, **shape), stage=stage)
    ids = torch.ones(1, 9, dtype=torch.int64)
    limit = budget(model, copies)
    run = lambda: seeded(model, input_ids=ids, memory_budget=limit, **SAMPLES)  # noqa: E731
    assert limit / 2 < peak_bytes(run, torch.device("cpu")) <= limit


def test_several_prompts_get_samples_each():
    model = tinyllm.optimize(models.tiny(seed=2))
    ids, mask = models.ragged(61, (2, 9, 5), seed=8)
    answers = {}
    found = seeded(
        model,
        inputs=ids,
        attention_mask=mask,
        memory_budget=budget(model, 4),
        on_answer=lambda index, token_ids: answers.update({index: token_ids.tolist()}),
        **SAMPLES | ENDS,
    )
    assert found.shape == (33, 23)
    assert found[:, :9].tolist() == ids.repeat_interleave(11, dim=0).tolist()
    assert sorted(answers) == list(range(33))
    for index, token_ids in answers.items():
        assert found[index, 9 : 9 + len(token_ids)].tolist() == token_ids


@every_stage
def test_every_answer_is_reported_once(stage):
    model = tinyllm.optimize(models.tiny(seed=2), stage=stage)
    answers = []
    options = call_of("they end one by one")
    found = seeded(
        model,
        memory_budget=budget(model, 4),
        on_answer=lambda index, token_ids: answers.append((index, token_ids.tolist())),
        **options,
    )
    assert sorted(index for index, _ in answers) == list(range(11))
    for index, token_ids in answers:
        assert found[index, 9 : 9 + len(token_ids)].tolist() == token_ids


def test_rows_draw_what_a_pass_of_all_rows_draws():
    scores = torch.randn(7, 50)
    torch.manual_seed(1)
    expected = sample(scores, 1)
    rows = torch.tensor([4, 5, 6])
    torch.manual_seed(1)
    assert SampleRows(rows, 7)(scores[rows], 1).tolist() == expected[rows].tolist()


def test_what_holds_no_sample_is_refused_and_what_holds_some_is_advised():
    model = tinyllm.optimize(models.tiny(seed=2))
    with pytest.raises(MemoryError, match="expected at most 0 prompts; pass a shorter prompt"):
        seeded(model, memory_budget=1000, **call_of("none ends"))
    call = CallShape(1, 9, 14, 11)
    tight = MemoryBudget(model.stage, model.config, 4, call, budget(model, 4), "free")
    assert tight.too_small().endswith("expected at most 0 prompts; pass fewer, or split_batch=True")
    beams = MemoryBudget(
        model.stage, model.config, 4, CallShape(1, 9, 14, 11, beams=True), 10**9, "free"
    )
    assert beams.max_copies(9) == 0


@pytest.mark.parametrize(("count", "most", "size"), [(10, 4, 4), (11, 10, 6), (3, 8, 3), (9, 3, 3)])
def test_batches_are_of_even_size(count, most, size):
    assert even_size(count, most) == size
