"""Matrices stay in the blocks that a GGUF file has, or that they are quantised to, and give transformers' values."""

import gguf
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import gguf_files
import models
import tinyllm
from models import close, logits_of
from packed_models import GROUPED, PACKED, draw_blocks
from tinyllm.checkpoint.weight_formats import quantise
from tinyllm.kernels.block_formats import FORMATS
from tinyllm.kernels.weights import PackedRows
from tinyllm.linear import storage_size

TYPES = gguf.GGMLQuantizationType
SIZES = {"hidden_size": 256, "intermediate_size": 256, "num_attention_heads": 4, "head_dim": 64}
ROPE = {"query_pre_attn_scalar": 256, "tie_word_embeddings": True, "head_dim": 256}
FAMILIES = {
    "llama": {"num_key_value_heads": 2},
    "qwen2": {},
    "qwen3": {},
    "mistral": {"sliding_window": None},
    "smollm3": {"no_rope_layer_interval": 4, "num_hidden_layers": 5},
    "phi3": {},
    "gemma2": ROPE | {"sliding_window": 5},
    "gemma3_text": ROPE,
    "gpt_neox": {},
    "bloom": {},
}


def mixed(name):
    """What llama.cpp's Q4_K_M makes of a model: most matrices in one format, some in a wider one."""
    wide = (".v_proj", "down_proj", "dense_4h_to_h", "lm_head")
    if "embed" in name:
        return TYPES.Q8_0
    return TYPES.Q6_K if any(part in name for part in wide) else TYPES.Q4_K


def load(path, **options):
    return tinyllm.from_pretrained(path, device="cpu", **{"stage": "naive"} | options)


def formats_of(model):
    return {
        name: [part.format.name for part in module.packed.weight.parts]
        for name, module in model.named_modules()
        if getattr(module, "packed", None) is not None
    }


def tiny(kind, **changes):
    sizes = SIZES if kind != "phi3" and kind != "gpt_neox" and kind != "bloom" else {**SIZES}
    if kind in ("phi3", "gpt_neox", "bloom", "qwen2"):
        sizes = {name: size for name, size in sizes.items() if name != "head_dim"}
    return models.tiny(kind, **sizes | FAMILIES[kind] | changes)


@pytest.mark.parametrize("kind", FAMILIES)
def test_families_in_mixed_formats(tmp_path, kind):
    hf = tiny(kind)
    path = gguf_files.write(tmp_path / "m.gguf", hf, kind=mixed)
    model = load(path, weights="stored")
    found = formats_of(model)
    ids, _ = models.ragged(61, (30,))
    close(model(ids), logits_of(hf, ids))
    assert storage_size(model).elements == sum(p.numel() for p in set(hf.parameters()))
    assert found["layers.0.down_proj"] == ["Q6_K"]
    merged = found["layers.0.qkv_proj"]
    assert merged == (["Q4_K", "Q4_K", "Q6_K"] if len(merged) > 1 else ["Q4_K"])


@pytest.mark.parametrize("name", PACKED)
def test_formats(tmp_path, name):
    hf = tiny("llama")
    path = gguf_files.write(tmp_path / "m.gguf", hf, kind=TYPES[name])
    model = load(path, weights="stored")
    assert {one for found in formats_of(model).values() for one in found} == {name}
    ids, _ = models.ragged(61, (30,))
    close(model(ids), logits_of(hf, ids))
    stored = sum(t.n_bytes for t in gguf.GGUFReader(path).tensors)
    assert storage_size(model).nbytes == stored


def test_matrices_are_mapped_from_the_file(tmp_path):
    path = gguf_files.write(tmp_path / "m.gguf", tiny("llama"), kind=TYPES.Q4_1)
    model = load(path, weights="stored")
    down = [layer.down_proj.packed.blocks[0].untyped_storage() for layer in model.layers]
    assert len({storage.data_ptr() for storage in down}) == 1
    assert down[0].nbytes() == path.stat().st_size


def test_parts_of_a_split_file(tmp_path):
    hf = tiny("llama")
    path = gguf_files.write(tmp_path / "m.gguf", hf, kind=TYPES.Q8_0, parts=3)
    ids, _ = models.ragged(61, (9,))
    close(load(path, weights="stored")(ids), logits_of(hf, ids))


@pytest.mark.parametrize(
    ("stored", "dtype", "kept"),
    [
        (TYPES.F16, "float32", ["F16"]),
        (TYPES.BF16, "float32", ["BF16"]),
        (TYPES.F16, "bfloat16", None),
        (TYPES.F32, "float32", None),
    ],
)
def test_what_is_kept_as_it_is_stored(tmp_path, stored, dtype, kept):
    """Number formats, where they are the smaller one."""
    path = gguf_files.write(tmp_path / "m.gguf", tiny("llama"), kind=stored)
    found = formats_of(load(path, weights="stored", dtype=dtype))
    assert found.get("layers.0.down_proj") == kept


def test_encodings_without_a_kernel(tmp_path):
    """They become dense, and a warning says what that costs."""
    path = gguf_files.write(tmp_path / "m.gguf", tiny("llama"), kind=TYPES.Q5_0)
    size = "matrices are dense in memory and take 3.1 MiB: no kernel reads Q5_0"
    with pytest.warns(UserWarning, match=size):
        assert not formats_of(load(path))


def test_dense_rows_beside_packed_ones(tmp_path):
    hf = tiny("llama")
    kind = lambda name: TYPES.F32 if "v_proj" in name else TYPES.Q4_0  # noqa: E731
    model = load(gguf_files.write(tmp_path / "m.gguf", hf, kind=kind), weights="stored")
    assert formats_of(model)["layers.1.qkv_proj"] == ["Q4_0", "Q4_0", "F32"]
    ids, _ = models.ragged(61, (9,))
    close(model(ids), logits_of(hf, ids))


@pytest.mark.parametrize("weights", ["q4_0", "q4_1", "q8_0"])
def test_quantised_while_loading(tmp_path, weights):
    hf = tiny("llama")
    hf.save_pretrained(tmp_path)
    model = load(tmp_path, weights=weights)
    blocks = FORMATS[weights.upper()]
    assert formats_of(model)["layers.0.qkv_proj"] == [blocks.name] * 3
    assert formats_of(model)["embed_tokens"] == ["Q8_0"]
    for name, parameter in hf.named_parameters():
        if parameter.ndim == 2:
            kept = FORMATS["Q8_0"] if "embed" in name else blocks
            parameter.data = quantise(parameter.data, kept).unpack()
    ids, _ = models.ragged(61, (9,))
    close(model(ids), logits_of(hf, ids))


def test_a_narrow_number_format(tmp_path):
    hf = tiny("llama")
    hf.save_pretrained(tmp_path)
    model = load(tmp_path, weights="bfloat16", dtype="float32")
    assert formats_of(model)["layers.0.o_proj"] == ["BF16"] and model.dtype == torch.float32
    for parameter in hf.parameters():
        if parameter.ndim == 2:
            parameter.data = parameter.data.bfloat16().float()
    ids, _ = models.ragged(61, (9,))
    close(model(ids), logits_of(hf, ids))
    assert not formats_of(load(tmp_path, weights="float32"))


def test_other_dtypes_of_activations(tmp_path):
    path = gguf_files.write(tmp_path / "m.gguf", tiny("llama"), kind=TYPES.Q4_1)
    ids, _ = models.ragged(61, (9,))
    logits = load(path, weights="stored", dtype="bfloat16")(ids)
    assert logits.dtype == torch.bfloat16
    close(logits, load(path, weights="stored").to(torch.bfloat16)(ids), tolerance=0)
    close(logits, load(path, dtype="bfloat16")(ids), tolerance=0)


def test_defaults(tmp_path):
    """As stored, or dense in the dtype that is given."""
    path = gguf_files.write(tmp_path / "m.gguf", tiny("llama"), kind=TYPES.Q4_1)
    assert formats_of(load(path))["layers.0.o_proj"] == ["Q4_1"]
    assert not formats_of(load(path, dtype="float32"))
    assert formats_of(load(path, dtype="float32", weights="stored"))


def test_unknown_formats(tmp_path):
    with pytest.raises(ValueError, match=r"weights 'q3_k' are not supported: expected one of"):
        load(tmp_path, weights="q3_k")
    models.tiny(hidden_size=48, num_attention_heads=4).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="rows of 48 weights: weights='q4_1' takes multiples"):
        load(tmp_path, weights="q4_1")


NO_NUMBERS = [float("nan"), float("inf"), float("-inf")]


@pytest.mark.parametrize("number", NO_NUMBERS, ids=str)
@pytest.mark.parametrize("name", [*PACKED, *GROUPED])
def test_scales_that_are_no_numbers_are_found_in_any_block(name, number):
    """Scale, minimum and zero point, of the first and of the last block, in either arrangement."""
    one = FORMATS[name]
    sound = draw_blocks(2, 256, name)
    assert sound.has_finite_scales
    for field in ("scale", "minimum", "zero"):
        for block in (0, -1) if field in sound.fields else ():
            rows = sound._replace(blocks=sound.blocks.clone())
            rows.fields[field].view(one.scale_dtype)[-1, block] = number
            assert not rows.has_finite_scales
            assert not rows.arranged(planar=True).has_finite_scales


@pytest.mark.parametrize("name", PACKED)
def test_a_file_with_a_scale_that_is_no_number_is_refused(tmp_path, name):
    path = gguf_files.write(tmp_path / "m.gguf", tiny("llama"), kind=TYPES[name])
    found = next(t for t in gguf.GGUFReader(path).tensors if t.name == "blk.1.ffn_down.weight")
    one = FORMATS[name]
    raw = np.memmap(path, np.uint8, "r+", found.data_offset, (256, one.row_bytes(256)))
    rows = PackedRows(torch.from_numpy(raw), one)
    field = "minimum" if "minimum" in rows.fields else "scale"
    rows.fields[field].view(one.scale_dtype)[7, -1] = float("nan")
    raw.flush()
    with pytest.raises(ValueError, match=r"'blk.1.ffn_down.weight' has a block whose scale is no"):
        load(path, weights="stored")


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(PACKED), st.integers(1, 5), st.integers(1, 3), st.randoms())
def test_blocks_of_any_bytes_are_decoded_as_the_gguf_package_does(name, n, blocks, rng):
    one = FORMATS[name]
    raw = np.frombuffer(rng.randbytes(n * blocks * one.nbytes), np.uint8).reshape(n, -1)
    with np.errstate(all="ignore"):
        expected = gguf.quants.dequantize(raw, TYPES[name])
    rows = PackedRows(torch.from_numpy(raw.copy()), one)
    for given_rows in (rows, rows.arranged(True), rows.arranged(True).arranged(False)):
        assert given_rows.shape == (n, blocks * one.elements)
        assert np.array_equal(given_rows.unpack().numpy(), expected, equal_nan=True)
    ids = torch.tensor([n - 1, 0])
    assert np.array_equal(rows.lookup(ids).numpy(), expected[ids], equal_nan=True)


def test_rows_of_blocks():
    rows = draw_blocks(5, 512, "Q5_K")
    expected = rows.unpack()
    for given_rows in (rows, rows.arranged(True)):
        assert torch.equal(given_rows.unpack(1, 4), expected[1:4])
    with pytest.raises(ValueError, match="rows of 300 weights in Q5_K: expected a multiple of 256"):
        FORMATS["Q5_K"].row_bytes(300)
