"""torchao: folders with weight-only formats, as transformers saves them, are the model with the dequantised weights."""

from functools import partial

import pytest
import torch

import models
import quantised_folders as folders
import tinyllm
from models import close, logits_of
from quantised_folders import damage, reconfigure, refused

MATRIX = "model.layers.1.self_attn.o_proj"
INT8 = {"_type": "Int8WeightOnlyConfig", "_version": 2, "_data": {"group_size": None}}


def intx(bits):
    """The configuration of codes of a few bits in a byte each."""
    data = {
        "weight_dtype": {"_type": "torch.dtype", "_data": f"int{bits}"},
        "intx_packing_format": {"_type": "IntxPackingFormat", "_data": "UNPACKED_TO_INT8"},
    }
    return {"_type": "IntxWeightOnlyConfig", "_version": 2, "_data": data}


def write(folder, kind="llama", *, config=INT8, bits=8, group=-1, symmetric=False):
    hf = folders.tiny(kind)
    config = {"quant_method": "torchao", "quant_type": {"default": config}}
    drawn = {"bits": bits, "group": group, "symmetric": symmetric, "scale_dtype": torch.float32}
    tensors_of = partial(folders.torchao, bits=bits, symmetric=symmetric)
    folders.write(folder, hf, config, tensors_of, **drawn)
    return hf


@pytest.mark.parametrize("kind", ["llama", "qwen2"])
@pytest.mark.parametrize("weights", ["float32", "stored", None])
def test_families(tmp_path, kind, weights):
    hf = write(tmp_path, kind)
    formats = set() if weights == "float32" else {"INT8_128"}
    folders.answers_alike(tmp_path, hf, weights=weights, formats=formats)


@pytest.mark.parametrize(
    ("config", "bits", "group", "symmetric", "formats"),
    [
        (INT8, 8, 32, True, {"INT8_32"}),
        (intx(8), 8, 64, False, {"INT8_64"}),
        (intx(4), 4, 32, False, {"INT4_32"}),
        (intx(4), 4, -1, True, {"INT4_128"}),
    ],
)
def test_options(tmp_path, config, bits, group, symmetric, formats):
    hf = write(tmp_path, config=config, bits=bits, group=group, symmetric=symmetric)
    ids, _ = models.ragged(61, (9,))
    model = tinyllm.from_pretrained(tmp_path, device="cpu", stage="naive", weights="stored")
    close(model(ids), logits_of(hf, ids))
    assert folders.formats_of(model) == formats


DAMAGED = {
    "_weight_qdata": (lambda x: x[1:], "'{}._weight_scale' has shape [128, 4]: expected [127, 4]"),
    "_weight_scale": (lambda x: x[:, :3], "'{}._weight_scale' has 3 groups of 42 of 128 inputs"),
    "_weight_zero_point": (lambda x: x.int(), "'{}._weight_zero_point' is stored as I32"),
}


@pytest.mark.parametrize("part", DAMAGED)
def test_tensors_that_do_not_fit_each_other(tmp_path, part):
    write(tmp_path, group=32)
    change, message = DAMAGED[part]
    damage(tmp_path, f"{MATRIX}.{part}", change)
    refused(tmp_path, f"{tmp_path}/model.safetensors: tensor ", message.format(MATRIX))


def test_values_that_cannot_be_meant(tmp_path):
    write(tmp_path, config=intx(4), bits=4)
    damage(tmp_path, f"{MATRIX}._weight_qdata", lambda x: x.fill_(-9))
    refused(tmp_path, f"'{MATRIX}._weight_qdata' has values from -9 to -9: expected -8 to 7")


DYNAMIC = INT8 | {"_type": "Int8DynamicActivationInt8WeightConfig"}
OPTIONS = [
    ("int8_weight_only", "quant_type='int8_weight_only' is not supported: expected an object"),
    (
        {"default": INT8 | {"_type": "Int4WeightOnlyConfig"}},
        "'Int4WeightOnlyConfig' is not supported",
    ),
    ({"default": DYNAMIC}, "_type='Int8DynamicActivationInt8WeightConfig' is not supported"),
    (
        {"default": INT8 | {"_version": 1}},
        "default._version=1 is not supported: expected one of [2]",
    ),
    ({"default": intx(3)}, "weight_dtype._data='int3' is not supported"),
    ({"default": intx(4) | {"_data": {}}}, "default._data.weight_dtype=None is not supported"),
]


@pytest.mark.parametrize(("value", "message"), OPTIONS, ids=str)
def test_options_that_are_not_supported(tmp_path, value, message):
    write(tmp_path)
    reconfigure(tmp_path, quant_type=value)
    refused(tmp_path, f"{tmp_path}/config.json: quantization_config.quant_type", message)
