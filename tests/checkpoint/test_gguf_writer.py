"""GGUF files that are written: their models give the logits of the model with the weights that the format keeps."""

from dataclasses import replace

import gguf
import numpy as np
import pytest
import torch
from test_gguf_architectures import BRANCHES, LLAMA3
from transformers import AutoModelForCausalLM
from transformers.integrations.ggml import GGUF_CONFIG_MAPPING

import gguf_files
import models
import quantised_folders
import tinyllm
from models import close, logits_of
from tinyllm.bench.export import DecoderWeights
from tinyllm.checkpoint import open_checkpoint
from tinyllm.checkpoint.gguf_file import GGUFFile
from tinyllm.checkpoint.gguf_writer import check_path, write_gguf
from tinyllm.checkpoint.gguf_writer_config import ARCHITECTURE_NAMES
from tinyllm.checkpoint.sources import default_model_file
from tinyllm.checkpoint.weight_formats import pick_weights

TYPES = gguf.GGMLQuantizationType
SIZES = {"hidden_size": 64, "intermediate_size": 96, "num_key_value_heads": 2}
CASES = [(kind, i) for kind, branches in BRANCHES.items() for i in range(len(branches))]
# What transformers' reader of GGUF files does not read, and takes for granted.
FIXED = {
    "mistral": {"sliding_window": None},
    "qwen3": {"head_dim": 128},
    "gemma3_text": {"sliding_window_pattern": 6},
}
every_kind = pytest.mark.parametrize("kind", BRANCHES)


def tiny(kind, branch=0, **changes):
    heads = {"num_attention_heads": 1, "num_key_value_heads": 1} if "gemma" in kind else {}
    return models.tiny(kind, seed=3, **SIZES | heads | BRANCHES[kind][branch] | changes)


def saved(folder, hf):
    hf.save_pretrained(folder)
    return folder


def written(source, out, weights):
    write_gguf(open_checkpoint(source), out, pick_weights(weights, None))
    return out


def load(path, **options):
    return tinyllm.from_pretrained(path, device="cpu", **{"stage": "naive"} | options)


def types_in(path):
    return {tensor.name: tensor.tensor_type.name for tensor in gguf.GGUFReader(path).tensors}


def decoded(hf, weights):
    """The model with the values that its weights have in a format."""
    for name, parameter in hf.named_parameters():
        if parameter.ndim == 2:
            table = any(part in name for part in ("embed_tokens", "embed_in", "word_embeddings."))
            kind = TYPES.Q8_0 if table else TYPES[weights.upper()]
            blocks = gguf.quants.quantize(parameter.numpy(), kind)
            parameter.data = torch.from_numpy(np.array(gguf.quants.dequantize(blocks, kind)))
    return hf


@pytest.mark.parametrize(("kind", "branch"), CASES, ids=str)
def test_architecture(tmp_path, kind, branch):
    hf = tiny(kind, branch)
    out = written(saved(tmp_path, hf), tmp_path / "out.gguf", "float32")
    read = open_checkpoint(out)
    for name, parameter in hf.named_parameters():
        close(read.weights.read(name), parameter.data, tolerance=1e-6)
    expected = read.family.describe(hf.config)
    eps = float(np.float32(expected.norm_eps))  # as the file has it
    tied = read.config.tie_word_embeddings  # where tensors do not decide it
    same = replace(expected, norm_eps=eps, tie_word_embeddings=tied)
    assert read.family.describe(read.config) == same
    assert set(types_in(out).values()) == {"F32"}


def test_factors_of_rope(tmp_path):
    hf = tiny("llama", rope_parameters=LLAMA3)
    model = load(written(saved(tmp_path, hf), tmp_path / "out.gguf", "float32"))
    close(model.rotary.frequencies[0], hf.model.rotary_emb.inv_freq, tolerance=1e-6)
    assert model.rotary.frequencies.unique().numel() == 8


def test_all_architectures_are_tried():
    assert set(ARCHITECTURE_NAMES) == set(BRANCHES)


@every_kind
def test_quantised(tmp_path, kind):
    hf = tiny(kind, **FIXED.get(kind, {}))
    weights = ("q4_1", "q4_0", "q8_0")[list(BRANCHES).index(kind) % 3]
    out = written(saved(tmp_path, hf), tmp_path / "out.gguf", weights)
    model = load(out, weights="stored")
    decoded(hf, weights)
    ids, _ = models.ragged(61, (8,))
    close(model(ids), logits_of(hf, ids))


def test_greedy_tokens(tmp_path):
    hf = tiny("llama")
    model = load(written(saved(tmp_path, hf), tmp_path / "out.gguf", "q4_1"))
    decoded(hf, "q4_1")
    ids, mask = models.ragged(61, (8, 5))
    greedy = {"attention_mask": mask, "max_new_tokens": 8, "do_sample": False, "pad_token_id": 0}
    assert model.generate(ids, **greedy).equal(hf.generate(ids, **greedy))


@pytest.mark.parametrize("weights", ["q4_1", "bfloat16"])
def test_as_quantised_while_loading(tmp_path, weights):
    out = written(saved(tmp_path, tiny("llama")), tmp_path / "out.gguf", weights)
    ids, _ = models.ragged(61, (8,))
    close(load(out)(ids), load(tmp_path, weights=weights)(ids), tolerance=0)


@pytest.mark.parametrize(
    "kind", [kind for kind in BRANCHES if kind.removesuffix("_text") in GGUF_CONFIG_MAPPING]
)
def test_transformers_reads_it(tmp_path, kind):
    hf = tiny(kind, pad_token_id=0, **FIXED.get(kind, {}))
    out = written(saved(tmp_path, hf), tmp_path / "out.gguf", "q8_0")
    theirs = AutoModelForCausalLM.from_pretrained(
        tmp_path, gguf_file=out.name, dtype=torch.float32, attn_implementation="eager"
    )
    decoded(hf, "q8_0")
    ids, _ = models.ragged(61, (8,))
    close(logits_of(theirs.eval(), ids), logits_of(hf, ids), tolerance=1e-3)


def test_a_quantised_folder(tmp_path):
    """Matrices in AWQ's groups are decoded, and quantised anew."""
    hf = quantised_folders.tiny("qwen2")
    layout = {"quant_method": "awq", "bits": 4, "group_size": 32, "zero_point": True}
    drawn = {"bits": 4, "group": 32, "symmetric": False, "scale_dtype": torch.float16}
    quantised_folders.write(
        tmp_path, hf, layout | {"version": "gemm"}, quantised_folders.awq, **drawn
    )
    read = open_checkpoint(written(tmp_path, tmp_path / "out.gguf", "q8_0"))
    for name, parameter in decoded(hf, "q8_0").named_parameters():
        close(read.weights.read(name), parameter.data, tolerance=1e-6)


MADE_OTHERWISE = {  # what llama.cpp's converter finds in a model card, and what transformers' tokenizer lost
    *(f"general.{key}" for key in ("basename", "finetune", "languages", "license", "name")),
    *("general.organization", "general.size_label", "tokenizer.ggml.pre"),
}


def test_the_default_model_as_llama_cpp_writes_it(tmp_path, smollm):
    """Its file is llama.cpp's own; here it is written from the dense weights and transformers' tokenizer."""
    checkpoint = open_checkpoint()
    dense = replace(checkpoint, weights=DecoderWeights(smollm, checkpoint))
    write_gguf(dense, tmp_path / "out.gguf", pick_weights("q4_1", None))
    original = GGUFFile(default_model_file())
    made = GGUFFile(tmp_path / "out.gguf")
    for name in original.tensors:
        assert made.encoded(name).tobytes() == original.encoded(name).tobytes(), name
    for key in original.metadata.keys() - MADE_OTHERWISE:
        assert made.header.value(key) == original.header.value(key), key
        assert made.header.types[key] == original.header.types[key], key


# From a GGUF file


def mixed(name):
    """What llama.cpp makes of a model: most matrices in one format, some in another."""
    if "embed" in name:
        return TYPES.Q8_0
    return TYPES.Q6_K if "v_proj" in name else TYPES.Q4_1


@pytest.mark.parametrize("parts", [0, 3])
def test_only_matrices_in_other_formats_are_converted(tmp_path, parts, own_cache):
    hf = models.tiny(hidden_size=256, intermediate_size=256, num_attention_heads=4)
    metadata = gguf_files.vocabulary(61) | {"attention.sliding_window": 0}
    source = gguf_files.write(tmp_path / "in.gguf", hf, kind=mixed, parts=parts, **metadata)
    out = written(source, tmp_path / "out.gguf", "q4_1")
    read = {tensor.name: tensor for tensor in gguf.GGUFReader(out).tensors}
    for part in sorted(tmp_path.glob("in*.gguf")):
        for tensor in gguf.GGUFReader(part).tensors:
            same = read[tensor.name].data.tobytes() == tensor.data.tobytes()
            assert same == ("attn_v" not in tensor.name)
    checkpoint = open_checkpoint(out)
    name = "model.layers.1.self_attn.v_proj.weight"
    blocks = gguf.quants.quantize(hf.get_parameter(name).numpy(), TYPES.Q4_1)
    expected = gguf.quants.dequantize(blocks, TYPES.Q4_1)
    assert np.array_equal(checkpoint.weights.read(name), expected)
    assert checkpoint.tokenizer("cab")["input_ids"] == [2, 8]
    assert checkpoint.generation_config.eos_token_id == 60


def with_other_codes(path, name):
    """Change a block of Q4_0 to codes that the quantiser does not make: none of them is the largest one."""
    tensor = next(one for one in gguf.GGUFReader(path).tensors if one.name == name)
    data = bytearray(path.read_bytes())
    data[tensor.data_offset + 2 : tensor.data_offset + 18] = 16 * b"\x79"
    path.write_bytes(data)


def data_in(path):
    return {one.name: one.data.tobytes() for one in gguf.GGUFReader(path).tensors}


def test_the_same_bytes_where_nothing_changes(tmp_path):
    hf = tiny("llama", tie_word_embeddings=True, rope_parameters=LLAMA3)
    factors = np.linspace(1, 2, 8, dtype=np.float32)
    metadata = gguf_files.vocabulary(61) | {"tokenizer.ggml.scores": [0.5] * 61}
    source = gguf_files.write(
        tmp_path / "in.gguf",
        hf,
        kind=TYPES.Q4_0,
        extra=[("rope_freqs.weight", factors)],
        **metadata,
    )
    with_other_codes(source, "blk.0.ffn_up.weight")
    first = written(source, tmp_path / "first.gguf", "q4_0")
    again = written(first, tmp_path / "again.gguf", "q4_0")
    assert first.read_bytes() == again.read_bytes()
    assert data_in(first) == data_in(source)
    kinds = {field.name: field.types for field in gguf.GGUFReader(source).fields.values()}
    copied = {field.name: field.types for field in gguf.GGUFReader(first).fields.values()}
    assert kinds.items() <= copied.items()


def test_a_file_replaces_itself(tmp_path):
    path = gguf_files.write(tmp_path / "m.gguf", tiny("llama"))
    written(path, path, "q8_0")
    assert set(types_in(path).values()) == {"F32", "Q8_0"}
    assert [file.name for file in tmp_path.iterdir()] == ["m.gguf"]


# Errors


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("old.gguf", FileExistsError, "old.gguf exists: name another file, or pass --force"),
        ("no/new.gguf", FileNotFoundError, "no is no folder; create it, or name another"),
        ("new.bin", ValueError, "expected a name that ends in .gguf"),
        ("folder.gguf", IsADirectoryError, "is a folder: expected the name of a file"),
    ],
)
def test_paths_that_are_refused(tmp_path, name, kind, message):
    (tmp_path / "old.gguf").touch()
    (tmp_path / "folder.gguf").mkdir()
    with pytest.raises(kind, match=message):
        check_path(tmp_path / name, force=False)
    check_path(tmp_path / "old.gguf", force=True)


def narrow(folder):
    return saved(folder, models.tiny(hidden_size=48, num_attention_heads=4))


def other_pattern(folder):
    return saved(folder, tiny("smollm3", no_rope_layer_interval=2))


def other_activation(folder):
    return saved(folder, tiny("llama", hidden_act="gelu"))


def not_a_number(folder):
    hf = tiny("llama")
    hf.model.layers[1].mlp.up_proj.weight.data[3, 5] = float("nan")
    return saved(folder, hf)


def large(folder):
    hf = tiny("llama")
    hf.model.layers[1].mlp.up_proj.weight.data[3, 5] = 1e6
    return saved(folder, hf)


def narrow_gguf(folder):
    return gguf_files.write(folder / "m.gguf", models.tiny(hidden_size=48, num_attention_heads=4))


@pytest.mark.parametrize(
    ("make", "weights", "message"),
    [
        (lambda folder: saved(folder, models.tiny("gptj")), "q8_0", "'gptj' cannot be written as"),
        (lambda folder: saved(folder, models.tiny("opt")), "q8_0", "'opt' cannot be written as"),
        (
            narrow,
            "q4_1",
            r"'model.embed_tokens.weight' has rows of 48 weights: weights='q4_1' takes",
        ),
        (narrow_gguf, "q4_0", r"'token_embd.weight' has rows of 48 weights: weights='q4_0' takes"),
        (other_pattern, "q8_0", "has no key for all of it: pattern"),
        (other_activation, "q8_0", "has no key for all of it: activation 'gelu' as 'silu'"),
        (not_a_number, "q4_1", "layers.1.mlp.up_proj.weight' has weights that are no numbers"),
        (not_a_number, "bfloat16", "layers.1.mlp.up_proj.weight' has weights that are no numbers"),
        (large, "float16", "too large for F16"),
    ],
)
def test_models_that_are_refused(tmp_path, make, weights, message):
    source = make(tmp_path)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(ValueError, match=message):
        written(source, tmp_path / "out.gguf", weights)
    assert sorted(tmp_path.iterdir()) == before


def test_an_interrupt_leaves_the_old_file(tmp_path, monkeypatch):
    source = saved(tmp_path, tiny("llama"))
    out = written(source, tmp_path / "out.gguf", "q8_0")
    before = out.read_bytes()
    rows = []

    def interrupted(matrix, blocks):
        rows.append(len(matrix))
        if len(rows) == 5:
            raise KeyboardInterrupt
        return quantise(matrix, blocks)

    quantise = tinyllm.checkpoint.weight_formats.quantise
    monkeypatch.setattr("tinyllm.checkpoint.weight_formats.quantise", interrupted)
    with pytest.raises(KeyboardInterrupt):
        written(source, out, "q4_1")
    assert out.read_bytes() == before
    assert not list(tmp_path.glob("*.part"))
