"""AWQ: folders as AutoAWQ stores them are the model with the dequantised weights."""

import pytest
import torch
from safetensors.torch import load_file, save_file

import models
import quantised_folders as folders
import tinyllm
from models import close, logits_of
from quantised_folders import damage, reconfigure, refused

MATRIX = "model.layers.0.mlp.up_proj"


def write(folder, kind="llama", *, group=32, scale_dtype=torch.float16):
    hf = folders.tiny(kind)
    config = {
        "quant_method": "awq",
        "bits": 4,
        "group_size": group,
        "zero_point": True,
        "version": "gemm",
        "modules_to_not_convert": None,
    }
    drawn = {"bits": 4, "group": group, "symmetric": False, "scale_dtype": scale_dtype}
    folders.write(folder, hf, config, folders.awq, **drawn)
    return hf


@pytest.mark.parametrize("kind", ["llama", "qwen2"])
@pytest.mark.parametrize("weights", ["float32", "stored", None])
def test_families(tmp_path, kind, weights):
    hf = write(tmp_path, kind)
    formats = set() if weights == "float32" else {"INT4_32"}
    folders.answers_alike(tmp_path, hf, weights=weights, formats=formats)


@pytest.mark.parametrize(
    ("group", "dtype", "formats"),
    [
        (64, torch.float32, {"INT4_64"}),
        (128, torch.bfloat16, {"INT4_128"}),
        (-1, torch.float16, {"INT4_128"}),
    ],
)
def test_options(tmp_path, group, dtype, formats):
    hf = write(tmp_path, group=group, scale_dtype=dtype)
    ids, _ = models.ragged(61, (9,))
    model = tinyllm.from_pretrained(tmp_path, device="cpu", stage="naive", weights="stored")
    close(model(ids), logits_of(hf, ids))
    assert folders.formats_of(model) == formats


DAMAGED = {
    "qweight": (lambda x: x[:, :-1], "tensor '{}.qzeros' has shape [4, 32]: expected [4, 31]"),
    "qzeros": (lambda x: x.short(), "tensor '{}.qzeros' is stored as I16: expected one of ['I32']"),
    "scales": (lambda x: x[:-1], "tensor '{}.qzeros' has shape [4, 32]: expected [3, 32]"),
}


@pytest.mark.parametrize("part", DAMAGED)
def test_tensors_that_do_not_fit_each_other(tmp_path, part):
    write(tmp_path)
    change, message = DAMAGED[part]
    damage(tmp_path, f"{MATRIX}.{part}", change)
    refused(tmp_path, f"{tmp_path}/model.safetensors: ", message.format(MATRIX))


@pytest.mark.parametrize("part", DAMAGED)
def test_tensors_that_are_absent(tmp_path, part):
    write(tmp_path)
    damage(tmp_path, f"{MATRIX}.{part}", lambda x: None)
    refused(tmp_path, f"{tmp_path} has no tensor '{MATRIX}.{part}': expected one beside")


def test_scales_of_activations(tmp_path):
    """AutoAWQ divides by them after the activation functions of some families."""
    write(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    save_file(
        tensors | {"model.layers.0.mlp.act.scales": torch.ones(256)}, tmp_path / "model.safetensors"
    )
    refused(tmp_path, "tensor 'model.layers.0.mlp.act.scales' is of no matrix", "load the model")


def test_a_scale_that_is_no_number(tmp_path):
    write(tmp_path)
    damage(tmp_path, f"{MATRIX}.scales", lambda x: x * torch.nan)
    refused(tmp_path, f"tensor '{MATRIX}.scales' has a scale that is no number")


OPTIONS = [
    ("bits", 8, "expected one of [4]"),
    ("version", "gemv", "version='gemv' is not supported: expected one of ['gemm', 'GEMM']"),
    ("group_size", "128", "group_size='128' is not supported: expected a multiple of 32 inputs"),
    ("group_size", 64, "(group_size): expected groups that make up a row"),
]


@pytest.mark.parametrize(("name", "value", "message"), OPTIONS, ids=str)
def test_options_that_are_not_supported(tmp_path, name, value, message):
    write(tmp_path)
    reconfigure(tmp_path, **{name: value})
    refused(tmp_path, str(tmp_path), message)
