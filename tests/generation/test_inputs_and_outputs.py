"""What goes into `generate` and what it returns: masks, formats, configurations, records."""

import pytest
import torch
from test_generation import T, assert_same, theirs
from transformers import GenerationConfig

import models
import tinyllm


@pytest.mark.parametrize(
    "kept", [(), ("output_scores",), ("output_logits",), ("output_scores", "output_logits")]
)
def test_output_as_a_record(hf, model, batch, kept):
    options = {
        "return_dict_in_generate": True,
        "repetition_penalty": 1.4,
        "max_new_tokens": 6,
    } | dict.fromkeys(kept, True)
    expected, mine = theirs(hf, **batch, **options), model.generate(**batch, **options)
    assert type(mine) is type(expected)
    assert mine.sequences.tolist() == expected.sequences.tolist()
    for name in ("scores", "logits"):
        ours, right = getattr(mine, name), getattr(expected, name)
        assert type(ours) is type(right)
        if right is not None:
            torch.testing.assert_close(torch.stack(ours), torch.stack(right), rtol=1e-4, atol=1e-4)


def test_scores_are_not_kept_without_a_record(hf, model, batch):
    assert_same(hf, model, **batch, output_scores=True)


def test_generation_config_object(hf, model, batch, free):
    config = GenerationConfig(max_new_tokens=6, eos_token_id=free[0, T + 3].item(), pad_token_id=3)
    expected = theirs(hf, **batch, generation_config=config)
    assert model.generate(**batch, generation_config=config).tolist() == expected.tolist()
    assert model.generate(*batch.values(), config).tolist() == expected.tolist()


@pytest.mark.parametrize(
    "call", [{}, {"max_new_tokens": 3}, {"max_length": 11}, {"eos_token_id": None}], ids=str
)
@pytest.mark.parametrize("given", [False, True])
def test_call_goes_before_object_goes_before_defaults(batch, free, call, given):
    hf = models.tiny(seed=2)
    hf.generation_config = GenerationConfig(
        max_new_tokens=13, repetition_penalty=1.2, eos_token_id=free[0, T + 3].item()
    )
    config = GenerationConfig(max_new_tokens=5, no_repeat_ngram_size=2) if given else None
    assert_same(hf, tinyllm.optimize(hf), **batch, generation_config=config, **call)


def test_a_call_changes_no_defaults(hf, model, batch):
    before = model.generation_config.to_dict()
    config = GenerationConfig(max_new_tokens=4)
    model.generate(**batch, generation_config=config, repetition_penalty=1.5, eos_token_id=5)
    assert model.generation_config.to_dict() == before
    assert config.to_dict() == GenerationConfig(max_new_tokens=4).to_dict()


def test_int32_ids(hf, model, batch, free):
    ids, mask = batch.values()
    assert model.generate(ids.int(), mask.int()).tolist() == free.tolist()
    assert model(ids.int()).equal(model(ids))


@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.int32, torch.float32])
def test_masks_of_any_format(model, batch, free, dtype):
    ids, mask = batch.values()
    assert model.generate(ids, mask.to(dtype)).tolist() == free.tolist()


def test_mask_is_inferred_from_the_pad_token(hf, model, free):
    ids = free[:, :T].clone()
    ids[ids == 0] = 1
    ids[0, :3] = 0
    inferred = assert_same(hf, model, ids, pad_token_id=0, eos_token_id=60)
    mask = torch.ones_like(ids)
    mask[0, :3] = 0
    assert inferred.tolist() == model.generate(ids, mask, pad_token_id=0, eos_token_id=60).tolist()
    assert inferred.tolist() != model.generate(ids, eos_token_id=60).tolist()


def test_no_mask_is_inferred_where_pad_is_an_end(hf, model, free):
    ids = free[:, :T].clone()
    ids[0, :3] = 0
    assert_same(hf, model, ids, pad_token_id=0, eos_token_id=[0, 60])


def test_mask_of_ones_is_no_mask(model, free):
    ids = free[:, :T]
    out = model.generate(ids, return_dict_in_generate=True, output_logits=True)
    ones = model.generate(
        ids, torch.ones_like(ids), return_dict_in_generate=True, output_logits=True
    )
    assert torch.stack(out.logits).equal(torch.stack(ones.logits))


def test_result_is_an_ordinary_tensor(model, batch, free):
    eos = free[:, T + 2].tolist()
    out = model.generate(
        **batch,
        eos_token_id=eos,
        return_dict_in_generate=True,
        output_logits=True,
        output_scores=True,
    )
    assert out.sequences.is_contiguous()
    assert out.sequences.dtype == torch.int64
    for tensor in (out.sequences, *out.scores, *out.logits):
        tensor.view(-1)[0] = 0  # neither an inference tensor nor a view of something larger


def test_prompt_is_left_as_it_was(model, batch):
    before = {name: value.clone() for name, value in batch.items()}
    model.generate(**batch)
    assert all(value.equal(before[name]) for name, value in batch.items())
