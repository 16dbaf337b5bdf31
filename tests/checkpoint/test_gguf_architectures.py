"""A GGUF file of every architecture gives the logits of the model that it was made from."""

from dataclasses import replace

import gguf
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from test_checkpoint import assert_weights
from transformers import AutoModelForCausalLM

import gguf_files
import models
import tinyllm
from models import close, logits_of
from tinyllm.checkpoint.gguf_config import GEMMA_LARGEST, share
from tinyllm.checkpoint.gguf_file import GGUFFile
from tinyllm.checkpoint.sources import open_checkpoint
from tinyllm.families import family_of
from tinyllm.generation.options import SUPPORTED

EXACT = (
    gguf.GGMLQuantizationType.F32,
    gguf.GGMLQuantizationType.F16,
    gguf.GGMLQuantizationType.BF16,
)
BLOCKS = (gguf.GGMLQuantizationType.Q8_0, gguf.GGMLQuantizationType.Q4_1)
LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 100.0,
    **models.LLAMA3,
    "original_max_position_embeddings": 128,
}
SCORES = {"query_pre_attn_scalar": 256, "tie_word_embeddings": True, "head_dim": 256}
NO_ROPE = {"no_rope_layer_interval": 4, "num_hidden_layers": 5}
# For every architecture, the branches that its files may take.
BRANCHES = {
    "llama": ({}, {"attention_bias": True, "mlp_bias": True}, {"rope_parameters": models.LONG}),
    "mistral": ({"sliding_window": 5},),
    "qwen2": ({}, *models.BRANCHES["qwen2"]),
    "qwen3": ({"head_dim": 12}, *models.BRANCHES["qwen3"]),
    "smollm3": tuple(NO_ROPE | branch for branch in models.BRANCHES["smollm3"]),
    "phi3": models.BRANCHES["phi3"],
    "gemma2": (SCORES | {"sliding_window": 5}, SCORES | {"attn_logit_softcapping": 7.0}),
    "gemma3_text": tuple(SCORES | branch for branch in models.BRANCHES["gemma3_text"]),
    "gpt_neox": models.BRANCHES["gpt_neox"],
    "bloom": ({}, {"tie_word_embeddings": True}),
}
CASES = [(kind, i) for kind, branches in BRANCHES.items() for i in range(len(branches))]


def load(path):
    return tinyllm.from_pretrained(path, device="cpu", stage="naive")


def same_logits(path, hf):
    ids, _ = models.ragged(61, (30,))
    close(load(path)(ids), logits_of(hf, ids))


@pytest.fixture(autouse=True)
def cache_of_the_test(own_cache):
    """Nothing is written elsewhere."""


@pytest.mark.parametrize(("kind", "branch"), CASES, ids=str)
def test_architecture(tmp_path, kind, branch):
    hf = models.tiny(kind, seed=3, **BRANCHES[kind][branch])
    path = gguf_files.write(tmp_path / "tiny.gguf", hf)
    same_logits(path, hf)
    expected = family_of(hf.config).describe(hf.config)
    eps = float(np.float32(expected.norm_eps))  # as the file has it
    assert load(path).config == replace(expected, norm_eps=eps)


@pytest.mark.parametrize("kind", BRANCHES)
def test_transformers_configuration_is_described_alike(tmp_path, kind):
    """A family reads the fields of a file; whoever needs transformers' configuration gets the same decoder."""
    hf = models.tiny(kind, **BRANCHES[kind][0])
    read = open_checkpoint(
        gguf_files.write(tmp_path / "tiny.gguf", hf, **gguf_files.vocabulary(61))
    )
    config = read.config
    assert config.model_type == read.fields.model_type == kind
    assert read.family.describe(config) == read.family.describe(read.fields)
    known = read.lazy_generation_config.options
    assert known == {"eos_token_id": 60}
    named = read.generation_config.to_dict()
    assert {k: named[k] for k in SUPPORTED if named.get(k) is not None} == known
    assert read.lazy_generation_config.options == named


def test_all_architectures_are_tried():
    from tinyllm.checkpoint.gguf_config import ARCHITECTURES

    assert {gguf_files.ARCHITECTURES[kind] for kind in BRANCHES} == set(ARCHITECTURES)


@pytest.mark.parametrize("kind", EXACT + BLOCKS, ids=lambda kind: kind.name)
@pytest.mark.parametrize("tied", [True, False])
def test_weights_against_transformers(tmp_path, kind, tied):
    hf = wide(tie_word_embeddings=tied)
    path = gguf_files.write(tmp_path / "tiny.gguf", hf, kind=kind)
    model = tinyllm.from_pretrained(path, device="cpu", dtype="float32")
    assert model.tokenizer is None
    assert (model.lm_head.weight is model.embed_tokens.weight) == tied
    assert_weights(model, hf)
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path, gguf_file=path.name, dtype="float32")
    assert_weights(model, theirs)


def wide(**changes):
    """A model whose rows are whole quantisation blocks."""
    return models.tiny(
        seed=6, **({"hidden_size": 64, "intermediate_size": 96, "rms_norm_eps": 1e-5} | changes)
    )


@pytest.mark.parametrize("kind", EXACT + BLOCKS, ids=lambda kind: kind.name)
def test_tensors_of_every_encoding(tmp_path, kind):
    values = np.random.default_rng(0).normal(size=(5, 96)).astype(np.float32)
    writer = gguf.GGUFWriter(tmp_path / "one.gguf", "llama")
    writer.add_tensor("odd", np.arange(7, dtype=np.float32))
    writer.add_tensor("any", gguf.quants.quantize(values, kind), raw_dtype=kind)
    gguf_files.finish(writer)
    read = GGUFFile(tmp_path / "one.gguf")
    expected = gguf.quants.dequantize(gguf.quants.quantize(values, kind), kind)
    assert read.shapes == {"odd": (7,), "any": (5, 96)}
    assert read.read("any").equal(torch.from_numpy(np.array(expected)))
    assert read.read("odd").tolist() == list(range(7))


# Heads and tokens


def test_without_a_count_of_key_value_heads(tmp_path):
    hf = wide(num_key_value_heads=4)
    path = gguf_files.write(tmp_path / "tiny.gguf", hf, without=("attention.head_count_kv",))
    assert_weights(load(path), hf)


def test_head_stored_beside_the_embedding_of_bloom(tmp_path):
    """Older converters wrote the embedding twice."""
    hf = models.tiny("bloom", tie_word_embeddings=True)
    head = hf.lm_head.weight.numpy().copy()
    path = gguf_files.write(tmp_path / "tiny.gguf", hf, extra=[("output.weight", head)])
    model = load(path)
    assert model.lm_head.weight is model.embed_tokens.weight


def test_special_tokens_are_those_of_the_file(tmp_path):
    hf = models.tiny()
    bare = open_checkpoint(gguf_files.write(tmp_path / "bare.gguf", hf)).generation_config
    assert (bare.bos_token_id, bare.eos_token_id, bare.pad_token_id) == (None, None, None)
    path = gguf_files.write(tmp_path / "tiny.gguf", hf, **gguf_files.vocabulary(61))
    assert open_checkpoint(path).generation_config.eos_token_id == 60


@pytest.mark.parametrize("kind", ["smollm3", "gpt_neox", "qwen2"])
def test_tokenizer(tmp_path, kind):
    """Also of architectures that transformers' own reader of GGUF files does not have."""
    path = gguf_files.write(tmp_path / "tiny.gguf", models.tiny(kind), **gguf_files.vocabulary(61))
    tokenizer = load(path).tokenizer
    assert tokenizer("cab")["input_ids"] == [2, 8]
    assert tokenizer.eos_token_id == 60


def test_scores_of_gemma(tmp_path):
    """The file does not say by what they are divided: as in transformers, unless it is the largest model."""
    hf = models.tiny("gemma2", **SCORES | {"head_dim": 8})
    with pytest.warns(UserWarning, match="it does not say by what its scores are divided"):
        same_logits(gguf_files.write(tmp_path / "tiny.gguf", hf), hf)
    hf = models.tiny("gemma2", **SCORES | {"query_pre_attn_scalar": 20})
    path = gguf_files.write(tmp_path / "says.gguf", hf, **{"attention.scale": 20**-0.5})
    same_logits(path, hf)
    assert open_checkpoint(path).config.query_pre_attn_scalar == pytest.approx(20)


@pytest.mark.parametrize("kind", ["gemma2", "gemma3_text"])
def test_scores_of_the_largest_gemma(tmp_path, kind):
    layers = GEMMA_LARGEST[gguf_files.ARCHITECTURES[kind]]
    small = {"num_hidden_layers": layers, "hidden_size": 16, "intermediate_size": 8}
    hf = models.tiny(kind, **SCORES | small | {"query_pre_attn_scalar": 4, "head_dim": 8})
    assert (
        open_checkpoint(gguf_files.write(tmp_path / "t.gguf", hf)).config.query_pre_attn_scalar == 4
    )


PATTERNS = {"gemma2": 3, "gemma3_text": 7}


@pytest.mark.parametrize("kind", PATTERNS)
def test_windows_of_gemma_without_a_pattern(tmp_path, kind):
    """Every other layer of Gemma 2 has one, five of six of Gemma 3, and those rotate by their own base."""
    hf = models.tiny(kind, **SCORES | {"sliding_window": 5, "num_hidden_layers": PATTERNS[kind]})
    hf.config.layer_types = type(hf.config)(num_hidden_layers=PATTERNS[kind]).layer_types
    assert len(set(hf.config.layer_types)) == 2
    hf = type(hf)(hf.config).eval()
    unwritten = ("attention.sliding_window_pattern", "rope.freq_base_swa")
    same_logits(
        gguf_files.write(tmp_path / "t.gguf", hf.requires_grad_(False), without=unwritten), hf
    )


# RoPE


def factors_of(hf):
    """The divisor of each frequency that the converter computes for Llama 3.1."""
    config = hf.config
    size = config.hidden_size // config.num_attention_heads
    plain = 1 / config.rope_parameters["rope_theta"] ** (torch.arange(0, size, 2) / size)
    return (plain / hf.model.rotary_emb.inv_freq).float().numpy()


@pytest.mark.parametrize("kind", ["llama", "qwen2"])
def test_factors_of_rope(tmp_path, kind):
    hf = models.tiny(kind, rope_parameters=LLAMA3)
    factors = factors_of(hf)
    assert len(set(factors.tolist())) > 2
    path = gguf_files.write(tmp_path / "tiny.gguf", hf, extra=[("rope_freqs.weight", factors)])
    same_logits(path, hf)
    theirs = AutoModelForCausalLM.from_config(open_checkpoint(path).config)
    close(theirs.model.rotary_emb.inv_freq, hf.model.rotary_emb.inv_freq, 1e-7)


def test_factors_of_rope_and_a_scale(tmp_path):
    hf = models.tiny(rope_parameters=models.LONG)
    half = np.full(4, hf.config.rope_parameters["factor"] / 2, np.float32)
    scale = {"rope.scaling.type": "linear", "rope.scaling.factor": 2.0}
    extra = [("rope_freqs.weight", half)]
    same_logits(gguf_files.write(tmp_path / "tiny.gguf", hf, extra=extra, **scale), hf)


LINEAR = {
    "today": {"rope.scaling.type": "linear", "rope.scaling.factor": 2.5},
    "without a type": {"rope.scaling.factor": 2.5},
    "the old key": {"rope.scale_linear": 2.5},
    "both keys": {"rope.scaling.factor": 2.5, "rope.scale_linear": 9.0},
}
PLAIN = {
    "type none": {"rope.scaling.type": "none", "rope.scaling.factor": 2.5},
    "factor 0": {"rope.scaling.type": "linear", "rope.scaling.factor": 0.0},
    "factor 1": {"rope.scale_linear": 1.0},
    "neutral": {"rope.scaling.attn_factor": 1.0, "rope.scaling.finetuned": False},
}
RULES = ("rope.scaling.type", "rope.scaling.factor")


@pytest.mark.parametrize("kind", ["llama", "phi3", "gpt_neox", "gemma3_text"])
@pytest.mark.parametrize("keys", [*LINEAR, *PLAIN])
def test_scale_of_rope(tmp_path, kind, keys):
    """Of Phi-3, transformers has no linear scaling: there it is the same factor for every frequency."""
    scaled = keys in LINEAR
    rope = {"rope_theta": 10000.0, "partial_rotary_factor": 1.0}
    rope |= {"rope_type": "linear", "factor": 2.5} if scaled else {"rope_type": "default"}
    if kind == "phi3" and scaled:
        same = [2.5] * 4
        rope |= {"rope_type": "longrope", "short_factor": same, "long_factor": same}
        rope |= {"attention_factor": 1.0, "original_max_position_embeddings": 64}
    if kind == "gemma3_text":
        rope = {"full_attention": rope, "sliding_attention": models.ROPES[0]}
    changes = SCORES if kind == "gemma3_text" else {}
    hf = models.tiny(kind, rope_parameters=rope, **changes)
    path = tmp_path / "tiny.gguf"
    given = (LINEAR | PLAIN)[keys]
    same_logits(gguf_files.write(path, hf, without=set(RULES) - set(given), **given), hf)


def test_base_of_rope_where_there_is_none(tmp_path):
    hf = models.tiny()
    same_logits(gguf_files.write(tmp_path / "tiny.gguf", hf, without=("rope.freq_base",)), hf)


@given(st.integers(1, 512).flatmap(lambda whole: st.tuples(st.integers(1, whole), st.just(whole))))
def test_shares_of_a_head(sizes):
    part, whole = sizes
    assert int(whole * share(part, whole)) == part
