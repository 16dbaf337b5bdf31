"""A model of transformers on the blocks of a GGUF file, beside the dense one with the same values."""

from itertools import cycle

import pytest
import torch
from gguf import GGMLQuantizationType
from torch import nn
from transformers.integrations.gguf import kernels as integration
from transformers.integrations.gguf.utils import GgufEmbedding, GgufLinear

import gguf_files
import models
from tinyllm.bench.packed_twin import pack_twin
from tinyllm.bench.peers import PEERS, absent
from tinyllm.bench.worker_client import RemoteEngine, Worker, WorkerError
from tinyllm.checkpoint import open_checkpoint

PROMPT = torch.arange(3, 15).reshape(2, 6)
KINDS = ("Q4_0", "Q4_1", "Q8_0", "Q4_K", "Q5_K", "Q6_K")
WIDE = {"hidden_size": 256, "intermediate_size": 512}


def in_turns():
    """Another format for each matrix."""
    kinds = cycle(GGMLQuantizationType[name] for name in KINDS)
    return lambda name: gguf_files.F32 if "norm" in name else next(kinds)


def packed_except(part):
    """Q8_0 for the matrices without `part` in their names."""
    return lambda name: gguf_files.F32 if part in name else GGMLQuantizationType.Q8_0


def tiny_file(folder, kind, encoding, **changes):
    """A small model, and a GGUF file whose values it has."""
    hf = models.tiny(kind, **WIDE, **changes)
    return hf, gguf_files.write(folder / "model.gguf", hf, kind=encoding)


@pytest.fixture(autouse=True)
def transformers_without_a_kernel(monkeypatch):
    """What a test sets is not set in the next."""
    monkeypatch.setattr(integration, "_gguf_kernel", None)


@pytest.mark.parametrize("tied", [False, True], ids=["untied", "tied"])
@pytest.mark.parametrize("kind", ["llama", "qwen2", "phi3"])
def test_it_has_the_tokens_of_the_dense_model(kind, tied, tmp_path):
    hf, path = tiny_file(tmp_path, kind, in_turns(), tie_word_embeddings=tied)
    twin = models.tiny(kind, seed=1, **WIDE, tie_word_embeddings=tied)
    pack_twin(twin, open_checkpoint(path).weights)
    assert not any(isinstance(module, nn.Linear | nn.Embedding) for module in twin.modules())
    found = [m for m in twin.modules() if isinstance(m, GgufLinear | GgufEmbedding)]
    assert {m.ggml_type for m in found} == {GGMLQuantizationType[kind] for kind in KINDS}
    assert (twin.lm_head.weight is twin.model.embed_tokens.weight) == tied
    for beams in (1, 3):
        options = {"max_new_tokens": 8, "num_beams": beams, "do_sample": False}
        assert twin.generate(PROMPT, **options).equal(hf.generate(PROMPT, **options))


def test_an_embedding_of_its_own_class_is_dense_beside_a_packed_head(tmp_path):
    hf, path = tiny_file(tmp_path, "gemma3_text", packed_except("norm"), tie_word_embeddings=True)
    twin = models.tiny("gemma3_text", seed=1, **WIDE, tie_word_embeddings=True)
    with pytest.warns(UserWarning, match="does not say by what its scores are divided"):
        weights = open_checkpoint(path).weights
    pack_twin(twin, weights)
    assert isinstance(twin.model.embed_tokens, nn.Embedding)
    assert isinstance(twin.lm_head, GgufLinear)
    assert twin(PROMPT).logits.allclose(hf(PROMPT).logits, atol=1e-4)


def test_a_dense_embedding_and_its_tied_head_stay_dense(tmp_path):
    hf, path = tiny_file(tmp_path, "llama", packed_except("embed"), tie_word_embeddings=True)
    twin = models.tiny("llama", seed=1, **WIDE, tie_word_embeddings=True)
    pack_twin(twin, open_checkpoint(path).weights)
    assert twin.lm_head.weight is twin.model.embed_tokens.weight
    assert twin(PROMPT).logits.allclose(hf(PROMPT).logits, atol=1e-4)


def test_the_other_tensors_are_those_of_the_file(tmp_path):
    hf, path = tiny_file(tmp_path, "llama", packed_except("mlp"))
    twin = models.tiny("llama", seed=1, **WIDE)
    pack_twin(twin, open_checkpoint(path).weights)
    layer = twin.model.layers[1]
    assert layer.mlp.up_proj.weight.equal(hf.model.layers[1].mlp.up_proj.weight)
    assert layer.input_layernorm.weight.equal(hf.model.layers[1].input_layernorm.weight)
    assert isinstance(layer.self_attn.q_proj, GgufLinear)
    assert twin(PROMPT).logits.allclose(hf(PROMPT).logits, atol=1e-4)


def test_what_is_refused(tmp_path):
    _, path = tiny_file(tmp_path, "llama", gguf_files.F32)
    twin = models.tiny("llama", **WIDE)
    with pytest.raises(ValueError, match=r"model.gguf.* has no matrix in blocks"):
        pack_twin(twin, open_checkpoint(path).weights)
    (tmp_path / "head").mkdir()
    _, path = tiny_file(tmp_path / "head", "llama", packed_except("head"))
    with pytest.raises(ValueError, match=r"lm_head.weight is dense: expected both packed"):
        pack_twin(twin, open_checkpoint(path).weights)


def test_a_worker_runs_it(tmp_path):
    hf, path = tiny_file(tmp_path, "llama", in_turns(), tie_word_embeddings=True)
    hf.save_pretrained(tmp_path)
    load = {"kind": "hf-packed", "folder": str(tmp_path), "device": "cpu", "dtype": "float32"}
    load |= {"threads": 1, "budget": None}
    worker = Worker("it")
    try:
        with pytest.raises(WorkerError, match="blocks of a GGUF file: pass --weights"):
            worker.request("load", **load, options={})
        loaded = worker.request("load", **load, options={"file": str(path)})
        config = open_checkpoint(tmp_path)
        config = config.family.describe(config.config)
        engine = RemoteEngine("it", worker, config, loaded)
        blocks = sum(
            rows.blocks.nbytes
            for name in open_checkpoint(path).weights.shapes
            if (rows := open_checkpoint(path).weights.packed(name, torch.float32))
        )
        norms = 4 * (2 * 2 + 1) * 256
        assert engine.weight_bytes == blocks + norms
        expected = hf.generate(PROMPT, max_new_tokens=5, do_sample=False)
        assert engine.run(PROMPT, 5).equal(expected)
    finally:
        worker.close()


def test_on_a_cpu_it_is_left_out_with_the_reason():
    reason = absent({"hf-packed": PEERS["hf-packed"]}, "cpu", {})["hf-packed"]
    assert reason == "does not run on cpu: expected one of ['xpu', 'cuda']"
    assert absent({"hf-packed": PEERS["hf-packed"]}, "cuda", {}) == {}
