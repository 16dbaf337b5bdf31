"""Every stage against transformers, on tiny random models of the Llama family: logits, tokens, and the cache."""

from functools import cache

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from jaxtyping import TypeCheckError

import models
import tinyllm
from models import close, logits_of

LENGTHS = (1, 4, 9)
NEW_TOKENS = 12

every_stage = pytest.mark.parametrize("stage", tinyllm.STAGES)
every_model = pytest.mark.parametrize("index", range(models.COUNT))


@cache
def case(index):
    """A model of the list, a ragged batch, and what transformers makes of them."""
    hf = models.listed(index)
    batches = {
        side: models.ragged(hf.config.vocab_size, LENGTHS, seed=index, side=side)
        for side in ("left", "right")
    }
    logits = {side: logits_of(hf, *batch) for side, batch in batches.items()}
    ids, mask = batches["left"]
    tokens = hf.generate(ids, attention_mask=mask, max_new_tokens=NEW_TOKENS, do_sample=False)
    return hf, batches, logits, tokens, logits_of(hf, ids)


@cache
def optimized(index, stage):
    """A stage of a model of the list."""
    return tinyllm.optimize(case(index)[0], stage=stage)


@every_stage
@every_model
def test_logits(index, stage):
    _, batches, _, _, expected = case(index)
    close(optimized(index, stage)(batches["left"][0]), expected)


@every_stage
@every_model
@pytest.mark.parametrize("side", ["left", "right"])
def test_logits_of_real_tokens_in_a_padded_batch(index, stage, side):
    _, batches, logits, _, _ = case(index)
    ids, mask = batches[side]
    close(optimized(index, stage)(ids, mask)[mask.bool()], logits[side][mask.bool()])


@every_stage
@every_model
def test_greedy_tokens_of_a_ragged_batch(index, stage):
    _, batches, _, expected, _ = case(index)
    tokens = optimized(index, stage).generate(*batches["left"], max_new_tokens=NEW_TOKENS)
    assert tokens.tolist() == expected.tolist()


@every_stage
@every_model
def test_decode_with_the_cache_equals_a_pass_without_it(index, stage):
    _, batches, _, _, _ = case(index)
    model, (ids, mask) = optimized(index, stage), batches["left"]
    out = model.generate(
        ids, mask, max_new_tokens=NEW_TOKENS, return_dict_in_generate=True, output_logits=True
    )
    whole = torch.cat([mask, mask.new_ones(len(mask), NEW_TOKENS)], dim=1)
    afresh = model(out.sequences, whole)[:, ids.shape[1] - 1 : -1]
    close(torch.stack(out.logits, dim=1), afresh)


def test_list_covers_the_family():
    configs = [optimized(index, "naive").config for index in range(models.COUNT)]
    assert {config.num_attention_heads // config.num_key_value_heads for config in configs} == set(
        models.GROUPS
    )
    assert {config.activation for config in configs} == set(models.ACTIVATIONS)
    assert {type(config.rope.scaling).__name__ for config in configs} == {
        "NoneType",
        "LinearScaling",
        "Llama3Scaling",
    }
    for switch in ("tie_word_embeddings", "qkv_bias", "o_bias", "mlp_bias"):
        assert {getattr(config, switch) for config in configs} == {True, False}
    assert any(
        config.head_dim * config.num_attention_heads != config.hidden_size for config in configs
    )


@settings(max_examples=20, deadline=None, derandomize=True)
@given(
    hf=models.drawn(),
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=4),
    seed=st.integers(0, 99),
)
def test_any_model_any_lengths(hf, lengths, seed):
    ids, mask = models.ragged(hf.config.vocab_size, lengths, seed=seed)
    real = mask.bool()
    expected = logits_of(hf, ids, mask)[real]
    for stage in tinyllm.STAGES:
        close(tinyllm.optimize(hf, stage=stage)(ids, mask)[real], expected)


@every_stage
@pytest.mark.parametrize("mask", [None, "left"])
def test_prompt_taken_in_pieces(stage, mask):
    _, batches, _, _, _ = case(3)
    model, (ids, left) = optimized(3, stage), batches["left"]
    mask, cache = mask and left, model.new_cache(len(ids))
    for start, end in ((0, 4), (4, 5), (5, 9)):
        last = model.step(ids[:, start:end], None if mask is None else mask[:, start:end], cache)
    close(last, model(ids, mask)[:, -1])


@every_stage
def test_rows_do_not_see_each_other(stage):
    _, batches, _, _, _ = case(4)
    model, (ids, mask) = optimized(4, stage), batches["left"]
    together = model.generate(ids, mask, max_new_tokens=NEW_TOKENS)
    for row, length in enumerate(LENGTHS):
        alone = model.generate(ids[row : row + 1, -length:], max_new_tokens=NEW_TOKENS)
        assert together[row, -length - NEW_TOKENS :].tolist() == alone[0].tolist()


@every_stage
def test_beyond_the_context_of_llama3_training(stage):
    hf = models.tiny(rope_parameters=dict(models.ROPES[2]), max_position_embeddings=256, seed=5)
    ids, _ = models.ragged(61, (200, 200))
    close(tinyllm.optimize(hf, stage=stage)(ids), logits_of(hf, ids), tolerance=5e-4)


@cache
def narrow_logits(index, dtype):
    """A model of the list in 16 bits, and what transformers makes of a batch in them."""
    narrow = models.listed(index).to(dtype)
    return narrow, logits_of(narrow, *case(index)[1]["left"]).float()


def root_mean_square(x):
    return x.square().mean().sqrt()


@every_stage
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("index", [0, 3, 5, 7])
def test_16_bit_is_no_further_off_than_transformers(index, dtype, stage):
    _, batches, logits, _, _ = case(index)
    ids, mask = batches["left"]
    real, right = mask.bool(), logits["left"]
    narrow, theirs = narrow_logits(index, dtype)
    ours = tinyllm.optimize(narrow, stage=stage)(ids, mask).float()
    error = root_mean_square((ours - right)[real])
    assert error <= 1.5 * root_mean_square((theirs - right)[real])


STEPS = 8


@cache
def narrow_steps(index, dtype):
    """A batch of a model of the list in 16 bits; what its last tokens give exactly, and in transformers."""
    exact, narrow = models.listed(index), models.listed(index).to(dtype)
    ids, mask = models.ragged(exact.config.vocab_size, (9, 24, 16, 20), seed=index)
    right, theirs = (logits_of(hf, ids, mask)[:, -STEPS:].float() for hf in (exact, narrow))
    return narrow, ids, mask, right, theirs


@every_stage
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_16_bit_steps_are_no_further_off_than_transformers(dtype, stage):
    """Tokens one by one, after the prompt: attention over what was answered, in native code where there is."""
    errors, errors_of_transformers = [], []
    for index in (0, 3, 5, 7):
        narrow, ids, mask, right, theirs = narrow_steps(index, dtype)
        model = tinyllm.optimize(narrow, stage=stage)
        step, cache = model.stage.runner.step(model), model.new_cache(len(ids), 1, STEPS)
        step(ids[:, :-STEPS], mask[:, :-STEPS], cache)
        found = [step(ids[:, i, None], None, cache).float() for i in range(24 - STEPS, 24)]
        errors.append((torch.stack(found, dim=1) - right) / right.std())
        errors_of_transformers.append((theirs - right) / right.std())
    ours, theirs = (
        root_mean_square(torch.cat([x.flatten() for x in each]))
        for each in (errors, errors_of_transformers)
    )
    assert ours <= 1.5 * theirs


def test_annotated_shapes_are_enforced():
    from tinyllm.attention.mask import alibi_bias

    distances = torch.zeros(2, 3, dtype=torch.int64)
    alibi_bias(torch.ones(4), distances, 2, 3, torch.float32)
    with pytest.raises(TypeCheckError, match="distances"):
        alibi_bias(torch.ones(4), distances[0], 2, 3, torch.float32)
