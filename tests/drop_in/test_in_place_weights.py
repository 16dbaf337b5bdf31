"""In place, weights that are edited, moved or replaced are those that tinyllm reads."""

import gc
import weakref

import pytest
import torch
from in_place import (
    NO_FALLBACK,
    PROMPT,
    WAY,
    by_transformers,
    copy_into,
    edit_data,
    in_place,
    load,
    same_tokens,
    step,
)
from torch import nn

import models
import tinyllm

pytestmark = pytest.mark.filterwarnings(NO_FALLBACK)


def replace_parameter(hf):
    hf.get_output_embeddings().weight = nn.Parameter(torch.randn_like(hf.lm_head.weight) / 5)


EDITS = {
    "steps of an optimizer": step,
    "copy_": copy_into,
    "load_state_dict": load,
    "norms": edit_data,
}
MOVES = {
    "assigned": lambda hf: load(hf, assign=True),
    "replaced": replace_parameter,
    "converted": lambda hf: hf.to(torch.bfloat16).to(torch.float64).float(),
    "resized": lambda hf: hf.resize_token_embeddings(64, mean_resizing=False),
}
KINDS = pytest.mark.parametrize("kind", ["llama", "gemma2", "gemma3_text", "gpt_neox", "opt"])


@KINDS
@pytest.mark.parametrize("edit", EDITS)
def test_edits_in_place_are_seen(edit, kind):
    hf = in_place(kind)
    before = same_tokens(hf)
    made = hf.generate.model
    addresses = made.weight_addresses
    EDITS[edit](hf)
    assert same_tokens(hf) != before
    assert hf.generate.model is made and made.weight_addresses == addresses


@pytest.mark.parametrize("kind", ["llama", "gemma3_text", "opt"])
@pytest.mark.parametrize("move", MOVES)
def test_moved_weights_are_shared_again(move, kind):
    hf = in_place(kind)
    same_tokens(hf)
    old = weakref.ref(hf.generate.model)
    MOVES[move](hf)
    same_tokens(hf)
    assert old() is not hf.generate.model
    step(hf)
    same_tokens(hf)
    gc.collect()
    assert old() is None, "the weights are not held twice"


@pytest.mark.parametrize("kind", models.KINDS)
def test_what_is_shared_and_what_is_copied(kind):
    hf = in_place(kind)
    model = hf.generate.model
    mine = {x.untyped_storage().data_ptr() for x in model.parameters()}
    own = [name for name, x in hf.named_parameters() if x.untyped_storage().data_ptr() not in mine]
    assert bool(own) == kind.startswith("gemma")
    assert all("norm" in name for name in own)
    assert len(hf.generate.copied) == len(own)


def test_layers_that_share_a_parameter_are_read_again():
    hf = models.tiny()
    first, second = hf.model.layers
    second.mlp.up_proj.weight = first.mlp.up_proj.weight
    tinyllm.optimize(hf, inplace=True)
    assert len(hf.generate.copied) == 1
    before = same_tokens(hf)
    first.mlp.up_proj.weight.data.mul_(-2)
    assert same_tokens(hf) != before


@pytest.mark.parametrize("inplace", [True, False])
def test_a_head_with_the_numbers_of_the_embeddings_is_its_own(inplace):
    """`tie_word_embeddings` in the configuration, but two parameters: training changes them separately."""
    hf = models.tiny(tie_word_embeddings=True)
    hf.lm_head.weight = nn.Parameter(hf.lm_head.weight.clone())
    model = tinyllm.optimize(hf, inplace=inplace)
    hf.lm_head.weight.data.copy_(hf.lm_head.weight.roll(1, 0))
    assert model.generate(PROMPT, **WAY).tolist() == by_transformers(hf).tolist()
