"""Further turns of a conversation: what a cache holds is not computed again, and the answers are the same."""

import pytest
import torch

import models
import tinyllm
from covering import every_pair
from models import close, says
from tinyllm.cache.segment import SegmentCache
from tinyllm.lab.counters import observe_passes

VOCAB = 61
every_stage = pytest.mark.parametrize("stage", tinyllm.STAGES)
SEARCHES = {
    "greedy": {},
    "drawn": {"do_sample": True, "temperature": 1.5},
    "several": {"do_sample": True, "num_return_sequences": 3},
    "beams": {"num_beams": 3, "num_return_sequences": 2},
    "drawn beams": {"num_beams": 3, "do_sample": True},
}
BATCHES = {"one": [4], "two": [4, 4], "padded": [5, 2]}


@pytest.fixture(scope="module")
def hf():
    return models.tiny(seed=6, max_position_embeddings=160)


def shares_prompts(stage):
    return issubclass(tinyllm.STAGES[stage].cache, SegmentCache)


def seeded(model, *args, **options):
    torch.manual_seed(3)
    return model.generate(*args, **options)


def said(seed, rows, count=3):
    """What the user says next."""
    return torch.randint(0, VOCAB, (rows, count), generator=torch.Generator().manual_seed(seed))


def first_turn(model, lengths, **options):
    ids, mask = models.ragged(VOCAB, lengths)
    return model.generate(
        ids, mask, max_new_tokens=6, return_dict_in_generate=True, **options
    ), mask


def grown(mask, total):
    return torch.cat([mask, mask.new_ones(len(mask), total - mask.shape[1])], dim=1)


@every_pair(stage=tinyllm.STAGES, search=SEARCHES, batch=BATCHES)
def test_a_second_turn_is_a_fresh_call_on_the_whole_history(hf, stage, search, batch):
    model, lengths = tinyllm.optimize(hf, stage=stage), BATCHES[batch]
    first, mask = first_turn(model, lengths)
    history = torch.cat([first.sequences, said(1, len(lengths))], dim=1)
    mask, options = grown(mask, history.shape[1]), {"max_new_tokens": 6, **SEARCHES[search]}
    expected = seeded(model, history, mask, **options)
    held, copies = (
        first.past_key_values.length,
        max(options.get("num_beams", 1), options.get("num_return_sequences", 1)),
    )
    assert (
        held == first.sequences.shape[1] - 1
    )  # the last token of an answer has never been looked at
    with observe_passes(model) as passes:
        assert (
            seeded(model, history, mask, past_key_values=first.past_key_values, **options).tolist()
            == expected.tolist()
        )
    new, shares = history.shape[1] - held, shares_prompts(stage)
    assert passes[0].tokens == len(lengths) * new * (1 if shares else copies)
    assert {p.tokens for p in passes[1:]} == {len(lengths) * copies}


@every_stage
def test_many_turns(hf, stage):
    model = tinyllm.optimize(hf, stage=stage)
    out, mask = first_turn(model, [5, 2])
    for turn in range(6):
        history = torch.cat([out.sequences, said(turn, 2, 1 + turn)], dim=1)
        options = {
            "max_new_tokens": 1 + 4 * turn,
            "return_dict_in_generate": True,
            "output_logits": True,
        }
        mask, cache = grown(mask, history.shape[1]), out.past_key_values
        name = "cache" if turn % 2 else "past_key_values"
        fresh = model.generate(history, mask, **options)
        out = model.generate(history, mask, **{name: cache}, **options)
        assert out.sequences.tolist() == fresh.sequences.tolist()
        assert out.past_key_values is cache
        close(torch.stack(out.logits), torch.stack(fresh.logits))


def test_two_caches_are_refused(hf):
    model = tinyllm.optimize(hf)
    first, _ = first_turn(model, [4])
    kept = first.past_key_values
    message = r"^cache and past_key_values are both given: expected one"
    with pytest.raises(ValueError, match=message):
        model.generate(first.sequences, cache=kept, past_key_values=kept)


@every_stage
def test_a_cache_that_does_not_fit_is_refused_before_any_work(hf, stage):
    model = tinyllm.optimize(hf, stage=stage)
    kind, other = model.stage.cache.__name__, "naive" if shares_prompts(stage) else "segment"
    first, _ = first_turn(model, [4, 4])
    history, cache = torch.cat([first.sequences, said(1, 2)], dim=1), first.past_key_values
    elsewhere, _ = first_turn(tinyllm.optimize(hf, stage=other), [4, 4])
    wrong = type(elsewhere.past_key_values).__name__
    refused = {
        (
            TypeError,
            f"past_key_values is a {wrong}: expected the {kind} of an earlier answer's output",
        ): (
            history,
            elsewhere.past_key_values,
        ),
        (
            TypeError,
            f"past_key_values is a tuple: expected the {kind} of an earlier answer's output",
        ): (history, ()),
        (
            ValueError,
            "past_key_values holds 2 sequences: expected 1, one for each row of input_ids",
        ): (
            history[:1],
            cache,
        ),
        (
            ValueError,
            "past_key_values holds 9 tokens of 9 in input_ids: expected fewer, at least one is new",
        ): (
            history[:, :9],
            cache,
        ),
    }
    for (error, message), (ids, given) in refused.items():
        says(
            error, message, lambda ids=ids, given=given: model.generate(ids, past_key_values=given)
        )
    again = model.generate(history, past_key_values=cache, max_new_tokens=5)
    assert again.tolist() == model.generate(history, max_new_tokens=5).tolist()


@every_stage
def test_a_cache_of_several_sequences_to_a_prompt_is_refused(hf, stage):
    model = tinyllm.optimize(hf, stage=stage)
    first, _ = first_turn(model, [4], num_beams=3)
    message = "past_key_values holds 3 sequences: expected 1, one for each row of input_ids"
    if shares_prompts(stage):
        message = (
            "past_key_values holds 3 sequences of each prompt: expected one, of greedy decoding or a single sample; "
            "pass the whole text without it"
        )
    says(
        ValueError,
        message,
        lambda: model.generate(first.sequences, past_key_values=first.past_key_values),
    )


def test_a_prompt_for_several_sequences_comes_in_pieces_but_not_after_their_tokens(hf):
    model, ids = tinyllm.optimize(hf, stage="segment"), said(0, 1, 9)
    cache, whole = model.new_cache(1, 3), model.new_cache(1, 3)
    model.step(ids[:, :4], None, cache)
    close(model.step(ids[:, 4:], None, cache), model.step(ids, None, whole))
    tokens = torch.tensor([[7, 8, 9]])
    close(model.step(tokens, None, cache), model.step(tokens, None, whole))
    message = "3 sequences share a prompt: expected one that the next turn goes on from"
    says(ValueError, message, lambda: model.step(ids, None, cache))
