"""compressed-tensors: folders as llm-compressor stores them are the model with the dequantised weights."""

from functools import partial

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import models
import quantised_folders as folders
import tinyllm
from models import close, logits_of
from quantised_folders import damage, reconfigure, refused

MATRIX = "model.layers.0.self_attn.k_proj"


def scheme(*, bits=4, group=32, symmetric=True, **weights):
    """A group of modules in the configuration."""
    sizes = {"strategy": "channel"} if group == -1 else {"strategy": "group", "group_size": group}
    options = {"num_bits": bits, "type": "int", "symmetric": symmetric, "dynamic": False}
    return {
        "targets": ["Linear"],
        "weights": options | sizes | weights,
        "input_activations": None,
        "output_activations": None,
    }


def configuration(*schemes, **options):
    groups = {f"group_{i}": one for i, one in enumerate(schemes)}
    return {
        "quant_method": "compressed-tensors",
        "format": "pack-quantized",
        "config_groups": groups,
        "ignore": ["lm_head"],
        "kv_cache_scheme": None,
        "quantization_status": "compressed",
    } | options


def write(folder, kind="llama", *, bits=4, group=32, symmetric=True, zeros="packed", **options):
    hf = folders.tiny(kind, **options.pop("sizes", {}))
    config = configuration(scheme(bits=bits, group=group, symmetric=symmetric))
    drawn = {"bits": bits, "group": group, "symmetric": symmetric}
    drawn |= {"scale_dtype": torch.bfloat16} | options
    tensors_of = partial(folders.compressed, bits=bits, symmetric=symmetric, zeros=zeros)
    folders.write(folder, hf, config, tensors_of, **drawn)
    return hf


def alike(folder, hf, **options):
    ids, _ = models.ragged(61, (9,))
    model = tinyllm.from_pretrained(folder, device="cpu", stage="naive", **options)
    close(model(ids), logits_of(hf, ids))
    return folders.formats_of(model)


@pytest.mark.parametrize("kind", ["llama", "qwen2"])
@pytest.mark.parametrize("weights", ["float32", "stored", None])
def test_families(tmp_path, kind, weights):
    hf = write(tmp_path, kind, symmetric=kind == "llama")
    formats = set() if weights == "float32" else {"INT4_32"}
    folders.answers_alike(tmp_path, hf, weights=weights, formats=formats)


@pytest.mark.parametrize(
    ("bits", "group", "symmetric", "zeros", "formats"),
    [
        (4, 64, False, "packed", {"INT4_64"}),
        (4, 128, False, "one a byte", {"INT4_128"}),
        (4, -1, True, None, {"INT4_128"}),
        (8, 32, False, "packed", {"INT8_32"}),
        (8, 64, True, None, {"INT8_64"}),
        (8, -1, False, "one a byte", {"INT8_128"}),
    ],
)
def test_options(tmp_path, bits, group, symmetric, zeros, formats):
    hf = write(tmp_path, bits=bits, group=group, symmetric=symmetric, zeros=zeros)
    assert alike(tmp_path, hf, weights="stored") == formats


def test_outputs_that_end_inside_a_word(tmp_path):
    """A row of 61 zero points takes 8 words of 8."""
    hf = write(tmp_path, symmetric=False, dense=())
    assert alike(tmp_path, hf, weights="stored") == {"INT4_32"}


def test_rows_that_end_inside_a_word_are_decoded(tmp_path):
    """Channels of 52 inputs in 7 words of 8; no blocks make them up."""
    sizes = {"intermediate_size": 52}
    hf = write(tmp_path, group=-1, symmetric=False, sizes=sizes)
    with pytest.warns(UserWarning, match="no kernel reads groups that are no multiple of 32"):
        assert alike(tmp_path, hf) == {"INT4_128"}
    assert alike(tmp_path, hf, weights="float32") == set()


def shuffled(k):
    """Groups of 32 inputs that lie anywhere."""
    return np.random.default_rng(k).permutation(np.arange(k) // 32)


def test_activation_order_is_decoded_and_not_packed(tmp_path):
    hf = write(tmp_path, group_of=shuffled)
    reconfigure(tmp_path, config_groups={"group_0": scheme(actorder="group")})
    with pytest.warns(UserWarning, match="no kernel reads groups that are no multiple of 32"):
        folders.answers_alike(tmp_path, hf, weights=None)
    damage(tmp_path, f"{MATRIX}.weight_g_idx", lambda x: None)
    refused(tmp_path, f"has no tensor '{MATRIX}.weight_g_idx'")


@pytest.mark.parametrize("group_of", [lambda k: np.arange(k) // 32, lambda k: np.full(k, -1)])
def test_groups_in_order(tmp_path, group_of):
    """Inputs in order, or groups that no quantiser has set."""
    hf = write(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    for name in [name for name in tensors if name.endswith("weight_shape")]:
        order = group_of(tensors[name][1].item())
        tensors[name.replace("_shape", "_g_idx")] = torch.from_numpy(order).int()
    save_file(tensors, tmp_path / "model.safetensors")
    assert alike(tmp_path, hf, weights="stored") == {"INT4_32"}


def test_matrices_of_two_kinds(tmp_path):
    """Groups of modules with different bits and sizes of groups, told apart by the shapes of their tensors."""
    hf = write(tmp_path)
    (tmp_path / "wide").mkdir()
    wide = write(tmp_path / "wide", bits=8, group=128)
    tensors = load_file(tmp_path / "model.safetensors")
    others = load_file(tmp_path / "wide" / "model.safetensors")
    tensors |= {name: x for name, x in others.items() if "down_proj" in name}
    for mine, other in zip(hf.model.layers, wide.model.layers, strict=True):
        mine.mlp.down_proj = other.mlp.down_proj
    save_file(tensors, tmp_path / "model.safetensors")
    groups = {"group_0": scheme(), "group_1": scheme(bits=8, group=128)}
    reconfigure(tmp_path, config_groups=groups)
    assert alike(tmp_path, hf, weights="stored") == {"INT4_32", "INT8_128"}


DAMAGED = {
    "weight_packed": (
        lambda x: x[:, 1:],
        "'{}.weight_packed' has shape [64, 15]: expected [64, 16]",
    ),
    "weight_scale": (lambda x: x[:, 1:], "'{}.weight_scale' has 3 groups of 32 of 128 inputs"),
    "weight_zero_point": (
        lambda x: x[1:],
        "'{}.weight_zero_point' has shape [7, 4]: expected [8, 4]",
    ),
    "weight_shape": (lambda x: x[:1], "'{}.weight_shape' has shape [1]: expected [2]"),
}


@pytest.mark.parametrize("part", DAMAGED)
def test_tensors_that_do_not_fit_each_other(tmp_path, part):
    write(tmp_path, symmetric=False)
    change, message = DAMAGED[part]
    damage(tmp_path, f"{MATRIX}.{part}", change)
    refused(tmp_path, f"{tmp_path}/model.safetensors: tensor ", message.format(MATRIX))


@pytest.mark.parametrize("part", DAMAGED)
def test_tensors_that_are_absent(tmp_path, part):
    write(tmp_path, symmetric=False)
    damage(tmp_path, f"{MATRIX}.{part}", lambda x: None)
    refused(tmp_path, f"{tmp_path} has no tensor '{MATRIX}.{part}': expected one beside")


@pytest.mark.parametrize("shape", [(-64, 128), (64, -128), (0, 0), (2**62, 2**62), (64, 120)])
def test_a_shape_that_is_none(tmp_path, shape):
    write(tmp_path)
    damage(tmp_path, f"{MATRIX}.weight_shape", lambda x: torch.tensor(shape))
    refused(tmp_path, f"'{MATRIX}.weight_")


def test_values_that_cannot_be_meant(tmp_path):
    write(tmp_path, symmetric=False, zeros="one a byte")
    damage(tmp_path, f"{MATRIX}.weight_zero_point", lambda x: x.fill_(8))
    refused(tmp_path, "has values from 8 to 8: expected -8 to 7, which 4 bits hold")
    damage(tmp_path, f"{MATRIX}.weight_scale", lambda x: x / 0)
    refused(tmp_path, f"tensor '{MATRIX}.weight_scale' has a scale that is no number")


OPTIONS = [
    ({"format": "int-quantized"}, "format='int-quantized' is not supported"),
    ({"kv_cache_scheme": {"num_bits": 8}}, "kv_cache_scheme={'num_bits': 8} is not supported"),
    ({"transform_config": {"config_groups": {"R1": {}}}}, "transform_config="),
    ({"sparsity_config": {"format": "sparse-24-bitmask"}}, "sparsity_config.format="),
    ({"config_groups": {}}, "config_groups={} is not supported: expected an object of objects"),
    ({"config_groups": {"W4A16": ["Linear"]}}, "config_groups.W4A16=['Linear'] is not supported"),
    ({"config_groups": {"a": {"weights": None}}}, "config_groups.a.weights=None"),
    ({"config_groups": {"a": scheme(bits=3)}}, "a.weights.num_bits=3 is not supported"),
    ({"config_groups": {"a": scheme(type="float")}}, "a.weights.type='float' is not supported"),
    ({"config_groups": {"a": scheme(strategy="tensor")}}, "a.weights.strategy='tensor'"),
    ({"config_groups": {"a": scheme(group=0)}}, "a.weights.group_size=0 is not supported"),
    ({"config_groups": {"a": scheme(group=96)}}, "groups of 96 of 256 inputs (group_size)"),
    ({"config_groups": {"a": scheme(symmetric=False)}}, "has no tensor '{}.weight_zero_point'"),
    (
        {"config_groups": {"a": scheme() | {"input_activations": {"num_bits": 8}}}},
        "a.input_activations={'num_bits': 8} is not supported: expected one of [None]",
    ),
]


@pytest.mark.parametrize(("options", "message"), OPTIONS, ids=str)
def test_options_that_are_not_supported(tmp_path, options, message):
    write(tmp_path)
    reconfigure(tmp_path, **options)
    first = "model.layers.0.mlp.down_proj"
    refused(
        tmp_path, str(tmp_path), message.replace("{}", first) if "tensor" in message else message
    )
