"""Weights written for other engines: a folder of transformers, and a GGUF file."""

import json

import pytest
import torch

import models
import tinyllm
from tinyllm.bench.export import save_folder, save_gguf
from tinyllm.bench.presets import FIRST
from tinyllm.checkpoint import open_checkpoint
from tinyllm.model import load_model

CPU = torch.device("cpu")
PROMPT = torch.arange(3, 15).reshape(2, 6)


def test_transformers_reads_the_folder(folder, decoder):
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder)
    torch.testing.assert_close(model(PROMPT).logits, decoder(PROMPT))
    config = json.loads((folder / "config.json").read_text())
    assert (config["rope_theta"], config["torch_dtype"], config["rope_scaling"]) == (
        10000.0,
        "float32",
        None,
    )


def test_large_weights_are_written_to_several_files(decoder, settings, tmp_path, monkeypatch):
    monkeypatch.setattr("tinyllm.bench.export.SHARD_BYTES", 20000)
    save_folder(decoder, settings.checkpoint, tmp_path)
    assert len(list(tmp_path.glob("*.safetensors"))) > 2
    again = load_model(open_checkpoint(tmp_path), tinyllm.STAGES[FIRST], CPU, torch.float32)
    assert torch.equal(again(PROMPT), decoder(PROMPT))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"tie_word_embeddings": True, "num_key_value_heads": 4},
        {"rope_parameters": models.ROPES[1]},
        {"kind": "gemma2", "tie_word_embeddings": True},
    ],
)
def test_the_gguf_file_holds_the_same_model(changes, tmp_path, own_cache):
    models.tiny(**changes).save_pretrained(tmp_path)
    checkpoint = open_checkpoint(tmp_path)
    mine = load_model(checkpoint, tinyllm.STAGES[FIRST], CPU, torch.float32)
    save_gguf(mine, checkpoint, tmp_path / "model.gguf")
    again = load_model(
        open_checkpoint(tmp_path / "model.gguf"), tinyllm.STAGES[FIRST], CPU, torch.float32
    )
    torch.testing.assert_close(again(PROMPT), mine(PROMPT))


def test_a_gguf_file_of_another_architecture_raises(tmp_path):
    models.tiny("opt").save_pretrained(tmp_path)
    checkpoint = open_checkpoint(tmp_path)
    mine = load_model(checkpoint, tinyllm.STAGES[FIRST], CPU, torch.float32)
    with pytest.raises(ValueError, match="'opt' cannot be written as GGUF: expected one of"):
        save_gguf(mine, checkpoint, tmp_path / "model.gguf")
