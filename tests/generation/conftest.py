"""A ragged batch, its model, and a tokenizer: for the files of this folder that define none of their own."""

import pytest

import models
import tinyllm


@pytest.fixture(scope="module")
def hf():
    return models.tiny(seed=2)


@pytest.fixture(scope="module")
def model(hf):
    return tinyllm.optimize(hf)


@pytest.fixture(scope="module")
def batch():
    """Prompts of 2, 5 and 8 tokens, padded on the left."""
    ids, mask = models.ragged(61, (2, 5, 8), seed=8)
    return {"input_ids": ids, "attention_mask": mask}


@pytest.fixture(scope="module")
def free(hf, batch):
    """What the model says when nothing stops it."""
    return hf.generate(**batch, max_new_tokens=20, do_sample=False)


@pytest.fixture(scope="module")
def tokenizer():
    return models.letters()
