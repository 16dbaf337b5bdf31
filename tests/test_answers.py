"""The best of many answers: by log-probability, by vote, by a function of the caller."""

import math

import pytest
import torch

import models
import tinyllm
from models import says
from tinyllm.answers import Answer, Answers, final_answer

OPTIONS = {"max_new_tokens": 12, "eos_token_id": [3, 9, 11, 20, 31, 44], "pad_token_id": 1}


@pytest.fixture(scope="module")
def hf():
    return models.tiny(seed=4)


@pytest.fixture
def model(hf):
    model = tinyllm.optimize(hf)
    model.tokenizer = models.letters()
    return model


def seeded(act):
    torch.manual_seed(6)
    return act()


def test_the_mean_logprob_is_that_of_transformers(hf, model):
    ids = torch.tensor([[5, 6, 7]])
    result = seeded(lambda: tinyllm.best_of(model, ids, 9, **OPTIONS))
    theirs = seeded(
        lambda: hf.generate(
            ids,
            do_sample=True,
            num_return_sequences=9,
            return_dict_in_generate=True,
            output_scores=True,
            **OPTIONS,
        )
    )
    logprobs = hf.compute_transition_scores(theirs.sequences, theirs.scores, normalize_logits=True)
    for answer, row, right in zip(result.answers, theirs.sequences, logprobs, strict=True):
        n = len(answer.token_ids)
        assert answer.token_ids.tolist() == row[3 : 3 + n].tolist()
        assert n == 12 or answer.token_ids[-1] in torch.tensor(OPTIONS["eos_token_id"])
        assert answer.score == pytest.approx(right[:n].mean().item(), abs=1e-4)
    assert result.best.score == max(answer.score for answer in result.answers)


def test_a_vote_counts_equal_final_answers(model):
    first_letter = lambda text: text[:1] if text[:1].islower() else None  # noqa: E731
    result = seeded(
        lambda: tinyllm.best_of(model, "abc", 20, "vote", extract=first_letter, **OPTIONS)
    )
    finals = [answer.final for answer in result.answers]
    assert finals == [first_letter(answer.text) for answer in result.answers]
    assert None in finals
    for answer in result.answers:
        votes = 0 if answer.final is None else finals.count(answer.final)
        assert answer.score == votes / 20
    counts = {final: finals.count(final) for final in finals if final is not None}
    assert counts[result.best.final] == max(counts.values()) > 1


def test_a_function_scores_each_answer_when_it_ends(model):
    lengths = []

    def score(text):
        lengths.append(len(text))
        return -len(text)

    result = seeded(lambda: tinyllm.best_of(model, "abc", 9, score, **OPTIONS))
    assert lengths[0] < lengths[-1] and len(lengths) == 9
    assert len(result.best.text) == min(len(answer.text) for answer in result.answers)


def test_answers_that_do_not_fit_together_are_scored_too(model):
    everything = seeded(lambda: tinyllm.best_of(model, "abc", 30, len, **OPTIONS))
    prefills = []
    model.layers[0].register_forward_pre_hook(lambda layer, args: prefills.append(args[0].shape[1]))
    some = seeded(lambda: tinyllm.best_of(model, "abc", 30, len, memory_budget=60_000, **OPTIONS))
    assert max(prefills[1:]) < 30
    assert [a.text for a in some.answers] == [a.text for a in everything.answers]


def test_without_a_tokenizer_token_ids_are_answered(hf):
    model = tinyllm.optimize(hf)
    result = tinyllm.best_of(model, torch.tensor([[1, 2]]), 3, max_new_tokens=4)
    assert [answer.text for answer in result.answers] == [None] * 3
    assert len(result.best.token_ids) == 4
    message = (
        "the model has no tokenizer: expected token ids as prompt and score='logprob', or a model that has one; set "
        "model.tokenizer"
    )
    says(ValueError, message, lambda: tinyllm.best_of(model, "abc", 3))
    says(ValueError, message, lambda: tinyllm.best_of(model, torch.tensor([[1]]), 3, "vote"))


@pytest.mark.parametrize(
    ("text", "final"),
    [
        ("6 * 7 is 42.", "42"),
        ("It costs $1,234.50 in all", "1234.50"),
        ("so x = -3", "-3"),
        ("first line\n the answer is blue \n", "the answer is blue"),
        ("", None),
        (" \n", None),
    ],
)
def test_final_answers(text, final):
    assert final_answer(text) == final


def test_the_table_has_the_best_answer_first():
    token_ids = torch.ones(3, dtype=torch.int64)
    answers = [Answer(token_ids, text, score) for text, score in (("a\nb", 0.5), ("c" * 99, 2.0))]
    result = Answers(tuple(answers))
    assert result.best is answers[1]
    assert result.table() == [
        ("score", "tokens", "text"),
        ("2", "3", "c" * 59 + "…"),
        ("0.5", "3", "a b"),
    ]
    assert str(result).splitlines()[2] == "0.5    3       a b"
    vote = Answers((Answer(token_ids, "so 4", 1.0, "4"), Answer(token_ids, "", 0.0)))
    assert vote.table()[1] == ("1", "3", "4", "so 4")
    assert vote.table()[2] == ("0", "3", "-", "")


WRONG = {
    "model": (lambda m: (None, "a", 2), TypeError, "model is a NoneType: expected a model of"),
    "n": (lambda m: (m, "a", 0), ValueError, "n=0: expected a whole number of answers, 1 or more"),
    "n is true": (lambda m: (m, "a", True), ValueError, "n=True: expected a whole number"),
    "score": (lambda m: (m, "a", 2, "best"), ValueError, "score='best': expected one of"),
    "score of nothing": (lambda m: (m, "a", 2, None), ValueError, "score=None: expected one of"),
    "prompt": (lambda m: (m, ["a"], 2), TypeError, "prompt is a list: expected text or token ids"),
    "prompts": (
        lambda m: (m, torch.ones(2, 3, dtype=torch.int64), 2),
        ValueError,
        r"prompt has shape \[2, 3\]: expected token ids \[1, t\]",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_arguments_are_refused(model, name):
    arguments, kind, message = WRONG[name]
    with pytest.raises(kind, match=message):
        tinyllm.best_of(*arguments(model))


@pytest.mark.parametrize("name", ["num_beams", "num_return_sequences", "return_dict_in_generate"])
def test_options_that_it_sets_itself_are_refused(model, name):
    message = f"{name}=2: best_of samples n=3 answers and reads each of them; leave {name} out"
    says(ValueError, message, lambda: tinyllm.best_of(model, "a", 3, **{name: 2}))


def test_an_extractor_without_a_vote_is_refused(model):
    with pytest.raises(ValueError, match="expected a function of a text, with score='vote'"):
        tinyllm.best_of(model, "a", 3, extract=len)


@pytest.mark.parametrize("returned", [None, "high", math.nan])
def test_a_score_that_is_no_number_is_refused(model, returned):
    with pytest.raises(ValueError, match="expected a number, higher for a better answer"):
        tinyllm.best_of(model, "a", 3, lambda text: returned, max_new_tokens=2)


def test_wrong_options_are_refused_by_generate(model):
    with pytest.raises(TypeError, match="temprature"):
        tinyllm.best_of(model, "a", 3, temprature=1.0)
    with pytest.raises(ValueError, match="greedy decoding has one answer only"):
        tinyllm.best_of(model, "a", 3, do_sample=False)
    assert len(tinyllm.best_of(model, "a", 1, do_sample=False, max_new_tokens=2).answers) == 1
