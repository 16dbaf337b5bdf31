"""Scores of continuations equal sums of transformers' log-probabilities; answers end before a stop string."""

import copy
from functools import cache

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import models
import tinyllm
from tinyllm.cache.segment import SegmentCache
from tinyllm.evaluation import Pair, answer_until, pad, score_pairs

every_stage = pytest.mark.parametrize("stage", tinyllm.STAGES)
CONTEXT, VOCAB = 64, 61
tokens = st.lists(st.integers(0, VOCAB - 1), min_size=1, max_size=9).map(tuple)


def text(seed, length):
    return tuple(models.ragged(VOCAB, (length,), seed=seed)[0][0].tolist())


@cache
def family(kind):
    return models.tiny(kind, max_position_embeddings=CONTEXT, seq_length=CONTEXT)


@cache
def expected(hf, pair):
    """The sum of the log-probabilities of a continuation, and whether it is greedy: one pass of transformers."""
    ids = torch.tensor([pair.context + pair.continuation])[:, -(CONTEXT + 1) :]
    logits = models.logits_of(hf, ids[:, :-1])[0, -len(pair.continuation) :]
    chosen = torch.tensor(pair.continuation)
    log_probs = logits.log_softmax(-1).gather(1, chosen[:, None])
    return float(log_probs.sum()), bool((logits.argmax(-1) == chosen).all())


@cache
def greedy(hf, context, length):
    ids = torch.tensor([context])
    out = hf.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=length)
    return tuple(out[0, len(context) :].tolist())


def check(hf, model, pairs, **options):
    found = score_pairs(model, pairs, **options)
    for score, pair in zip(found, pairs, strict=True):
        log_likelihood, is_greedy = expected(hf, pair)
        assert score.log_likelihood == pytest.approx(log_likelihood, rel=1e-4, abs=1e-4)
        assert score.is_greedy == is_greedy
    return found


def questions(hf):
    """Contexts of several lengths, each with continuations of several lengths; single texts; what is cut off."""
    shared = [text(seed, 5 + 7 * seed) for seed in range(4)]
    pairs = [
        Pair(context, text(10 + i, 1 + i % 4))
        for context in shared
        for i in range(len(context) % 5)
    ]
    pairs += [Pair(context, greedy(hf, context, 3)) for context in shared]
    pairs += [Pair(text(20 + i, 1 + i), text(30 + i, 2 + 3 * i)) for i in range(5)]
    pairs += [Pair(text(40, 80), text(41, i)) for i in (3, 3, 8)]
    pairs += [Pair(text(42, 1), text(43, CONTEXT)), pairs[0], pairs[5]]
    return pairs


@every_stage
@pytest.mark.parametrize("kind", ["llama", "gemma3_text", "gptj", "bloom", "opt"])
def test_scores_are_sums_of_log_probabilities(kind, stage):
    hf = family(kind)
    model = tinyllm.optimize(hf, stage=stage)
    pairs = questions(hf)
    if model.config.max_position_embeddings != CONTEXT:
        pairs = [pair for pair in pairs if sum(map(len, pair)) <= CONTEXT]
    for size in (1, 3, 64):
        found = check(hf, model, pairs, batch_size=size)
        assert {score.is_greedy for score in found} == {True, False}


@pytest.fixture(scope="module")
def pair_of_models():
    hf = models.tiny(max_position_embeddings=CONTEXT)
    return hf, tinyllm.optimize(hf)


@given(
    pairs=st.lists(st.tuples(tokens, tokens), min_size=1, max_size=8),
    shared=st.lists(tokens, max_size=5),
    size=st.integers(1, 9),
)
@settings(max_examples=25, deadline=None)
def test_any_pairs(pair_of_models, pairs, shared, size):
    pairs = [Pair(*pair) for pair in pairs]
    pairs += [Pair(pairs[0].context * 3, continuation) for continuation in shared]
    check(*pair_of_models, pairs, batch_size=size)


@every_stage
def test_several_contexts_with_as_many_choices(stage):
    """They are one batch: contexts of several lengths, padded on the left."""
    hf = models.tiny()
    model = tinyllm.optimize(hf, stage=stage)
    pairs = [Pair(text(i, 20 + i), text(9 + j, 1 + j)) for i in range(4) for j in range(3)]
    check(hf, model, pairs, batch_size=12)
    if model.stage.cache is SegmentCache:
        assert read_tokens(model, pairs, batch_size=12) == 4 * 23 + 12 * 2


def read_tokens(model, pairs, **options):
    """How many tokens went through the first layer."""
    counts = []
    hook = model.layers[0].register_forward_hook(lambda _, args, __: counts.append(args[0].numel()))
    score_pairs(model, pairs, **options)
    hook.remove()
    return sum(counts) // model.config.hidden_size


def test_a_shared_context_is_computed_once():
    model = tinyllm.optimize(models.tiny())
    context = text(0, 40)
    pairs = [Pair(context, text(i, 3)) for i in range(1, 5)]
    assert read_tokens(model, pairs) == 40 + 4 * 2
    assert read_tokens(model, pairs, batch_size=2) == 2 * (40 + 2 * 2)
    assert read_tokens(model, pairs[:1]) == 40 + 2
    assert read_tokens(model, pairs[:1] * 3) == 40 + 2, "equal pairs are one"
    short = [Pair(context[:2], text(i, 30)) for i in range(4)]
    assert read_tokens(model, short) == 4 * (2 + 29), "one pass for each long continuation"


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        (Pair((), (1,)), "context has 0 tokens, continuation 1: expected at least one of each"),
        (Pair((1,), ()), "context has 1 tokens, continuation 0: expected at least one of each"),
        (
            Pair((1,), (2,) * 65),
            "continuation has 65 tokens: expected at most 64, the context of this model",
        ),
    ],
)
def test_pairs_that_cannot_be_scored(pair, message):
    model = tinyllm.optimize(models.tiny())
    models.says(ValueError, message, lambda: score_pairs(model, [pair]))


def test_padding():
    ids, mask = pad([[1, 2, 3], [4]], torch.device("cpu"), side="left")
    assert ids.tolist() == [[1, 2, 3], [0, 0, 4]] and mask.tolist() == [[1, 1, 1], [0, 0, 1]]
    ids, mask = pad([[1, 2], [4]], torch.device("cpu"), side="right")
    assert ids.tolist() == [[1, 2], [4, 0]] and mask.tolist() == [[1, 1], [1, 0]]
    assert pad([[1], [2]], torch.device("cpu"), side="left").mask is None


def letters():
    """Tokens of letters, the last of which ends a text: no model here generates it."""
    tokenizer = copy.deepcopy(models.letters())
    tokenizer.add_special_tokens({"eos_token": "<end>"})
    return tokenizer


PROMPTS = [text(50 + i, 3 + 2 * i) for i in range(4)]


def plain_answers(hf, new_tokens=12):
    return [models.letters().decode(greedy(hf, prompt, new_tokens)) for prompt in PROMPTS]


@every_stage
def test_answers_end_before_a_stop_string(stage):
    hf = family("llama")
    model = tinyllm.optimize(hf, stage=stage)
    plain = plain_answers(hf)
    for until in ([], [plain[0][5]], [plain[1][2:4], plain[2][7], ""]):
        found = answer_until(model, letters(), PROMPTS, until, max_new_tokens=12)
        expected = list(plain)
        for stop in filter(None, until):
            expected = [answer.split(stop)[0] for answer in expected]
        assert found == expected
        assert (found != plain) == bool(until)


def test_a_stop_string_that_begins_in_the_prompt_ends_nothing():
    hf = models.tiny()
    plain = plain_answers(hf)
    ends = models.letters().decode(PROMPTS[0][-1:]) + plain[0][0]
    model = tinyllm.optimize(hf)
    assert answer_until(model, letters(), PROMPTS[:1], [ends], max_new_tokens=12) == plain[:1]


def test_answers_are_not_generated_beyond_their_stop_string():
    hf = models.tiny()
    model = tinyllm.optimize(hf, stage="sdpa")
    calls = []
    hook = model.layers[0].register_forward_hook(lambda *_: calls.append(1))
    stop = plain_answers(hf)[0][:2]
    assert answer_until(model, letters(), PROMPTS[:1], [stop], max_new_tokens=12) == [""]
    hook.remove()
    assert len(calls) == 2


def test_long_prompts_are_cut_on_the_left():
    hf = models.tiny()
    model = tinyllm.optimize(hf)
    prompt = text(60, 100)
    assert answer_until(model, letters(), [prompt], [], max_new_tokens=12) == [
        models.letters().decode(greedy(hf, prompt[-52:], 12))
    ]
    message = "max_new_tokens=64: expected fewer than 64, the context of this model"
    models.says(
        ValueError,
        message,
        lambda: answer_until(model, letters(), [prompt], [], max_new_tokens=64),
    )
