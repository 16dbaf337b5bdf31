"""Metadata of GGUF files that changes the mathematics is read or refused; every key that llama.cpp has is listed."""

import gguf
import numpy as np
import pytest

import gguf_files
import models
from models import says
from tinyllm.checkpoint.gguf_config import config_of_gguf
from tinyllm.checkpoint.gguf_file import GGUFFile
from tinyllm.checkpoint.gguf_keys import HARMLESS, NEUTRAL, REFUSED, USED
from tinyllm.checkpoint.sources import open_checkpoint

GEMMA = {"query_pre_attn_scalar": 256, "tie_word_embeddings": True, "head_dim": 256}


@pytest.fixture(autouse=True)
def cache_of_the_test(own_cache):
    """Nothing is written elsewhere."""


def written(tmp_path, kind="llama", **metadata):
    changes = GEMMA if kind.startswith("gemma") else {}
    return gguf_files.write(tmp_path / "t.gguf", models.tiny(kind, **changes), **metadata)


# The table of keys


def keys_below(group):
    """Keys of the package's list that stand under an architecture's name."""
    for value in vars(group).values():
        if isinstance(value, type):
            yield from keys_below(value)
        elif isinstance(value, str) and value.startswith("{arch}."):
            yield value.removeprefix("{arch}.").replace("{dense}", "dense_2")


def test_every_key_of_the_package_is_listed():
    listed = USED.keys() | HARMLESS | NEUTRAL.keys()
    found = set(keys_below(gguf.Keys))
    assert len(found) > 80
    assert {key for key in found if key not in listed and not key.startswith(REFUSED)} == set()


def test_a_key_is_of_one_sort():
    assert not HARMLESS & (USED.keys() | NEUTRAL.keys())
    assert not {key for key in (*USED, *HARMLESS, *NEUTRAL) if key.startswith(REFUSED)}


# Refused

REFUSALS = {
    "rope.scaling.type": ["yarn", "longrope", "dynamic"],
    "rope.scaling.attn_factor": [1.5],
    "rope.scaling.yarn_ext_factor": [1.0],
    "rope.scaling.alpha": [1000.0],
    "rope.dimension_sections": [[1, 1, 2, 0]],
    "rope.dimension_count": [4, 16],
    "attention.value_length": [4],
    "attention.sliding_window_pattern": [2],
    "attention.causal": [False],
    "attention.clamp_kqv": [8.0],
    "attention.max_alibi_bias": [8.0],
    "attention.scale": [0.125],
    "attn_logit_softcapping": [50.0],
    "final_logit_softcapping": [30.0],
    "logit_scale": [0.5],
    "residual_scale": [0.25],
    "embedding_scale": [12.0],
    "expert_count": [8],
    "expert_used_count": [2],
    "use_parallel_residual": [True],
    "ssm.state_size": [16],
    "vocab_size": [62],
}


@pytest.mark.parametrize(
    ("key", "value"), [(key, value) for key, values in REFUSALS.items() for value in values]
)
def test_value_that_changes_the_mathematics(tmp_path, key, value):
    path = written(tmp_path, **{key: value})
    with pytest.raises(ValueError, match="expected") as caught:
        open_checkpoint(path)
    assert str(caught.value).startswith(f"{path}: llama.{key} is {value!r}: expected ")


NEUTRAL_VALUES = [(key, value) for key, values in NEUTRAL.items() for value in values]


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """What a file without further keys is read as."""
    return config_of(written(tmp_path_factory.mktemp("plain")))


def config_of(path):
    return config_of_gguf(GGUFFile(path)).to_dict()


@pytest.mark.parametrize(("key", "value"), NEUTRAL_VALUES)
def test_value_that_changes_nothing(tmp_path, plain, key, value):
    value = float(value) if type(value) is int and "scal" in key else value
    assert config_of(written(tmp_path, **{key: value})) == plain


BLOOM = {
    "attention.head_count_kv": (2, "4, as many as there are heads"),
    "feed_forward_length": (48, "128, four times embedding_length"),
    "attention.max_alibi_bias": (4.0, "8.0, as Bloom has it"),
    "rope.scaling.factor": (2.0, "0 or 1 for a bloom"),
    "attention.sliding_window": (7, "0 for a bloom"),
}


@pytest.mark.parametrize("key", BLOOM)
def test_value_of_bloom(tmp_path, key):
    value, expected = BLOOM[key]
    path = written(tmp_path, "bloom", **{key: value})
    message = f"{path}: bloom.{key} is {value!r}: expected {expected}"
    says(ValueError, message, lambda: open_checkpoint(path))


def test_factors_that_depend_on_the_length(tmp_path):
    extra = [("rope_factors_long.weight", np.ones(4, np.float32))]
    path = gguf_files.write(tmp_path / "t.gguf", models.tiny("phi3"), extra=extra)
    message = (
        f"{path}: it has the tensor 'rope_factors_long.weight': "
        "expected a phi3 without LongRoPE scaling"
    )
    says(ValueError, message, lambda: open_checkpoint(path))


@pytest.mark.parametrize("factors", [[1.0] * 3, [1.0, 2.0, 0.0, 1.0], [1.0, np.inf, 1.0, 1.0]])
def test_factors_of_rope_that_are_none(tmp_path, factors):
    extra = [("rope_freqs.weight", np.array(factors, np.float32))]
    path = gguf_files.write(tmp_path / "t.gguf", models.tiny(), extra=extra)
    message = f"{path}: tensor 'rope_freqs.weight' has {len(factors)} values: expected 4 above 0"
    says(ValueError, message, lambda: open_checkpoint(path))


# Wrong types and sizes

COUNT = "an integer above 0"
WRONG = {
    "block_count": {0: COUNT, 2.0: COUNT, "2": COUNT, True: COUNT, 2**31 - 1: "no more layers"},
    "attention.head_count": {0: COUNT, 4.0: COUNT, 3: "a divisor", 2**31: COUNT},
    "attention.head_count_kv": {0: COUNT, 99: "at most 61, the largest dimension"},
    "attention.key_length": {0: COUNT, 8.0: COUNT, 1000: "at most 61, the largest dimension"},
    "embedding_length": {0: COUNT, 2**20: "at most 61, the largest dimension"},
    "feed_forward_length": {0: COUNT, "48": COUNT},
    "context_length": {0: COUNT, 64.0: COUNT},
    "vocab_size": {0: COUNT, 61.0: COUNT, 60: "61, the rows of token_embd.weight"},
    "attention.layer_norm_rms_epsilon": {float("nan"): "a number, 0 for none", "x": "a number"},
    "rope.freq_base": {0.0: "a number above 0", "x": "a number above 0", True: "a number above 0"},
    "rope.scaling.factor": {float("inf"): "a number, 0 for none", -1.0: "a number, 0 for none"},
    "rope.scaling.type": {1: "a string"},
    "attention.sliding_window": {7.5: "an integer, 0 for none"},
}


@pytest.mark.parametrize(
    ("key", "value"), [(key, value) for key, values in WRONG.items() for value in values]
)
def test_value_of_a_wrong_type(tmp_path, key, value):
    without = ("attention.key_length",) if key == "attention.head_count" else ()
    path = written(tmp_path, without=without, **{key: value})
    with pytest.raises(ValueError, match="expected") as caught:
        open_checkpoint(path)
    assert str(caught.value).startswith(
        f"{path}: llama.{key} is {value!r}: expected {WRONG[key][value]}"
    )


@pytest.mark.parametrize(("value", "shown"), [([4, 2], "[4, 2]"), (["4", "4"], "'2 strings'")])
def test_heads_of_each_layer(tmp_path, value, shown):
    path = written(tmp_path, **{"attention.head_count": value})
    message = f"{path}: llama.attention.head_count is {shown}: expected {COUNT}"
    says(ValueError, message, lambda: open_checkpoint(path))


def test_heads_of_each_layer_that_are_alike(tmp_path):
    config = open_checkpoint(written(tmp_path, **{"attention.head_count_kv": [2, 2]})).config
    assert config.num_key_value_heads == 2


def test_pattern_of_too_few_layers(tmp_path):
    path = written(tmp_path, "gemma3_text", **{"attention.sliding_window_pattern": [True]})
    message = (
        f"{path}: gemma3.attention.sliding_window_pattern is [True]: "
        "expected a value for each of 2 layers"
    )
    says(ValueError, message, lambda: open_checkpoint(path))


def test_special_token_of_a_wrong_type(tmp_path):
    path = written(tmp_path, **{"tokenizer.ggml.eos_token_id": "x"})
    message = f"{path}: tokenizer.ggml.eos_token_id is 'x': expected an integer"
    says(ValueError, message, lambda: open_checkpoint(path))


def test_heads_that_do_not_divide(tmp_path):
    path = written(tmp_path, **{"attention.head_count_kv": 3})
    with pytest.raises(ValueError, match="num_key_value_heads=3") as caught:
        open_checkpoint(path)
    assert str(caught.value).startswith(f"{path}: ")


REQUIRED = (
    "block_count",
    "context_length",
    "embedding_length",
    "feed_forward_length",
    "attention.head_count",
    "attention.layer_norm_rms_epsilon",
)


@pytest.mark.parametrize("key", REQUIRED)
def test_value_that_is_missing(tmp_path, key):
    path = written(tmp_path, without=(key,))
    message = f"{path}: its metadata has no 'llama.{key}'; copy or convert it again"
    says(ValueError, message, lambda: open_checkpoint(path))


# Harmless and unknown


@pytest.mark.parametrize("key", sorted(HARMLESS))
def test_value_without_weight(tmp_path, key):
    open_checkpoint(written(tmp_path, **{key: 7}))


def test_keys_that_nobody_listed_are_named_once(tmp_path):
    path = written(tmp_path, **{"flux.capacity": 3, "another": True})
    with pytest.warns(
        UserWarning, match="its metadata has llama.another, llama.flux.capacity,"
    ) as seen:
        open_checkpoint(path)
    assert len(seen) == 1


def test_keys_of_other_names_are_nobodys(tmp_path):
    open_checkpoint(written(tmp_path, **{"tokenizer.ggml.flux": 3}))
