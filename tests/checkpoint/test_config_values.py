"""Values in config.json and the files beside it that cannot be meant, and which of them count."""

import json

import pytest
import torch
from transformers import AutoModelForCausalLM

import models
import tinyllm
from models import says
from tinyllm.cli import main

FIRST = "/model.safetensors: tensor 'model.embed_tokens.weight' has shape [61, 32]: expected"
COUNT = "expected a whole number from 1 to 2147483647"
WRONG = {
    "hidden_size": {"32": COUNT, 0: COUNT, 32.0: COUNT, 2**63: COUNT, 33: "not a multiple"},
    "vocab_size": {-61: COUNT, True: COUNT, 2**31: COUNT, 2**31 - 1: FIRST, 62: FIRST},
    "intermediate_size": {2**31 - 1: "intermediate_size=2147483647"},
    "num_attention_heads": {0: COUNT, 3: "number of attention heads", 2**30: "attention heads"},
    "num_key_value_heads": {0: COUNT, 3: "num_key_value_heads=3"},
    "num_hidden_layers": {0: COUNT, -1: COUNT, 2**31 - 1: "holds 21 tensors"},
    "head_dim": {0: COUNT, "8": COUNT, 2**30: "head_dim=1073741824"},
    "max_position_embeddings": {0: COUNT, 1e6: COUNT, 10**30: COUNT},
    "rms_norm_eps": {float("nan"): "0 or more", "1e-6": "0 or more", -1.0: "0 or more"},
    "attention_bias": {1: "expected true or false", "true": "expected true or false"},
    "tie_word_embeddings": {0: "expected true or false"},
    "rope_theta": {0: "a positive number", "1e4": "a positive number", float("inf"): "positive"},
    "hidden_act": {3: "the name of an activation", "silly": "hidden_act 'silly'"},
    "dtype": {"float33": "torch.dtype", "auto": "torch.dtype", "nn": "torch.dtype", 3: "torch"},
    "torch_dtype": {"torch.float16": "torch.dtype", "float33": "torch.dtype"},
    "model_type": {3: "the name of a model type", "lama": "the closest supported is 'llama'"},
    "layer_types": {3: "expected a list"},
    "rope_scaling": {3: "expected an object", "linear": "expected an object"},
    "attention_dropout": {-1: "a number from 0 to 1", 1.5: "from 0 to 1", True: "from 0 to 1"},
    "is_causal": {False: "expected True"},
    "is_encoder_decoder": {True: "expected False", -1: "expected False", "x": "expected False"},
    "output_hidden_states": {2.5: "expected true or false"},
    "per_layer_config": {3: "not supported"},
    "text_config": {3: "not supported"},
    "quantization_config": {"int8": "expected an object, or none"},
}
CASES = [(key, value, part) for key, values in WRONG.items() for value, part in values.items()]
ROPES = {
    "factor=0": {"rope_type": "linear", "factor": 0},
    "factor='2'": {"rope_type": "linear", "factor": "2"},
    "rope_theta=-1.0": {"rope_type": "default", "rope_theta": -1.0},
    "rope_type 'yarn'": {"rope_type": "yarn", "factor": 2.0},
    "rope_type 'dynamic'": {"type": "dynamic", "factor": 2.0},
    "Missing required keys": {"rope_type": "linear"},
}
QUANTISED = {
    "gptq": ({"bits": 2, "group_size": 128}, "bits=2 is not supported: expected one of [4, 8]"),
    "awq": ({"bits": 3, "group_size": 128}, "bits=3 is not supported: expected one of [4]"),
    "compressed-tensors": ({"format": "int-quantized"}, "format='int-quantized' is not supported"),
    "torchao": ({"quant_type": "int4"}, "quant_type='int4' is not supported: expected an object"),
    "bitsandbytes": ({"load_in_4bit": True}, "quant_method is 'bitsandbytes', which"),
    "fp8": ({"weight_block_size": [128, 128]}, "quant_method is 'fp8', which is not supported"),
    "mxfp4": ({}, "quant_method is 'mxfp4', which is not supported"),
    "hqq": ({}, "quant_method is 'hqq', which is not supported"),
    "one of tomorrow": ({}, "quant_method is 'one of tomorrow', which is not supported"),
    "": ({}, "quant_method is '', which is not supported"),
}


@pytest.fixture
def folder(tmp_path):
    models.tiny().save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def edit(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def refused(folder, *parts, kind=ValueError):
    """A message of one line that has all parts; the command line shows it and ends with status 2."""
    with pytest.raises(kind) as caught:
        tinyllm.from_pretrained(folder, device="cpu")
    message = str(caught.value)
    assert caught.type is kind
    assert "\n" not in message
    assert all(part in message for part in parts), message
    assert main(["generate", "x", "--model", str(folder), "--device", "cpu"]) == 2


@pytest.mark.parametrize(("key", "value", "part"), CASES, ids=lambda value: repr(value)[:20])
def test_a_value_that_cannot_be_meant(folder, key, value, part):
    edit(folder, **{key: value})
    named = "" if key in ("model_type", "vocab_size", "hidden_act") else str(folder)
    refused(folder, named, part)


@pytest.mark.parametrize("part", ROPES)
def test_rotations_that_cannot_be_meant(folder, part):
    edit(folder, rope_parameters=None, rope_scaling=ROPES[part])
    refused(folder, f"{folder}/config.json: ", part)


@pytest.mark.parametrize("key", ["quantization_config", "compression_config"])
@pytest.mark.parametrize("method", QUANTISED)
def test_quantised_weights_are_named(folder, method, key):
    options, message = QUANTISED[method]
    edit(folder, **{key: {"quant_method": method} | options})
    (folder / "model.safetensors").unlink()  # said before any weight is looked for
    refused(folder, f"{folder}/config.json: {key}.{message}", "load the model that was quantised")


@pytest.mark.parametrize("method", [None, 4, ["gptq"]])
def test_methods_that_are_no_names(folder, method):
    edit(folder, quantization_config={"quant_method": method, "bits": 4})
    refused(folder, f"quant_method is {method!r}, which is not supported: expected none or one of")


@pytest.mark.parametrize("value", [None, {}])
def test_no_quantisation_is_none(folder, value):
    edit(folder, quantization_config=value)
    assert tinyllm.from_pretrained(folder, device="cpu").config.vocab_size == 61


@pytest.mark.parametrize("name", ["qweight", "weight_packed", "weight_scale_inv", "weight.absmax"])
def test_quantised_tensors_that_no_configuration_names(folder, name):
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    matrix = "model.layers.0.mlp.up_proj"
    tensors[f"{matrix}.{name}"] = tensors.pop(f"{matrix}.weight").to(torch.int8)
    save_file(tensors, folder / "model.safetensors")
    refused(folder, f"tensor '{matrix}.{name}' is a part of quantised weights")


DEEP = '{"model_type": "llama", "a": ' + "[" * 5000 + "]" * 5000 + "}"
FILES = {
    "config.json": ("[]", "", '"llama"', DEEP, '{"model_type": "llama", "vocab_size": 1e999}'),
    "model.safetensors.index.json": ("[]", "null", "{", '{"weight_map": []}', '{"weight_map": {}}'),
    "generation_config.json": ("{", "[]", "3", '{"num_beams": 0, "cache_implementation": 3}'),
    "tokenizer.json": ("{}", "[]", "{"),
}


@pytest.mark.parametrize("name", FILES)
def test_files_that_are_none(folder, name):
    for text in FILES[name]:
        (folder / name).write_text(text)
        refused(folder, str(folder), name.partition(".")[0].partition("_")[0])


@pytest.mark.parametrize(
    "name", ["../x.safetensors", "/etc/x", "a/../../x", "", 3, None, "x" * 300]
)
def test_an_index_stays_in_its_folder(folder, name):
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": name}}))
    refused(folder, f"{index}: weight_map['a']=", "expected the name of a file in its folder")


def test_a_config_that_is_a_folder(folder):
    (folder / "config.json").unlink()
    (folder / "config.json").mkdir()
    refused(folder, f"{folder}/config.json: cannot be read")


def test_a_file_in_the_place_of_its_folder(folder):
    for path in (folder / "model.safetensors", folder / "config.json"):
        refused(path, f"{path} is a file", f"pass its folder, {folder}")


def test_a_folder_with_a_gguf_file_alone(tmp_path):
    (tmp_path / "model.gguf").write_bytes(b"")
    refused(tmp_path, f"name the file itself: {tmp_path}/model.gguf", kind=FileNotFoundError)


def test_an_adapter_alone(folder):
    (folder / "config.json").unlink()
    (folder / "adapter_config.json").write_text('{"base_model_name_or_path": "owner/base"}')
    refused(folder, "LoRA", "'owner/base'", "merge_and_unload()", kind=FileNotFoundError)


def test_an_adapter_beside_a_model(folder):
    (folder / "adapter_config.json").write_text('{"base_model_name_or_path": "owner/base"}')
    with pytest.warns(UserWarning, match=r"adapter_config.json: the adapter is not applied"):
        tinyllm.from_pretrained(folder, device="cpu")


@pytest.mark.parametrize("key", ["dtype", "torch_dtype"])
@pytest.mark.parametrize("named", ["float32", "float16", "bfloat16", "half", None])
def test_the_format_that_the_configuration_names(folder, key, named):
    edit(folder, **{"dtype": None, key: named})
    theirs = AutoModelForCausalLM.from_pretrained(folder).dtype
    assert tinyllm.from_pretrained(folder, device="cpu").dtype == theirs
    assert tinyllm.from_pretrained(folder, device="cpu", dtype="float32").dtype == torch.float32


def test_a_format_that_no_kernel_has(folder):
    edit(folder, dtype="float64")
    message = (
        "dtype torch.float64 is not supported: expected one of ['float32', 'float16', 'bfloat16']"
    )
    says(ValueError, message, lambda: tinyllm.from_pretrained(folder, device="cpu"))
    assert tinyllm.from_pretrained(folder, device="cpu", dtype="float32").dtype == torch.float32


@pytest.mark.parametrize("options", [{}, {"eos_token_id": 7}, {"num_beams": 3, "max_length": 9}])
def test_options_of_generation_in_the_configuration(folder, options):
    """What config.json does not name is not set, whatever the class has for a default."""
    (folder / "generation_config.json").unlink()
    values = json.loads((folder / "config.json").read_text())
    del values["eos_token_id"]
    (folder / "config.json").write_text(json.dumps(values | options))
    theirs = AutoModelForCausalLM.from_pretrained(folder).generation_config
    ours = tinyllm.from_pretrained(folder, device="cpu").generation_config
    assert ours.to_dict() == theirs.to_dict()
    assert ours.eos_token_id == options.get("eos_token_id")
