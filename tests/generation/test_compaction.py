"""Answers end one by one: rows that have ended leave the passes, and no token changes."""

import warnings
from functools import cache

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import models
import tinyllm
from models import says
from tinyllm.generation.compaction import pays, remaining_rows
from tinyllm.generation.memory import CallShape, memory_need
from tinyllm.lab.memory import peak_bytes

every_stage = pytest.mark.parametrize("stage", tinyllm.STAGES)
ENDS = {"eos_token_id": [3, 9, 11, 20, 31, 44], "pad_token_id": 1}
SAMPLES = {"do_sample": True, "top_k": 0}
CALLS = {
    "one prompt": {"prompts": (7,), "num_return_sequences": 16, **SAMPLES},
    "prompts of many lengths": {"prompts": (2, 6, 9), "num_return_sequences": 5, **SAMPLES},
    "a sample each": {"prompts": (2, 6, 9, 9, 3, 1, 4, 8), **SAMPLES},
    "greedy": {"prompts": (2, 6, 9, 9, 3, 1, 4, 8), "do_sample": False},
    "of few tokens": {"prompts": (2, 6), "num_return_sequences": 9, "do_sample": True, "top_k": 9},
    "penalties": {
        "prompts": (5, 3),
        "num_return_sequences": 8,
        "repetition_penalty": 1.3,
        "no_repeat_ngram_size": 2,
        "encoder_no_repeat_ngram_size": 2,
        **SAMPLES,
    },
    "stop strings": {
        "prompts": (7,),
        "num_return_sequences": 16,
        "stop_strings": ["ab", "c", "k"],
        **SAMPLES,
    },
    "no room for pads": {"prompts": (7,), "num_return_sequences": 16, "pad_token_id": 60} | SAMPLES,
}


def call_of(name):
    options = ENDS | CALLS[name]
    ids, mask = models.ragged(61, options.pop("prompts"), seed=3)
    if "stop_strings" in options:
        options["tokenizer"] = models.letters()
    return {"inputs": ids, "attention_mask": mask, "max_new_tokens": 24} | options


def seeded(model, seed, **options):
    torch.manual_seed(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.generate(**options)


def rows_of_passes(model, **options):
    """How many rows every decode step has."""
    rows = []
    step = type(model).logits

    def counted(self, x):
        rows.append(x.shape[0] * x.shape[1])
        return step(self, x)

    type(model).logits = counted
    try:
        seeded(model, 0, **options)
    finally:
        type(model).logits = step
    return rows[1:]


@cache
def hf():
    return models.tiny(seed=4)


@cache
def expected(name, seed):
    """What transformers answers, and the next random number; computed once for all stages."""
    return seeded(hf(), seed, **call_of(name)).tolist(), torch.rand(1)


@every_stage
@pytest.mark.parametrize("name", CALLS)
def test_the_tokens_are_those_of_transformers(stage, name):
    model = tinyllm.optimize(hf(), stage=stage)
    for seed in range(2):
        tokens, next_draw = expected(name, seed)
        assert seeded(model, seed, **call_of(name)).tolist() == tokens
        assert torch.rand(1) == next_draw


@pytest.mark.parametrize(("kind", "branch"), models.CASES, ids=str)
def test_families_end_one_by_one(kind, branch):
    hf = models.tiny(kind, seed=6, hidden_size=48, **models.BRANCHES[kind][branch])
    options = call_of("prompts of many lengths")
    expected = seeded(hf, 1, **options).tolist()
    for stage in ("naive", "segment", "final"):
        assert seeded(tinyllm.optimize(hf, stage=stage), 1, **options).tolist() == expected


@pytest.mark.parametrize("stage", ["naive", "segment"])
@pytest.mark.parametrize("name", CALLS)
def test_passes_become_narrower(stage, name):
    model = tinyllm.optimize(models.tiny(seed=4), stage=stage)
    rows = rows_of_passes(model, **call_of(name))
    assert rows == sorted(rows, reverse=True)
    assert rows[-1] <= 2 < rows[0]


@pytest.mark.parametrize("stage", ["naive", "segment", "final"])
@pytest.mark.parametrize("prompts", [1, 6])
def test_it_fits_into_the_memory_that_is_planned(stage, prompts):
    sizes = {
        "hidden_size": 128,
        "intermediate_size": 256,
        "num_attention_heads": 8,
        "vocab_size": 61,
    }
    sizes |= {"max_position_embeddings": 256, "num_key_value_heads": 8}
    model = tinyllm.optimize(models.tiny(seed=4, **sizes), stage=stage)
    options = {"max_new_tokens": 50, "eos_token_id": [3, 4], "pad_token_id": 1}
    options |= SAMPLES | {"num_return_sequences": 24 // prompts}
    options["inputs"] = torch.full((prompts, 8), 7)
    call = CallShape(prompts, 8, 50, 24 // prompts, compacts=True)
    planned = memory_need(model.stage, model.config, call, 4).total
    counted = peak_bytes(lambda: seeded(model, 0, **options), torch.device("cpu"))
    assert counted <= planned
    assert planned <= 2 * counted or stage == "naive"  # whose keys and values become fewer instead


def test_rows_stay_where_the_caller_sees_them_all():
    model = tinyllm.optimize(models.tiny(seed=4), stage="segment")
    options = call_of("one prompt")
    for kept in (
        {"return_dict_in_generate": True},
        {"return_dict_in_generate": True, "output_logprobs": True},
        {"logits_processor": [lambda ids, scores: scores]},
        {"eos_token_id": None, "stop_strings": ["a"], "tokenizer": models.letters()},
    ):
        assert set(rows_of_passes(model, **options | kept)) == {16}


def test_a_cache_of_the_caller_keeps_its_rows():
    model = tinyllm.optimize(models.tiny(seed=4), stage="segment")
    ids, _ = models.ragged(61, (7, 7, 7, 7), seed=3)
    first = model.generate(ids, max_new_tokens=3, return_dict_in_generate=True)
    longer = torch.cat([first.sequences, ids[:, :2]], dim=1)
    options = {"max_new_tokens": 12, "do_sample": False} | ENDS
    expected = model.generate(longer, **options).tolist()
    assert model.generate(longer, cache=first.cache, **options).tolist() == expected
    assert first.cache.rows == 4


@given(
    alive=st.lists(st.lists(st.booleans(), min_size=4, max_size=4), min_size=1, max_size=9).filter(
        lambda rows: any(map(any, rows))
    )
)
def test_remaining_rows_hold_every_unfinished_one(alive):
    unfinished = torch.tensor(alive)
    rows = remaining_rows(unfinished.flatten(), 4)
    assert set(unfinished.flatten().nonzero()[:, 0].tolist()) <= set(rows.flatten().tolist())
    assert (rows // 4 == rows[:, :1] // 4).all()  # of one prompt each
    assert rows.shape == (sum(map(any, alive)), max(map(sum, alive)))
    assert len(set(rows.flatten().tolist())) == rows.numel()


def test_the_rule():
    def is_worth(rows, remaining, **changes):
        figures = {"steps": 100, "steps_left": 100, "captured": False} | changes
        return pays(rows, remaining, **figures)

    assert is_worth(8, 4) and not is_worth(8, 5)
    assert is_worth(8, 4, steps=2) and not is_worth(8, 4, steps=1)
    assert is_worth(8, 4, steps_left=2) and not is_worth(8, 4, steps_left=1)
    assert is_worth(8, 4, steps=64, captured=True) and not is_worth(8, 4, steps=63, captured=True)


@every_stage
@pytest.mark.parametrize("name", CALLS)
def test_on_answer_is_called_when_a_sequence_ends(stage, name):
    model = tinyllm.optimize(hf(), stage=stage)
    options = call_of(name)
    answers = []
    on_answer = lambda index, token_ids: answers.append((index, token_ids))  # noqa: E731
    sequences = seeded(model, 1, on_answer=on_answer, **options)
    assert sequences.tolist() == expected(name, 1)[0]
    assert sorted(index for index, _ in answers) == list(range(len(sequences)))
    lengths = [len(token_ids) for _, token_ids in answers]
    assert lengths == sorted(lengths)  # the shortest answers first
    new_tokens = sequences[:, options["inputs"].shape[1] :]
    for index, token_ids in answers:
        row = new_tokens[index].tolist()
        assert row[: len(token_ids)] == token_ids.tolist()
        assert set(row[len(token_ids) :]) <= {options["pad_token_id"]}


def test_on_answer_comes_before_the_others_end():
    model = tinyllm.optimize(models.tiny(seed=4))
    order = []

    class Streamer:
        def put(self, token_ids):
            order.append("token")

        def end(self):
            order.append("end")

    seeded(
        model,
        2,
        streamer=Streamer(),
        on_answer=lambda index, token_ids: order.append(index),
        **call_of("one prompt"),
    )
    assert order.index("end") == len(order) - 1
    first = next(place for place, what in enumerate(order) if isinstance(what, int))
    assert "token" in order[first:]


def test_an_error_of_on_answer_ends_the_call():
    model = tinyllm.optimize(models.tiny(seed=4))

    def fails(index, token_ids):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        seeded(model, 2, on_answer=fails, **call_of("one prompt"))
    assert seeded(model, 2, **call_of("one prompt")).shape[0] == 16


def test_on_answer_needs_a_function_and_answers_that_end_one_by_one():
    model = tinyllm.optimize(models.tiny())
    ids = torch.ones(1, 2, dtype=torch.int64)
    message = "on_answer is a list: expected a function of the answer's number and its token ids"
    says(TypeError, message, lambda: model.generate(ids, on_answer=[]))
    message = "on_answer with num_beams=2: expected num_beams=1; beams are not final before the end"
    says(ValueError, message, lambda: model.generate(ids, on_answer=print, num_beams=2))
