"""A cache that comes back: it is of this model and of these tokens, and its copies go on independently."""

import copy
import itertools
import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import models
import tinyllm
from tinyllm.model import restage

VOCAB = 61
NEW = 4
every_stage = pytest.mark.parametrize("stage", tinyllm.STAGES)
BATCHES = {"one": [5], "even": [4, 4], "padded": [6, 3]}
COPIES = {
    "deepcopy": copy.deepcopy,
    "copy": copy.copy,
    "pickle": lambda cache: pickle.loads(pickle.dumps(cache)),
}


@pytest.fixture(scope="module")
def hf():
    return models.tiny(seed=6, max_position_embeddings=160)


def first_turn(model, lengths, **options):
    ids, mask = models.ragged(VOCAB, lengths)
    return model.generate(
        ids, mask, max_new_tokens=NEW, return_dict_in_generate=True, **options
    ), mask


def question(out, mask, seed, count=2):
    """The text with another question behind it, and its mask."""
    generator = torch.Generator().manual_seed(seed)
    more = torch.randint(0, VOCAB, (len(mask), count), generator=generator)
    ids = torch.cat([out.sequences, more], dim=1)
    ones = mask.new_ones(len(mask), ids.shape[1] - mask.shape[1])
    return ids, torch.cat([mask, ones], dim=1)


def going_on(model, text, cache, **options):
    return model.generate(*text, past_key_values=cache, max_new_tokens=NEW, **options)


def refused(model, text, cache, *words):
    with pytest.raises(ValueError, match=r"^past_key_values holds ") as error:
        going_on(model, text, cache)
    assert all(word in str(error.value) for word in words), str(error.value)


@every_stage
@pytest.mark.parametrize("way", COPIES)
@pytest.mark.parametrize("lengths", BATCHES.values(), ids=BATCHES)
def test_copies_of_a_cache_go_on_independently(hf, stage, way, lengths):
    model = tinyllm.optimize(hf, stage=stage)
    out, mask = first_turn(model, lengths)
    texts = [question(out, mask, seed) for seed in range(3)]
    expected = [hf.generate(ids, attention_mask=m, max_new_tokens=NEW).tolist() for ids, m in texts]
    caches = [COPIES[way](out.past_key_values) for _ in texts]
    for text, cache, answer in zip(texts, caches, expected, strict=True):
        assert going_on(model, text, cache).tolist() == answer
    assert going_on(model, texts[0], out.past_key_values).tolist() == expected[0]


@every_stage
def test_copies_go_on_token_by_token_beside_each_other(hf, stage):
    """Each copy takes its turn: no step of one is seen by the others."""
    model = tinyllm.optimize(hf, stage=stage)
    step = model.stage.runner.step(model)
    ids, mask = models.ragged(VOCAB, [6, 3])
    cache = model.new_cache(2)
    step(ids, mask, cache)
    step(ids[:, :1], None, cache)
    branches = [make(cache) for make in COPIES.values()]
    texts = [torch.cat([ids, ids[:, :1]], dim=1) for _ in branches]
    mask = torch.cat([mask, mask.new_ones(2, 1)], dim=1)
    for turn in range(3):
        mask = torch.cat([mask, mask.new_ones(2, 1)], dim=1)
        for number, branch in enumerate(branches):
            token = torch.full((2, 1), 7 * number + turn + 1)
            texts[number] = torch.cat([texts[number], token], dim=1)
            logits = step(token, None, branch).float()
            models.close(logits, models.logits_of(hf, texts[number], mask)[:, -1])


@every_stage
@pytest.mark.parametrize("way", COPIES)
def test_a_cache_of_beams_can_be_copied(hf, stage, way):
    model = tinyllm.optimize(hf, stage=stage)
    ids, mask = models.ragged(VOCAB, [6, 3])
    cache = model.new_cache(2, 3, 8)
    copies = cache.copies
    rows = 3 // copies
    step = model.stage.runner.step(model)
    step(ids.repeat_interleave(rows, 0), mask.repeat_interleave(rows, 0), cache)
    step(torch.arange(6).view(-1, copies), None, cache)
    twin = COPIES[way](cache)
    token = torch.arange(10, 16).view(-1, copies)
    first, second = torch.tensor([1, 1, 0, 5, 4, 4]), torch.tensor([2, 0, 1, 3, 3, 5])
    logits = {}
    for name, kept, order in (("cache", cache, first), ("twin", twin, second)):
        kept.reorder(order)
        logits[name] = step(token, None, kept)
    for name, order in (("cache", first), ("twin", second)):
        text = torch.cat([ids.repeat_interleave(3, 0), torch.arange(6)[:, None]], dim=1)[order]
        text = torch.cat([text, torch.arange(10, 16)[:, None]], dim=1)
        whole = torch.cat([mask.repeat_interleave(3, 0), mask.new_ones(6, 2)], dim=1)
        models.close(logits[name].float(), models.logits_of(hf, text, whole)[:, -1])


@every_stage
def test_a_copied_model_takes_the_cache_and_its_copies(hf, stage):
    model = tinyllm.optimize(hf, stage=stage)
    out, mask = first_turn(model, [6, 3])
    text = question(out, mask, 1)
    expected = hf.generate(text[0], attention_mask=text[1], max_new_tokens=NEW).tolist()
    together = copy.deepcopy((model, out.past_key_values))
    pickled = pickle.loads(pickle.dumps((model, out.past_key_values)))
    anew = tinyllm.optimize(copy.deepcopy(hf), stage=stage), copy.copy(out.past_key_values)
    other = restage(model, tinyllm.STAGES[stage]), copy.copy(out.past_key_values)
    for twin, cache in (together, pickled, anew, other):
        assert going_on(twin, text, cache).tolist() == expected


@every_stage
def test_a_cache_of_another_model_is_refused(hf, stage):
    model = tinyllm.optimize(hf, stage=stage)
    out, mask = first_turn(model, [6, 3])
    text = question(out, mask, 1)
    other = models.tiny(seed=7, max_position_embeddings=160)
    refused(tinyllm.optimize(other, stage=stage), text, out.past_key_values, "another model")
    changed = copy.deepcopy(model)
    changed.norm.weight.data.mul_(2)
    refused(changed, text, copy.copy(out.past_key_values), "another model")
    for kind in (torch.bfloat16, torch.float16):
        narrow = copy.deepcopy(model).to(kind)
        refused(narrow, text, copy.copy(out.past_key_values), f"expected {kind}, the format")
    expected = hf.generate(text[0], attention_mask=text[1], max_new_tokens=NEW).tolist()
    assert going_on(model, text, out.past_key_values).tolist() == expected


@every_stage
@pytest.mark.parametrize("formats", [*itertools.permutations((torch.float32, torch.float16))])
def test_a_cache_in_another_format_is_refused(stage, formats):
    """One that no answer has filled too, of which neither text nor weights are known."""
    model = tinyllm.optimize(models.tiny().to(formats[0]), stage=stage)
    cache = model.new_cache(1)
    model.step(torch.ones(1, 4, dtype=torch.int64), None, cache)
    text = torch.ones(1, 6, dtype=torch.int64), None
    going_on(model, text, copy.copy(cache))
    refused(model.to(formats[1]), text, cache, f"in {formats[0]}: expected {formats[1]}")


@every_stage
@given(row=st.integers(0, 1), column=st.integers(0, 8), by=st.integers(1, VOCAB - 1))
@settings(max_examples=12, deadline=None)
def test_a_cache_of_other_tokens_is_refused(hf, stage, row, column, by):
    model = tinyllm.optimize(hf, stage=stage)
    out, mask = first_turn(model, [6, 3])
    held = out.past_key_values.length
    ids, mask = question(out, mask, 1)
    expected = going_on(model, (ids, mask), copy.copy(out.past_key_values)).tolist()
    ids[row, column] = (ids[row, column] + by) % VOCAB
    if column < held and mask[row, column]:
        place = f"other tokens than input_ids in row {row}, column {column}"
        refused(model, (ids, mask), out.past_key_values, place)
    else:  # padding is nothing that a cache holds
        answer = going_on(model, (ids, mask), out.past_key_values)
        assert column >= held or answer[:, ids.shape[1] :].tolist() == [
            x[ids.shape[1] :] for x in expected
        ]


@every_stage
def test_a_cache_of_other_padding_is_refused(hf, stage):
    model = tinyllm.optimize(hf, stage=stage)
    out, mask = first_turn(model, [6, 3])
    ids, mask = question(out, mask, 1)
    other = mask.clone()
    other[1, 2] = 1 - other[1, 2]
    refused(model, (ids, other), out.past_key_values, "other padding", "row 1, column 2")
    refused(model, (ids, None), out.past_key_values, "other padding", "row 1, column 0")
    whole, plain = first_turn(model, [5, 5])
    ids, grown = question(whole, plain, 1)
    assert going_on(model, (ids, None), copy.copy(whole.past_key_values)).tolist() == (
        going_on(model, (ids, grown), whole.past_key_values).tolist()
    )


@every_stage
def test_later_turns_know_all_of_the_text(hf, stage):
    model = tinyllm.optimize(hf, stage=stage)
    out, mask = first_turn(model, [6, 3])
    for turn in range(3):
        ids, mask = question(out, mask, turn)
        out = going_on(model, (ids, mask), out.past_key_values, return_dict_in_generate=True)
    ids, mask = question(out, mask, 9)
    expected = hf.generate(ids, attention_mask=mask, max_new_tokens=NEW).tolist()
    assert going_on(model, (ids, mask), copy.copy(out.past_key_values)).tolist() == expected
    ids[0, out.past_key_values.length - 1] += 1
    ids %= VOCAB
    refused(model, (ids, mask), out.past_key_values, "other tokens")


@every_stage
def test_samples_of_a_prompt_know_their_texts(hf, stage):
    model = tinyllm.optimize(hf, stage=stage)
    torch.manual_seed(0)
    out, mask = first_turn(model, [6, 3], do_sample=True, num_return_sequences=2)
    text = question(out, mask.repeat_interleave(2, dim=0), 1)
    if out.past_key_values.logits_to_keep > 1:
        refused(model, text[:1], out.past_key_values, "2 sequences of each prompt")
        return
    expected = hf.generate(text[0], attention_mask=text[1], max_new_tokens=NEW).tolist()
    assert going_on(model, text, copy.copy(out.past_key_values)).tolist() == expected
    swapped = tuple(x[[1, 0, 2, 3]] for x in text)
    refused(model, swapped, out.past_key_values, "other tokens")


@every_stage
def test_beams_are_refused_whatever_their_number(hf, stage):
    model = tinyllm.optimize(hf, stage=stage)
    out, mask = first_turn(model, [6, 3], num_beams=2, num_return_sequences=2)
    text = question(out, mask.repeat_interleave(2, dim=0), 1)
    words = "sequences of each prompt" if out.past_key_values.copies > 1 else "beam search"
    refused(model, text, out.past_key_values, words)
