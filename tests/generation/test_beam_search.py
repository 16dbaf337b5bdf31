"""Beam search against transformers' own, option by option and stage by stage: tokens, scores and beams."""

import json
import warnings
from functools import cache
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_generation import AddOne, SeesScores
from transformers import MaxLengthCriteria, StoppingCriteria

import models
import tinyllm
from models import close
from tinyllm.model import restage

LENGTHS = (2, 5, 8)
T = max(LENGTHS)
WIDTHS = (1, 2, 3, 4, 5, 6, 7, 8, 16)
RECORD = {"return_dict_in_generate": True, "output_scores": True, "output_logits": True}

# What the model says when nothing ends it: `test_ends_do_end` sees that these ends are met.
OFTEN, SELDOM, SEVERAL, MANY, AT_ONCE = 57, 6, [17, 48, 27], [57, 17, 48, 27, 6], [47, 58, 48]
ENDS = {
    "never": {},
    "often": {"eos_token_id": OFTEN},
    "seldom": {"eos_token_id": SELDOM},
    "several": {"eos_token_id": SEVERAL},
    "at once": {"eos_token_id": AT_ONCE},
}

every_stage = pytest.mark.parametrize("stage", tinyllm.STAGES)


@cache
def hf():
    return models.tiny(seed=2)


@cache
def ours(stage):
    return restage(tinyllm.optimize(hf()), tinyllm.STAGES[stage])


def batch_of(lengths=LENGTHS, seed=8):
    ids, mask = models.ragged(61, lengths, seed=seed)
    return {"input_ids": ids, "attention_mask": mask, "max_new_tokens": 14}


def run(model, *, seed=0, **options):
    torch.manual_seed(seed)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="transformers")
        return model.generate(**{"do_sample": False} | options)


EXPECTED = {}


def theirs(**options):
    """What transformers answers, computed once for all stages."""
    key = str(options)
    if key not in EXPECTED:
        EXPECTED[key] = run(hf(), **options)
    return EXPECTED[key]


def assert_same(mine, right):
    """Tokens and beams are equal; scores and logits of every row and step, and of the sequences, are close."""
    assert type(mine) is type(right)
    assert mine.sequences.tolist() == right.sequences.tolist()
    if "beam_indices" in right:
        assert mine.beam_indices.tolist() == right.beam_indices.tolist()
        assert mine.beam_indices.dtype == right.beam_indices.dtype
        close(mine.sequences_scores, right.sequences_scores)
    for name in ("scores", "logits"):
        assert len(mine[name]) == len(right[name])
        close(torch.stack(mine[name]), torch.stack(right[name]))


def check(stage, **options):
    """One call in full; returns what transformers said."""
    options = batch_of() | RECORD | options
    right = theirs(**options)
    assert_same(run(ours(stage), **options), right)
    return right


def lengths_of(found):
    """New tokens of every sequence, up to and with its end."""
    return (found.beam_indices >= 0).sum(dim=1)


@every_stage
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("end", ENDS)
def test_widths(stage, width, end):
    check(stage, num_beams=width, num_return_sequences=width, **ENDS[end])


@pytest.mark.parametrize("end", ["often", "seldom", "several", "at once"])
def test_ends_do_end(end):
    found = theirs(**batch_of() | RECORD | {"num_beams": 4, "num_return_sequences": 4} | ENDS[end])
    lengths = lengths_of(found)
    assert lengths.min() < lengths.max(), "some beams of the best end early"
    assert (lengths.min() == 1) == (end == "at once")


@every_stage
@pytest.mark.parametrize(
    "lengths", [(1,), (6,), (3, 1, 9), (4, 4, 4), (1, 8, 2, 5, 5, 3, 7)], ids=str
)
@pytest.mark.parametrize("width", [2, 5])
def test_batches(stage, lengths, width):
    check(
        stage,
        **batch_of(lengths, seed=len(lengths)),
        num_beams=width,
        num_return_sequences=width,
        eos_token_id=17,
    )


@every_stage
@pytest.mark.parametrize("early_stopping", [True, False, "never"])
@pytest.mark.parametrize("length_penalty", [-2, -0.5, 0, 0.6, 1.0, 3.0])
def test_length_penalty_and_early_stopping(stage, length_penalty, early_stopping):
    how = {"length_penalty": length_penalty, "early_stopping": early_stopping}
    check(stage, num_beams=4, num_return_sequences=3, eos_token_id=MANY, **how)


def test_early_stopping_and_length_penalty_matter():
    options = (
        batch_of() | RECORD | {"num_beams": 4, "num_return_sequences": 3, "eos_token_id": MANY}
    )
    found = [
        theirs(**options, length_penalty=0.6, early_stopping=how) for how in (True, False, "never")
    ]
    assert len(found[0].scores) < len(found[1].scores) < len(found[2].scores)
    short, long = (theirs(**options, length_penalty=p, early_stopping=False) for p in (-2.0, 3.0))
    assert lengths_of(short).sum() < lengths_of(long).sum()


OPTIONS = {
    "one answer": {},
    "two answers": {"num_return_sequences": 2},
    "pad 0 counts as none": {"num_return_sequences": 4, "pad_token_id": 0},
    "another pad": {"num_return_sequences": 4, "pad_token_id": 9},
    "pad without an end": {"eos_token_id": None, "pad_token_id": 9},
    "pad 0 without an end": {"eos_token_id": None, "pad_token_id": 0},
    "one token": {"max_new_tokens": 1},
    "two tokens": {"max_new_tokens": 2},
    "whole length": {"max_new_tokens": None, "max_length": T + 5},
    "default length": {"max_new_tokens": None},
    "least length": {"min_new_tokens": 6},
    "least of the whole": {"min_length": T + 4},
    "least is most": {"min_new_tokens": 14},
    "penalty": {"repetition_penalty": 1.6},
    "reward": {"repetition_penalty": 0.7},
    "no pair twice": {"no_repeat_ngram_size": 2},
    "no token twice": {"no_repeat_ngram_size": 1, "repetition_penalty": 1.2, "min_new_tokens": 3},
    "no time": {"max_time": 1e-9},
}


@every_stage
@pytest.mark.parametrize("name", OPTIONS)
def test_options(stage, name):
    options = {"num_beams": 4, "num_return_sequences": 1, "eos_token_id": [OFTEN, 17]}
    check(stage, **options | OPTIONS[name])


class SomeStop(StoppingCriteria):
    """Ends every candidate whose new tokens add up to a multiple of `of`."""

    def __init__(self, of):
        self.of = of

    def __call__(self, input_ids, scores, **kwargs):
        return input_ids[:, T:].sum(dim=1) % self.of == 0


FAR = {"early_stopping": "never", "length_penalty": 0.5}
CUSTOM = {
    "processor": {"logits_processor": [AddOne()]},
    "processor after options": {
        "logits_processor": [AddOne()],
        "no_repeat_ngram_size": 2,
        "repetition_penalty": 1.3,
    },
    "some candidates end": {"stopping_criteria": [SomeStop(5)]},
    "most candidates end": {"stopping_criteria": [SomeStop(2)], "eos_token_id": None},
    "all candidates end": {
        "stopping_criteria": [SomeStop(1)],
        "early_stopping": "never",
        "length_penalty": 8.0,
    },
    "some end, never early": {"stopping_criteria": [SomeStop(4)]} | FAR,
    "shorter": {"stopping_criteria": [MaxLengthCriteria(T + 5)], "eos_token_id": None},
    "shorter, with ends": {
        "stopping_criteria": [MaxLengthCriteria(T + 5), SomeStop(7)],
        "eos_token_id": SEVERAL,
    },
    "shorter, never early": {"stopping_criteria": [MaxLengthCriteria(T + 9)], "eos_token_id": MANY}
    | FAR,
}


@every_stage
@pytest.mark.parametrize("name", CUSTOM)
def test_parts_of_the_callers_own(stage, name):
    check(
        stage, **{"num_beams": 3, "num_return_sequences": 3, "eos_token_id": SELDOM} | CUSTOM[name]
    )


@every_stage
@pytest.mark.parametrize("record", [{}, RECORD], ids=["plain", "record"])
def test_what_a_criterion_is_shown(stage, record):
    seen = [SeesScores(), SeesScores()]
    for model, criterion in zip((hf(), ours(stage)), seen, strict=True):
        run(
            model,
            **batch_of(),
            **record,
            num_beams=3,
            eos_token_id=OFTEN,
            stopping_criteria=[criterion],
        )
    assert seen[0].seen == seen[1].seen


@every_stage
@pytest.mark.parametrize("several", [False, True])
def test_stop_strings(stage, several, tokenizer):
    """A prompt and two tokens that a beam of it says one after the other."""
    batch = batch_of((5,)) | {"num_beams": 4, "num_return_sequences": 4, "tokenizer": tokenizer}
    free = theirs(**batch)
    text = tokenizer.decode(free[1, 5 + 4 : 5 + 6])
    options = {
        "stop_strings": [text, "zzzzz"] if several else text,
        "length_penalty": -1.0,
        "eos_token_id": 60,
    }
    found = check(stage, **batch, **options)
    assert lengths_of(found).min() < 14


@every_stage
@pytest.mark.parametrize("end", ["never", "several"])
def test_plain_result_is_the_sequences(stage, end):
    options = batch_of() | {"num_beams": 4, "num_return_sequences": 2} | ENDS[end]
    plain = run(ours(stage), **options)
    assert (
        plain.tolist()
        == theirs(**options).tolist()
        == theirs(**options, **RECORD).sequences.tolist()
    )


@pytest.mark.parametrize("kept", [(), ("output_scores",), ("output_logits",)], ids=str)
def test_only_what_is_asked_for_is_kept(kept):
    options = (
        batch_of() | {"num_beams": 3, "return_dict_in_generate": True} | dict.fromkeys(kept, True)
    )
    mine, right = run(ours("segment"), **options), theirs(**options)
    assert set(mine) == set(right)
    assert [name for name in mine if mine[name] is None] == [
        name for name in right if right[name] is None
    ]


@every_stage
@pytest.mark.parametrize("length_penalty", [-1.0, 0.0, 1.0, 2.0])
def test_scores_along_the_beams_add_up_to_the_sequences_score(stage, length_penalty):
    options = {
        "num_beams": 4,
        "num_return_sequences": 4,
        "eos_token_id": SEVERAL,
        "repetition_penalty": 1.2,
    }
    found = run(
        ours(stage),
        **batch_of(),
        **RECORD,
        **options,
        early_stopping=True,
        length_penalty=length_penalty,
    )
    steps = hf().compute_transition_scores(found.sequences, found.scores, found.beam_indices)
    close(steps.sum(dim=1), found.sequences_scores * lengths_of(found) ** length_penalty)
    assert len(set(lengths_of(found).tolist())) > 1


SAMPLING = {
    "nothing said": {},
    "hot": {"temperature": 3.0, "top_k": 0},
    "narrow": {"temperature": 0.7, "top_k": 20, "top_p": 0.98},
    "ends": {"eos_token_id": SEVERAL, "temperature": 1.5, "length_penalty": 0.3},
    "ends early": {
        "eos_token_id": SEVERAL,
        "early_stopping": True,
        "min_new_tokens": 2,
        "pad_token_id": 5,
    },
}


@every_stage
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", SAMPLING)
def test_beam_sampling_with_the_same_seed(stage, name, seed):
    options = SAMPLING[name] | {"do_sample": True, "num_beams": 4, "num_return_sequences": 3}
    right = check(stage, **options, seed=seed)
    assert right.sequences.tolist() != check(stage, **options, seed=seed + 7).sequences.tolist()


@pytest.mark.parametrize("name, value", [("length_penalty", 2.0), ("early_stopping", True)])
def test_options_of_beams_without_beams(name, value):
    with pytest.warns(UserWarning, match=f"{name} has no effect without num_beams of 2 or more"):
        ours("segment").generate(**batch_of(), **{name: value})


@st.composite
def calls(draw, vocab):
    """Options of one call, any together."""
    width = draw(st.integers(2, 7))
    ends = draw(st.lists(st.integers(0, vocab - 1), max_size=4, unique=True))
    new = draw(st.integers(1, 10))
    return {
        "num_beams": width,
        "num_return_sequences": draw(st.integers(1, width)),
        "max_new_tokens": new,
        "min_new_tokens": draw(st.integers(0, new)),
        "eos_token_id": ends or None,
        "pad_token_id": draw(st.none() | st.integers(0, vocab - 1)),
        "length_penalty": draw(st.sampled_from([-1.3, 0.0, 0.4, 1.0, 2.5])),
        "early_stopping": draw(st.sampled_from([True, False, "never"])),
        "repetition_penalty": draw(st.sampled_from([None, 0.8, 1.4])),
        "no_repeat_ngram_size": draw(st.sampled_from([None, 2])),
    }


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    data=st.data(),
    model=models.drawn(),
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=5),
)
def test_any_model_any_call(data, model, lengths):
    ids, mask = models.ragged(model.config.vocab_size, lengths, seed=data.draw(st.integers(0, 99)))
    options = {
        "input_ids": ids,
        "attention_mask": mask,
        **RECORD,
        **data.draw(calls(model.config.vocab_size)),
    }
    right = run(model, **options)
    for stage in tinyllm.STAGES:
        mine = run(tinyllm.optimize(model, stage=stage), **options)
        assert mine.sequences.tolist() == right.sequences.tolist(), stage
        assert mine.beam_indices.tolist() == right.beam_indices.tolist(), stage


def test_recorded_table_of_identity():
    """Every stage, width and batch is in it, and none differs: `python book/identity.py` makes it."""
    path = Path(__file__).parents[2] / "book" / "results" / "identity.json"
    rows = json.loads(path.read_text())
    found = [(row["model"], row["stage"], row["width"], row["batch"]) for row in rows]
    names = {name for name, *_ in found}
    assert len(names) == 3
    widths = (1, 2, 3, 4, 5, 8, 16)
    assert sorted(found) == sorted(
        (m, s, w, b) for m in names for s in tinyllm.STAGES for w in widths for b in (1, 7)
    )
    assert all(row["identical"] and row["first_difference"] is None for row in rows)
    for name in names:
        ended = [
            row["ended"] / (row["width"] * row["batch"]) for row in rows if row["model"] == name
        ]
        assert 0 < sum(ended) < len(ended), "some end, some do not"
