"""Every option that changes scores or tokens, against transformers: alone, greedy, in beams and sampled.

Each value is one that changes transformers' own answer, so that an option without effect is found.
"""

from functools import cache

import pytest
import torch
from transformers import MinLengthLogitsProcessor, WatermarkingConfig

import models
import tinyllm
from tinyllm.generation.criteria import EndTokens
from tinyllm.generation.logits import MinLength

IDS, MASK = models.ragged(61, (6, 3), seed=4)
ONE_TOKEN = torch.tensor([[5], [9]])
NEW_TOKENS = 8
WAYS = {
    "greedy": {},
    "beams": {"num_beams": 3},
    "sampled": {"do_sample": True, "temperature": 1.5},
    "sampled beams": {"do_sample": True, "num_beams": 3},
}


@cache
def model_pair():
    """transformers' model, and ours in the first and the last stage."""
    hf = models.tiny(seed=7)
    return hf, [tinyllm.optimize(hf, stage=stage) for stage in ("naive", "final")]


def answer(model, ids=IDS, mask=MASK, **options):
    """Sequences, with the same random numbers every time."""
    torch.manual_seed(11)
    options = {"max_new_tokens": NEW_TOKENS} | options
    return model.generate(ids, attention_mask=mask, **options).tolist()


def chosen(way):
    """The new tokens of transformers' answer without the option: those that it has to change."""
    plain = answer(model_pair()[0], **WAYS[way])
    return sorted({token for row in plain for token in row[IDS.shape[1] :]})


def even_tokens(batch_id, ids):
    return list(range(int(batch_id) % 2, 61, 2))


# Options by name; a value may depend on the tokens of the answer without the option.
OPTIONS = {
    "repetition_penalty": lambda tokens: 4.0,
    "encoder_repetition_penalty": lambda tokens: 50.0,
    "no_repeat_ngram_size": lambda tokens: 1,
    "bad_words_ids": lambda tokens: [[token] for token in tokens[::2]] + [tokens[:2]],
    "sequence_bias": lambda tokens: {(token,): -9.0 for token in tokens[::2]},
    "suppress_tokens": lambda tokens: tokens[::2],
    "begin_suppress_tokens": lambda tokens: tokens,
    "forced_eos_token_id": lambda tokens: 60,
    "prefix_allowed_tokens_fn": lambda tokens: even_tokens,
    "watermarking_config": lambda tokens: WatermarkingConfig(bias=8.0, context_width=1),
}
SAMPLING = {
    "temperature": 4.0,
    "top_k": 3,
    "top_p": 0.3,
    "min_p": 0.5,
    "top_h": 0.2,
    "typical_p": 0.2,
    "epsilon_cutoff": 0.03,
    "eta_cutoff": 0.5,
}


def same_and_changed(way, plain=None, **options):
    """The option changes transformers' answer, and ours is the same in the first and the last stage."""
    hf, ours = model_pair()
    before = plain or answer(hf, **WAYS[way])
    expected = answer(hf, **WAYS[way] | options)
    assert expected != before
    for model in ours:
        assert answer(model, **WAYS[way] | options) == expected


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", OPTIONS)
def test_option(name, way):
    tokens = chosen(way)
    same_and_changed(way, **{name: OPTIONS[name](tokens)})


@pytest.mark.parametrize("way", ["sampled", "sampled beams"])
@pytest.mark.parametrize("name", SAMPLING)
def test_option_of_sampling(name, way):
    same_and_changed(way, **{name: SAMPLING[name]})


@pytest.mark.parametrize("way", WAYS)
def test_tokens_of_the_prompt_are_not_repeated(way):
    most_tokens = {
        "ids": torch.arange(40).repeat(2, 1),
        "mask": torch.ones(2, 40, dtype=torch.int64),
    }
    plain = answer(model_pair()[0], **most_tokens, **WAYS[way])
    same_and_changed(way, plain, **most_tokens, encoder_no_repeat_ngram_size=1)


@pytest.mark.parametrize("way", WAYS)
def test_first_token_is_forced(way):
    hf, _ = model_pair()
    mask = torch.ones_like(ONE_TOKEN)
    plain = answer(hf, ids=ONE_TOKEN, mask=mask, **WAYS[way])
    same_and_changed(way, plain, ids=ONE_TOKEN, mask=mask, forced_bos_token_id=42)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "option", [{"min_new_tokens": 6}, {"exponential_decay_length_penalty": (1, 3.0)}], ids=str
)
def test_options_about_ends(way, option):
    ends = {"eos_token_id": chosen(way)[:2], "pad_token_id": 0, "max_new_tokens": 12}
    plain = answer(model_pair()[0], **WAYS[way] | ends)
    same_and_changed(way, plain, **ends | option)


def test_renormalized_scores():
    hf, ours = model_pair()
    options = {"renormalize_logits": True, "output_scores": True, "return_dict_in_generate": True}
    expected = hf.generate(IDS, attention_mask=MASK, max_new_tokens=3, **options).scores
    assert all(row.exp().sum() == pytest.approx(1) for row in torch.cat(expected))
    for model in ours:
        models.close(model.generate(IDS, MASK, max_new_tokens=3, **options).scores, expected)


def test_invalid_values_are_removed():
    hf = models.tiny(seed=7, tie_word_embeddings=False)
    hf.lm_head.weight.data[3] = torch.inf
    expected = answer(hf, remove_invalid_values=True)
    assert expected != answer(hf)
    for stage in ("naive", "final"):
        model = tinyllm.optimize(hf, stage=stage)
        assert answer(model, remove_invalid_values=True) == expected


@pytest.mark.parametrize("ends", [[3], [0, 6, 3], [-1], [7, 2], [-2, 9]])
@pytest.mark.parametrize("held", [4, 5, 6])
def test_least_length_as_in_transformers(ends, held):
    """End tokens that the vocabulary of 7 does not have are never chosen anyway."""
    eos = torch.tensor(ends)
    ids = torch.zeros(2, held, dtype=torch.int64)
    scores = torch.randn(2, 7)
    right = MinLengthLogitsProcessor(5, eos)(ids, scores)
    assert torch.equal(MinLength(5, eos, vocab_size=7)(ids, scores), right)
    order = scores.argsort()
    assert torch.equal(EndTokens(eos)(order, None), torch.isin(order[:, -1], eos))
