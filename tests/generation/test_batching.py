"""A batch larger than memory: as many prompts at a time as fit, the longest together, the answers as if at once."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import LogitsProcessorList, StoppingCriteriaList

import models
import tinyllm
from models import says
from tinyllm.generation.batching import plan_batches
from tinyllm.generation.greedy_sample import argmax
from tinyllm.generation.memory import CallShape, memory_need
from tinyllm.generation.request import Request

LENGTHS = (2, 9, 8, 3, 7, 9, 1)
ENDS = {"eos_token_id": list(range(0, 61, 4)), "pad_token_id": 1}
HOWS = {
    "greedy": {},
    "3 beams": {"num_beams": 3},
    "all 3 beams": {"num_beams": 3, "num_return_sequences": 3},
    "not too short": {"min_new_tokens": 5},
    "lengths with the prompt": {"max_new_tokens": None, "max_length": 18, "min_length": 13},
    "penalty": {"repetition_penalty": 1.4},
    "no n-gram twice": {"no_repeat_ngram_size": 2},
}


def budget(model, prompts, new=9, copies=1):
    """Bytes for so many prompts of nine tokens."""
    call = CallShape(prompts, 9, new, copies, padded=True, beams=copies > 1, kernels="torch")
    return memory_need(model.stage, model.config, call, 4).total


def batches(model):
    """The shape of every pass that takes prompts in."""
    seen = []
    model.layers[0].register_forward_pre_hook(
        lambda layer, args: seen.append(tuple(args[0].shape[:2])) if args[0].shape[1] > 3 else None
    )
    return seen


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("stage", tinyllm.STAGES)
def test_batches_give_the_tokens_of_one_batch_of_transformers(stage, how):
    hf = models.tiny(seed=2)
    model, (ids, mask) = tinyllm.optimize(hf, stage=stage), models.ragged(61, LENGTHS, seed=8)
    options = {"max_new_tokens": 9, "do_sample": False} | ENDS | HOWS[how]
    options = {name: value for name, value in options.items() if value is not None}
    expected = hf.generate(ids, attention_mask=mask, **options)
    limit = budget(model, 3, copies=options.get("num_beams", 1))
    assert model.generate(ids, mask, memory_budget=limit, **options).tolist() == expected.tolist()


def test_a_pad_token_in_a_prompt_is_text_where_the_mask_has_it():
    hf = models.tiny(seed=2)
    model = tinyllm.optimize(hf)
    ids = torch.randint(2, 61, (5, 9), generator=torch.Generator().manual_seed(1))
    ids[:, 4] = ENDS["pad_token_id"]
    options = {"max_new_tokens": 9, "do_sample": False} | ENDS
    expected = hf.generate(ids, attention_mask=torch.ones_like(ids), **options)
    limit = budget(model, 2)
    mine = model.generate(ids, torch.ones_like(ids), memory_budget=limit, **options)
    assert mine.tolist() == expected.tolist()


def test_the_longest_go_together_and_padding_stays_outside():
    model, (ids, mask) = (
        tinyllm.optimize(models.tiny(), stage="segment"),
        models.ragged(61, LENGTHS),
    )
    seen = batches(model)
    model.generate(ids, mask, max_new_tokens=9, memory_budget=budget(model, 3))
    assert seen == [(3, 9), (2, 7)]  # 9, 9, 8; 7, 3; then 2, 1, too short to be seen here


def test_batches_are_of_one_size_where_prompts_are():
    model, seen = tinyllm.optimize(models.tiny(), stage="segment"), []
    seen = batches(model)
    answers = model.generate(
        torch.ones(7, 9, dtype=torch.int64), max_new_tokens=9, memory_budget=budget(model, 6)
    )
    assert answers.shape == (7, 18)
    assert seen == [(4, 9), (3, 9)]  # not six and one


def test_parts_of_the_callers_own_see_the_text_as_it_was_passed():
    model, (ids, mask) = (
        tinyllm.optimize(models.tiny(), stage="segment"),
        models.ragged(61, LENGTHS),
    )
    widths = set()

    def sees(input_ids, scores):
        widths.add(input_ids.shape[1])
        return scores

    model.generate(
        ids, mask, max_new_tokens=2, logits_processor=[sees], memory_budget=budget(model, 3, new=2)
    )
    assert widths == {9, 10}


def test_a_batch_fits_into_its_budget_and_samples_are_drawn_for_every_prompt():
    model, (ids, mask) = tinyllm.optimize(models.tiny(), stage="final"), models.ragged(61, LENGTHS)
    options = {
        "do_sample": True,
        "num_return_sequences": 4,
        "max_new_tokens": 5,
        "eos_token_id": None,
    }
    found = model.generate(ids, mask, memory_budget=budget(model, 2, 5, 4), **options)
    assert found.shape == (28, 14)
    assert found[:, :9].tolist() == ids.repeat_interleave(4, dim=0).tolist()


def test_a_budget_beyond_what_is_needed_changes_nothing():
    model, (ids, mask) = tinyllm.optimize(models.tiny(), stage="final"), models.ragged(61, LENGTHS)
    one = model.generate(
        ids, mask, max_new_tokens=4, memory_budget=1e9, return_dict_in_generate=True
    )
    assert one.sequences.tolist() == model.generate(ids, mask, max_new_tokens=4).tolist()


@pytest.mark.parametrize("given", [0, -1, True, "8e9", float("nan")])
def test_a_budget_is_a_number_of_bytes(given):
    message = (
        f"memory_budget={given!r}: expected bytes for one call beside the weights, such as 8e9"
    )
    model = tinyllm.optimize(models.tiny())
    says(
        ValueError,
        message,
        lambda: model.generate(torch.ones(1, 2, dtype=torch.int64), memory_budget=given),
    )


def test_a_prompt_that_does_not_fit_alone_is_refused_with_figures():
    model = tinyllm.optimize(models.tiny(), stage="final")
    with pytest.raises(
        MemoryError,
        match=r"1000 B are the memory_budget: expected at most 0 prompts; pass a shorter",
    ):
        model.generate(torch.ones(3, 9, dtype=torch.int64), max_new_tokens=5, memory_budget=1000)


@given(
    lengths=st.lists(st.integers(1, 30), min_size=1, max_size=40),
    tokens=st.integers(30, 200),
    trim=st.booleans(),
)
def test_every_row_is_in_one_batch_that_fits(lengths, tokens, trim):
    width = max(lengths)
    mask = (torch.arange(width) >= width - torch.tensor(lengths)[:, None]).long()
    request = Request(
        mask,
        mask,
        1,
        0,
        0,
        None,
        argmax,
        LogitsProcessorList(),
        StoppingCriteriaList(),
        None,
        False,
    )
    planned = plan_batches(request, lambda longest: tokens // longest, trim=trim)
    assert sorted(row for batch in planned for row in batch.rows) == list(range(len(lengths)))
    for batch in planned:
        longest = max(lengths[row] for row in batch.rows) if trim else width
        assert batch.cut == width - longest
        assert len(batch.rows) * longest <= tokens
    order = [lengths[row] for batch in planned for row in batch.rows]
    assert order == sorted(order, reverse=True) or not trim
    assert plan_batches(request, lambda longest: 0, trim=trim) == []
