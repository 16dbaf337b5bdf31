"""GPTQ: folders as AutoGPTQ and GPTQModel store them are the model with the dequantised weights."""

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
from tinyllm.bench.engines import load_engines
from tinyllm.checkpoint import open_checkpoint
from tinyllm.checkpoint.weight_formats import quantise
from tinyllm.checkpoint.weights import SafetensorsFolder
from tinyllm.kernels.block_formats import FORMATS

MATRIX = "model.layers.1.mlp.down_proj"


def write(folder, kind="llama", *, bits=4, group=32, version=1, symmetric=False, **options):
    hf = folders.tiny(kind, **options.pop("sizes", {}))
    config = {
        "quant_method": "gptq",
        "bits": bits,
        "group_size": group,
        "checkpoint_format": "gptq" if version == 1 else "gptq_v2",
        "desc_act": "group_of" in options,
        "sym": symmetric,
    }
    drawn = {"bits": bits, "group": group, "symmetric": symmetric}
    drawn |= {"scale_dtype": torch.float16} | options
    folders.write(folder, hf, config, partial(folders.gptq, bits=bits, version=version), **drawn)
    return hf


@pytest.mark.parametrize("kind", ["llama", "qwen2"])
@pytest.mark.parametrize("weights", ["float32", "stored", None])
def test_families(tmp_path, kind, weights):
    hf = write(tmp_path, kind)
    formats = set() if weights == "float32" else {"INT4_32"}
    folders.answers_alike(tmp_path, hf, weights=weights, formats=formats)


@pytest.mark.parametrize("kind", ["phi3", "gpt_neox", "bloom"])
def test_families_with_merged_rows(tmp_path, kind):
    hf = write(tmp_path, kind, sizes={"sliding_window": None} if kind == "phi3" else {})
    ids, _ = models.ragged(61, (9,))
    model = tinyllm.from_pretrained(tmp_path, device="cpu", stage="naive", weights="stored")
    close(model(ids), logits_of(hf, ids))


@pytest.mark.parametrize(
    ("bits", "group", "version", "formats"),
    [
        (4, 64, 2, {"INT4_64"}),
        (4, 128, 1, {"INT4_128"}),
        (4, -1, 1, {"INT4_128"}),
        (8, 32, 2, {"INT8_32"}),
        (8, -1, 1, {"INT8_128"}),
    ],
)
def test_options(tmp_path, bits, group, version, formats):
    hf = write(tmp_path, bits=bits, group=group, version=version, scale_dtype=torch.bfloat16)
    ids, _ = models.ragged(61, (9,))
    model = tinyllm.from_pretrained(tmp_path, device="cpu", stage="naive", weights="stored")
    close(model(ids), logits_of(hf, ids))
    assert folders.formats_of(model) == formats


def test_zero_points_of_the_second_format_start_at_zero(tmp_path):
    hf = write(tmp_path, version=2)
    damage(tmp_path, f"{MATRIX}.qzeros", torch.zeros_like)
    matrix = dict(hf.named_modules())[MATRIX]
    loaded = tinyllm.from_pretrained(tmp_path, device="cpu", dtype="float32")
    assert loaded.layers[1].down_proj.weight.min() >= 0 > matrix.weight.min()


def shuffled(k):
    """Groups of 32 inputs that lie anywhere."""
    return np.random.default_rng(k).permutation(np.arange(k) // 32)


def test_act_order_is_decoded_and_not_packed(tmp_path):
    hf = write(tmp_path, group_of=shuffled)
    folders.answers_alike(tmp_path, hf, weights="float32")
    with pytest.warns(
        UserWarning, match="matrices are dense in memory and take .* groups that are"
    ):
        folders.answers_alike(tmp_path, hf, weights=None, formats=set())


def test_without_the_groups_of_inputs(tmp_path):
    hf = write(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    kept = {name: x for name, x in tensors.items() if not name.endswith("g_idx")}
    assert len(kept) < len(tensors)
    save_file(kept, tmp_path / "model.safetensors")
    ids, _ = models.ragged(61, (9,))
    close(tinyllm.from_pretrained(tmp_path, device="cpu")(ids), logits_of(hf, ids))


def test_biases_of_zeros_that_no_decoder_has(tmp_path):
    hf = write(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    save_file(tensors | {f"{MATRIX}.bias": torch.zeros(128)}, tmp_path / "model.safetensors")
    ids, _ = models.ragged(61, (9,))
    close(tinyllm.from_pretrained(tmp_path, device="cpu")(ids), logits_of(hf, ids))
    save_file(tensors | {f"{MATRIX}.bias": torch.ones(128)}, tmp_path / "model.safetensors")
    refused(tmp_path, f"has the tensor '{MATRIX}.bias'", "does not use")


def test_a_dense_matrix_beside_quantised_ones(tmp_path):
    """Merged rows may be of both kinds; `dynamic` excludes modules."""
    hf = write(tmp_path, dense=("lm_head", "v_proj"))
    reconfigure(tmp_path, dynamic={r"-:.*\.v_proj": {}})
    folders.answers_alike(tmp_path, hf, weights="stored", formats={"INT4_32", "F32"})


def test_a_quantised_head_in_the_place_of_a_tied_embedding(tmp_path):
    hf = write(tmp_path, dense=(), sizes={"vocab_size": 64})
    config = tmp_path / "config.json"
    config.write_text(config.read_text().replace('embeddings": false', 'embeddings": true'))
    ids, _ = models.ragged(61, (9,))
    model = tinyllm.from_pretrained(tmp_path, device="cpu", stage="naive", weights="stored")
    close(model(ids), logits_of(hf, ids))
    tensors = load_file(tmp_path / "model.safetensors")
    del tensors["model.embed_tokens.weight"]
    save_file(tensors, tmp_path / "model.safetensors")
    hf.model.embed_tokens.weight.data = hf.lm_head.weight.data
    model = tinyllm.from_pretrained(tmp_path, device="cpu", stage="naive", weights="stored")
    close(model(ids), logits_of(hf, ids))


def test_blocks_of_gguf_are_made_of_the_decoded_weights(tmp_path):
    hf = write(tmp_path)
    model = tinyllm.from_pretrained(tmp_path, device="cpu", stage="naive", weights="q8_0")
    assert folders.formats_of(model) == {"Q8_0"}
    for parameter in hf.parameters():
        if parameter.ndim == 2:
            parameter.data = quantise(parameter.data, FORMATS["Q8_0"]).unpack()
    ids, _ = models.ragged(61, (9,))
    close(model(ids), logits_of(hf, ids))


def test_many_files(tmp_path):
    hf = write(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    (tmp_path / "model.safetensors").unlink()
    files = {"first.safetensors": {}, "second.safetensors": {}}
    for i, (name, tensor) in enumerate(tensors.items()):
        list(files.values())[i % 2][name] = tensor
    folders.save_index(tmp_path, files)
    ids, _ = models.ragged(61, (9,))
    close(tinyllm.from_pretrained(tmp_path, device="cpu")(ids), logits_of(hf, ids))


def test_the_model_of_transformers_beside_ours(tmp_path):
    hf = write(tmp_path)
    checkpoint = open_checkpoint(tmp_path)
    engines = load_engines(checkpoint, ["naive"], ["hf"], torch.device("cpu"), torch.float32)
    ids, _ = models.ragged(61, (9,))
    for engine in engines:
        found = engine.model(ids)
        close(getattr(found, "logits", found), logits_of(hf, ids))


def test_zero_points_that_the_first_format_cannot_store(tmp_path):
    write(tmp_path)
    damage(tmp_path, f"{MATRIX}.qzeros", lambda x: torch.full_like(x, -1))
    refused(tmp_path, f"tensor '{MATRIX}.qzeros' has a zero point of 16 or 0", "'gptq_v2'")
    reconfigure(tmp_path, checkpoint_format="gptq_v2")
    tinyllm.from_pretrained(tmp_path, device="cpu")


def without_a_group(x):
    return x[:-1]


DAMAGED = {
    "qweight": (lambda x: x[:-4], "tensor '{}.scales' has 8 groups of 32 of 224 inputs"),
    "qzeros": (without_a_group, "tensor '{}.qzeros' has shape [7, 16]: expected [8, 16]"),
    "scales": (lambda x: x[:, :-8], "tensor '{}.scales' has shape [8, 120]: expected [8, 128]"),
    "g_idx": (without_a_group, "tensor '{}.g_idx' has shape [255]: expected [256]"),
}


@pytest.mark.parametrize("part", DAMAGED)
def test_tensors_that_do_not_fit_each_other(tmp_path, monkeypatch, part):
    """Refused by their shapes, before any is read."""
    write(tmp_path)
    monkeypatch.setattr(SafetensorsFolder, "read", None)
    change, message = DAMAGED[part]
    damage(tmp_path, f"{MATRIX}.{part}", change)
    refused(tmp_path, f"{tmp_path}/model.safetensors: ", message.format(MATRIX))


@pytest.mark.parametrize("part", ["qweight", "qzeros", "scales"])
def test_tensors_that_are_absent(tmp_path, part):
    write(tmp_path)
    damage(tmp_path, f"{MATRIX}.{part}", lambda x: None)
    refused(tmp_path, f"{tmp_path} has no tensor '{MATRIX}.{part}': expected one beside")


@pytest.mark.parametrize("weights", [None, "stored"])
def test_values_that_cannot_be_meant(tmp_path, weights):
    write(tmp_path)
    damage(tmp_path, f"{MATRIX}.g_idx", lambda x: x + 1)
    refused(
        tmp_path, f"'{MATRIX}.g_idx' has groups 1 to 8: expected groups 0 to 7", weights=weights
    )
    damage(tmp_path, f"{MATRIX}.scales", lambda x: x / 0)
    refused(tmp_path, f"'{MATRIX}.scales' has a scale that is no number", weights=weights)
    damage(tmp_path, f"{MATRIX}.scales", lambda x: x.double())
    refused(tmp_path, "is stored as F64: expected one of ['F16', 'BF16', 'F32']", weights=weights)


def test_a_matrix_that_is_stored_twice(tmp_path):
    write(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    tensors |= {f"{MATRIX}.weight": torch.ones(128, 256)}
    save_file(tensors, tmp_path / "model.safetensors")
    refused(tmp_path, f"tensor '{MATRIX}.weight' is stored dense and quantised too")


def test_sizes_of_another_model(tmp_path):
    write(tmp_path)
    config = tmp_path / "config.json"
    config.write_text(
        config.read_text().replace('"intermediate_size": 256', '"intermediate_size": 224')
    )
    refused(
        tmp_path,
        "tensor 'model.layers.0.mlp.gate_proj.weight' has shape [256, 128]: expected [224, 128]",
    )


OPTIONS = [
    ("bits", 3, "expected one of [4, 8]"),
    ("bits", "4", "expected one of [4, 8]"),
    (
        "bits",
        8,
        "qzeros' has shape [8, 16]: expected [8, 32]",
    ),
    ("group_size", 0, "a multiple of 32 inputs, or -1"),
    ("group_size", None, "a multiple of 32 inputs, or -1"),
    ("group_size", 64, "has 8 groups of 64 of 256 inputs (group_size)"),
    ("group_size", 16, "a multiple of 32 inputs, or -1"),
    ("group_size", 32 * 10**30, "(group_size): expected groups that make up a row"),
    ("checkpoint_format", "marlin", "expected one of ['gptq', 'gptq_v2']"),
    ("dynamic", {r"+:.*q_proj": {"bits": 8}}, "expected no modules with other options"),
    ("dynamic", 3, "expected no modules with other options"),
]


@pytest.mark.parametrize(("name", "value", "message"), OPTIONS, ids=str)
def test_options_that_are_not_supported(tmp_path, name, value, message):
    write(tmp_path)
    reconfigure(tmp_path, **{name: value})
    refused(tmp_path, str(tmp_path), message)
