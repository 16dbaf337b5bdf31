"""Groups of codes as blocks: fields are decoded by their definition, and blocks give the weights of their groups."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import models
import tinyllm
from packed_models import GROUPED, draw_blocks, packed_model
from tinyllm.checkpoint.groups import BLOCK_SIZES, Groups
from tinyllm.kernels.block_formats import BY_GGML_TYPE, FORMATS
from tinyllm.kernels.weights import PackedRows
from tinyllm.model import restage


def test_names_and_sizes():
    sizes = {name: (FORMATS[name].elements, FORMATS[name].nbytes) for name in GROUPED}
    assert sizes == {
        "INT4_32": (32, 24),
        "INT4_64": (64, 40),
        "INT4_128": (128, 72),
        "INT8_32": (32, 40),
        "INT8_64": (64, 72),
        "INT8_128": (128, 136),
    }
    assert all(FORMATS[name].ggml_type > 1000 for name in GROUPED)
    assert all(BY_GGML_TYPE[FORMATS[name].ggml_type].name == name for name in GROUPED)


def weight(block, bits, i):
    """Weight `i` of a block: of every 16 bytes the low halves are the first 16 codes, the high halves the others."""
    scale, zero = np.frombuffer(block[:8], np.float32)
    if bits == 8:
        code = block[8 + i]
    else:
        byte = block[8 + i // 32 * 16 + i % 16]
        code = byte >> 4 if i % 32 >= 16 else byte & 15
    return scale * (np.float32(code) - zero)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(GROUPED), st.integers(1, 3), st.integers(1, 3), st.randoms())
def test_blocks_of_any_bytes(name, n, blocks, rng):
    one = FORMATS[name]
    raw = np.frombuffer(rng.randbytes(n * blocks * one.nbytes), np.uint8).reshape(n, blocks, -1)
    bits = int(name[3])
    with np.errstate(all="ignore"):
        expected = np.array(
            [[weight(block, bits, i) for block in row for i in range(one.elements)] for row in raw]
        )
    rows = PackedRows(torch.from_numpy(raw.reshape(n, -1).copy()), one)
    for given_rows in (rows, rows.arranged(True), rows.arranged(True).arranged(False)):
        assert given_rows.shape == expected.shape
        assert np.array_equal(given_rows.unpack().numpy(), expected, equal_nan=True)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([4, 8]),
    st.sampled_from([32, 64, 96, 128, 192, 256, 384]),
    st.integers(1, 5),
    st.integers(1, 3),
    st.integers(0, 2**31),
)
def test_blocks_have_the_weights_of_their_groups(bits, size, n, groups, seed):
    generator = np.random.default_rng(seed)
    codes = torch.from_numpy(generator.integers(0, 2**bits, (n, groups * size), dtype=np.uint8))
    scales = torch.from_numpy(generator.standard_normal((n, groups)).astype(np.float32))
    zeros = torch.from_numpy(generator.integers(0, 2**bits, (n, groups)).astype(np.float32))
    matrix = Groups(codes, scales, zeros, bits)
    rows = matrix.packed()
    assert rows.format.elements == max(block for block in BLOCK_SIZES if size % block == 0)
    assert rows.has_finite_scales
    expected = scales.repeat_interleave(size, 1) * (codes - zeros.repeat_interleave(size, 1))
    assert torch.equal(matrix.dense(), expected)
    assert torch.equal(rows.unpack(), expected)


@pytest.mark.parametrize("name", ["scale", "zero"])
def test_numbers_that_are_none(name):
    rows = draw_blocks(3, 256, "INT4_64")
    assert rows.has_finite_scales
    rows.fields[name].view(torch.float32)[2, 3] = torch.inf
    assert not rows.has_finite_scales


def test_every_stage_gives_the_tokens_of_transformers():
    sizes = {"hidden_size": 128, "intermediate_size": 256, "num_attention_heads": 4}
    hf = models.tiny(**sizes, tie_word_embeddings=True)
    first = packed_model(hf, "naive", GROUPED)
    ids, mask = models.ragged(61, (2, 9, 5))
    options = {"max_new_tokens": 8, "do_sample": False, "num_beams": 3}
    expected = hf.generate(ids, attention_mask=mask, **options)
    for stage in tinyllm.STAGES.values():
        found = restage(first, stage).generate(ids, attention_mask=mask, **options)
        assert torch.equal(found, expected)
