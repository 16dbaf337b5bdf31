"""Checkpoints whose tensors have other names than the model in memory: what transformers makes of them, and we."""

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

import models
import tinyllm
from models import close, every_kind, says
from tinyllm.families.family import BUFFERS

IDS = torch.tensor([[3, 1, 4, 1, 5]])


def stored(hf, folder, change=None):
    """The folder of a model, after `change` of its tensors."""
    hf.save_pretrained(folder)
    if change is not None:
        tensors = load_file(folder / "model.safetensors")
        change(tensors)
        save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    return folder


def same_logits(folder, hf):
    theirs = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    close(models.logits_of(theirs, IDS), models.logits_of(hf, IDS))
    ours = tinyllm.from_pretrained(folder, device="cpu", dtype="float32")
    close(ours(IDS), models.logits_of(hf, IDS))


@every_kind
def test_the_model_without_its_head(kind, tmp_path):
    hf = models.tiny(kind, hidden_size=48, tie_word_embeddings=True)
    if hf.lm_head.bias is not None:  # the base model has none to store
        hf.lm_head.bias.data.zero_()
    hf.base_model.save_pretrained(tmp_path)
    names = load_file(tmp_path / "model.safetensors")
    assert not any(name.startswith(hf.base_model_prefix) for name in names)
    if kind == "gptj":
        message = f"{tmp_path} has no tensor 'lm_head.bias': expected one of shape [61]"
        says(ValueError, message, lambda: tinyllm.from_pretrained(tmp_path, device="cpu"))
    else:
        same_logits(tmp_path, hf)


def test_a_head_that_is_nowhere(tmp_path):
    models.tiny().base_model.save_pretrained(tmp_path)
    message = f"{tmp_path} has no tensor 'lm_head.weight': expected one of shape [61, 32]"
    says(ValueError, message, lambda: tinyllm.from_pretrained(tmp_path, device="cpu"))


@every_kind
def test_a_tied_matrix_stored_as_the_head(kind, tmp_path):
    hf = models.tiny(kind, hidden_size=48, tie_word_embeddings=True)
    table = next(name for name, p in hf.named_parameters() if p is hf.get_input_embeddings().weight)

    def as_head(tensors):
        tensors["lm_head.weight"] = tensors.pop(table)

    same_logits(stored(hf, tmp_path, as_head), hf)


@pytest.mark.parametrize("ending", BUFFERS)
@pytest.mark.parametrize("kind", ["llama", "gptj", "gpt_neox"])
def test_buffers_of_older_checkpoints(kind, ending, tmp_path):
    hf = models.tiny(kind, hidden_size=48)
    layer = next(name for name, _ in hf.named_parameters() if ".0." in name).partition(".0.")[0]

    def with_buffer(tensors):
        tensors[f"{layer}.0.self_attn.{ending.lstrip('.')}"] = torch.ones(4)
        tensors[f"{layer}.0{ending if ending[0] == '.' else '.' + ending}"] = torch.ones(4)

    same_logits(stored(hf, tmp_path, with_buffer), hf)


@pytest.mark.parametrize("name", ["score.weight", "classifier.weight", "v_head.summary.bias"])
def test_the_head_of_another_task(name, tmp_path):
    hf = models.tiny()
    stored(hf, tmp_path, lambda tensors: tensors.update({name: torch.ones(2, 32)}))
    with pytest.warns(UserWarning, match=f"model.safetensors: {name} is not used"):
        ours = tinyllm.from_pretrained(tmp_path, device="cpu")
    close(ours(IDS), models.logits_of(hf, IDS))


def test_a_prefix_too_many(tmp_path):
    hf = models.tiny()

    def wrapped(tensors):
        for name in list(tensors):
            tensors[f"model.{name}"] = tensors.pop(name)

    same_logits(stored(hf, tmp_path, wrapped), hf)


def test_two_names_of_one_tensor(tmp_path):
    stored(models.tiny(), tmp_path, lambda tensors: tensors.update({"norm.weight": torch.ones(32)}))
    names = "'norm.weight' and 'model.norm.weight' are two names of one tensor: expected one"
    message = f"{tmp_path}/model.safetensors: {names}"
    says(ValueError, message, lambda: tinyllm.from_pretrained(tmp_path, device="cpu"))


def test_a_file_goes_before_an_index(tmp_path):
    hf, other = models.tiny(seed=1), models.tiny(seed=2)
    other.save_pretrained(tmp_path, max_shard_size="8KB")
    hf.save_pretrained(tmp_path / "whole")
    (tmp_path / "whole" / "model.safetensors").rename(tmp_path / "model.safetensors")
    same_logits(tmp_path, hf)
    for shard in tmp_path.glob("model-*.safetensors"):
        shard.unlink()
    same_logits(tmp_path, hf)


def test_files_that_are_links(tmp_path):
    hf = models.tiny()
    hf.save_pretrained(tmp_path / "blobs", max_shard_size="8KB")
    (tmp_path / "model").mkdir()
    for path in (tmp_path / "blobs").iterdir():
        (tmp_path / "model" / path.name).symlink_to(path)
    (tmp_path / "link").symlink_to(tmp_path / "model")
    same_logits(tmp_path / "link", hf)


def test_shards_of_several_formats(tmp_path):
    def halved(tensors):
        for name in sorted(tensors)[::2]:
            tensors[name] = tensors[name].half().double()

    hf = models.tiny()
    with_halves = models.tiny()
    for name, parameter in with_halves.named_parameters():
        if name in sorted(dict(hf.named_parameters()))[::2]:
            parameter.data = parameter.half().float()
    same_logits(stored(hf, tmp_path, halved), with_halves)
