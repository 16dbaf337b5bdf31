"""Packed weights in every stage: the tokens of transformers on the same values, dense."""

import copy
import json
import pickle
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
import torch

import models
import tinyllm
from models import close
from packed_models import PACKED, packed_model
from tinyllm.kernels.block_formats import FORMATS
from tinyllm.kernels.torch_kernels import TorchKernels
from tinyllm.linear import arrange_blocks, storage_size
from tinyllm.model import restage

SIZES = {"hidden_size": 256, "intermediate_size": 256, "num_attention_heads": 4}
SEARCHES = {
    "greedy": {"do_sample": False},
    "4 beams": {"do_sample": False, "num_beams": 4, "num_return_sequences": 2},
    "sampling": {"do_sample": True, "num_return_sequences": 3},
}
MODELS = {
    "llama": {"num_key_value_heads": 2, "tie_word_embeddings": True},
    "gemma2": {"kind": "gemma2", "head_dim": 64, "sliding_window": 5},
    "bloom": {"kind": "bloom"},
}


def answer(model, **options):
    ids, mask = models.ragged(61, (2, 9, 5), seed=4)
    torch.manual_seed(5)
    return model.generate(ids, attention_mask=mask, max_new_tokens=12, **options)


@pytest.mark.parametrize("name", MODELS)
def test_every_stage_gives_the_tokens_of_transformers(name):
    hf = models.tiny(**SIZES | MODELS[name])
    first = packed_model(hf, "naive")
    expected = {search: answer(hf, **options) for search, options in SEARCHES.items()}
    for stage in tinyllm.STAGES:
        model = restage(first, tinyllm.STAGES[stage])
        for search, options in SEARCHES.items():
            assert torch.equal(answer(model, **options), expected[search])


def test_copies_and_pickles():
    hf = models.tiny(**SIZES)
    model = packed_model(hf, "final")
    expected = answer(model, do_sample=False)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(answer(other, do_sample=False), expected)
        assert repr(other) == repr(model)
    again = restage(model, tinyllm.STAGES["final"])
    again.load_state_dict(model.state_dict(), assign=True)
    assert torch.equal(answer(again, do_sample=False), expected)


def test_another_dtype():
    model = packed_model(models.tiny(**SIZES), "naive")
    ids, _ = models.ragged(61, (30,))
    expected = model(ids)
    assert model.to(torch.bfloat16).dtype == torch.bfloat16
    close(model(ids).float(), expected, tolerance=0.3)
    assert model.layers[0].o_proj.packed.blocks[0].dtype == torch.uint8


def test_kernels_that_read_planes():
    """Neighbouring rows of one format become one part; the answers stay."""
    model = packed_model(models.tiny(**SIZES), "final", ["Q4_1"])
    assert len(model.layers[0].qkv_proj.packed.formats) == 3
    expected = answer(model, do_sample=False)
    bytes_before = storage_size(model)
    arrange_blocks(model, planar=True)
    assert model.layers[0].qkv_proj.packed.formats == (FORMATS["Q4_1"],)
    assert storage_size(model) == bytes_before
    kernels = type("Planes", (TorchKernels,), {"planar_blocks": True})()
    other = restage(model, replace(tinyllm.STAGES["sdpa"], kernels=kernels))
    assert torch.equal(answer(other, do_sample=False), expected)
    arrange_blocks(model, planar=False)
    assert torch.equal(answer(model, do_sample=False), expected)


def test_what_a_model_says_of_its_weights():
    model = packed_model(models.tiny(**SIZES), "naive", ["Q4_1"])
    assert "packed Q4_1, 0.8 M parameters, " in repr(model)


def test_the_weights_of_a_cache_are_told_apart():
    model, other = (
        packed_model(models.tiny(**SIZES), "naive", [name]) for name in ("Q4_0", "Q4_1")
    )
    assert model.weights_digest != other.weights_digest
    assert model.weights_digest == copy.deepcopy(model).weights_digest


def test_recorded_table_of_identity():
    """Every format, stage, width and batch is in it, and none differs: `python book/identity.py --packed` makes it."""
    path = Path(__file__).parents[2] / "book" / "results" / "packed-identity.json"
    rows = json.loads(path.read_text())
    found = [(row["model"], row["stage"], row["width"], row["batch"]) for row in rows]
    names = [f"tiny Llama, {name}" for name in (*PACKED, "mixed")]
    names.append("SmolLM2-135M-Instruct, Q4_1, Q8_0")
    assert sorted(found) == sorted(product(names, tinyllm.STAGES, (1, 4, 16), (1, 7)))
    assert all(row["identical"] and row["first_difference"] is None for row in rows)
