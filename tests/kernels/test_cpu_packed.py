"""The native kernels of the CPU with weights in blocks, against float64 of the weights as torch unpacks them."""

import pytest
import torch
from cpu_kernels import DTYPES, OTHER_INSTRUCTION_SETS, draw, kernels_for
from hypothesis import given, settings
from hypothesis import strategies as st
from packed_weights import packed_rows, packed_weight, unpacked

from tinyllm.check import references
from tinyllm.check.tables import TOLERANCES
from tinyllm.kernels import DEFAULT_CPU, cpu
from tinyllm.kernels.block_formats import FORMATS, BlockFormat
from tinyllm.kernels.weights import DenseWeight, PackedRows, PackedWeight

ROWS = (1, 2, 3, 4, 5, 8, 16)


@pytest.fixture(params=["best", *OTHER_INSTRUCTION_SETS])
def kernels(request):
    """The kernels of each instruction set that this processor has."""
    return cpu.kernels() if request.param == "best" else kernels_for(request.param)


def sizes_of_rows(name):
    """Weights of a row: one block, blocks that fill no unit of a kernel, one more than fill it, and many."""
    counts = (1, 2, 5) if FORMATS[name].elements == 256 else (1, 2, 3, 4, 5, 7, 8, 18)
    return [count * FORMATS[name].elements for count in counts]


def assert_right(got, right, dtype):
    scale = right.abs().clamp(min=right.square().mean().sqrt())
    assert ((got.double() - right).abs() <= TOLERANCES[dtype] * scale).all()


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", FORMATS)
def test_matmul(kernels, name, dtype):
    for k in sizes_of_rows(name):
        weight = packed_weight([name], 37, k, dtype)
        right = unpacked(weight).double().T
        for rows in ROWS:
            x = draw(rows, k, dtype=dtype)
            assert_right(kernels.linear(x, weight), x.double() @ right, dtype)


@pytest.mark.parametrize("name", FORMATS)
def test_float32_is_as_exact_as_with_dense_weights(kernels, name):
    k = 1536
    weight = packed_weight([name], 64, k)
    dense = unpacked(weight)
    x = draw(4, k)
    right = x.double() @ dense.double().T
    mine = kernels.linear(x, weight) - right
    theirs = x @ dense.T - right
    assert mine.square().mean() <= 4 * theirs.square().mean()


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("layer_norm", [False, True])
def test_prologue_and_epilogue(kernels, name, dtype, layer_norm):
    k, n = 512, 54
    for rows, threads, gated in ((1, 2, False), (3, 1, True), (6, 5, True)):
        torch.set_num_threads(threads)
        weight = packed_weight([name], n, k, dtype)
        columns = n // 2 if gated else n
        x = draw(rows, k, dtype=dtype)
        bias = draw(n, dtype=dtype)
        residuals = (draw(rows, columns, dtype=dtype), draw(rows, columns + 1, dtype=dtype)[:, 1:])
        norm_bias = draw(k + 1, dtype=dtype)[1:] if layer_norm else None
        norm = references.NormWeights(draw(k, dtype=dtype), norm_bias, 1e-5)
        wide_norm = references.NormWeights(
            norm.weight.double(), norm_bias.double() if layer_norm else None, 1e-5
        )
        epilogue = {"activation": "silu", "gated": gated}
        got = kernels.linear(x, weight, bias, norm, residuals=residuals, **epilogue)
        right = references.linear(
            x.double(),
            DenseWeight(unpacked(weight).double()),
            bias.double(),
            wide_norm,
            residuals=tuple(residual.double() for residual in residuals),
            **epilogue,
        )
        assert_right(got, right, dtype)


@settings(deadline=None, max_examples=30)
@given(
    names=st.lists(st.sampled_from(sorted(FORMATS)), min_size=1, max_size=4),
    n=st.integers(4, 90),
    rows=st.integers(1, 16),
    threads=st.integers(1, 4),
    gated=st.booleans(),
)
def test_parts_of_several_formats(names, n, rows, threads, gated):
    n += n % 2
    torch.set_num_threads(threads)
    weight = packed_weight(names, n, 256, seed=n)
    x = draw(rows, 256)
    epilogue = {"activation": "gelu", "gated": gated}
    right = references.linear(x.double(), DenseWeight(unpacked(weight).double()), **epilogue)
    assert_right(cpu.linear(x, weight, **epilogue), right, torch.float32)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", FORMATS)
def test_unpacked_rows_are_those_of_torch(kernels, name, dtype):
    for k in sizes_of_rows(name):
        rows = packed_rows(name, 11, k, seed=k)
        for first, last, threads in ((0, 11, 2), (3, 8, 1), (10, 11, 5), (4, 4, 1)):
            torch.set_num_threads(threads)
            got = kernels.unpack(rows, first, last, dtype)
            assert torch.equal(got, rows.unpack(first, last).to(dtype))


@pytest.mark.parametrize("name", FORMATS)
def test_blocks_of_a_part_of_a_file(name):
    rows = packed_rows(name, 9, 512)
    shifted = torch.empty(rows.blocks.numel() + 32, dtype=torch.uint8)[32:].view_as(rows.blocks)
    shifted.copy_(rows.blocks)
    part = PackedRows(shifted[2:7], rows.format)
    assert torch.equal(cpu.unpack(part, 1, 4, torch.float32), rows.unpack(3, 6))
    x = draw(2, 512)
    right = x.double() @ rows.unpack(2, 7).double().T
    assert_right(cpu.linear(x, PackedWeight((part,), x.dtype)), right, x.dtype)


def test_the_default_set_unpacks_with_torch_where_there_are_no_kernels(monkeypatch):
    rows = packed_rows("Q5_K", 7, 512)
    native = DEFAULT_CPU.unpack(rows, 2, 5, torch.bfloat16)
    monkeypatch.setattr(cpu, "unavailable", lambda: "no compiler")
    monkeypatch.setattr(cpu, "unpack", lambda *_: pytest.fail("native code ran"))
    assert torch.equal(DEFAULT_CPU.unpack(rows, 2, 5, torch.bfloat16), native)


def test_every_format_that_torch_unpacks_has_a_kernel():
    assert set(cpu.matrices.BLOCK_TYPES) == set(FORMATS.values())


@pytest.mark.parametrize("use", ["linear", "unpack"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows.arranged(planar=True), "planar blocks: expected those of a file"),
        (lambda rows: rows._replace(blocks=rows.blocks[:, :-1]), "has rows of 319 bytes, expected"),
        (lambda rows: rows._replace(blocks=rows.blocks[::2]), "expected contiguous blocks"),
        (lambda rows: rows._replace(blocks=rows.blocks.char()), "is torch.int8 on cpu"),
        (
            lambda rows: rows._replace(blocks=rows.blocks.flatten()),
            r"blocks has shape \[2560\], expected",
        ),
        (
            lambda rows: rows._replace(format=BlockFormat("Q2_K", 10, 32, (("codes", 20),), None)),
            r"is in Q2_K: expected one of \[Q4_0, Q4_1, Q8_0, Q4_K, Q5_K, Q6_K\]",
        ),
    ],
)
def test_blocks_that_a_kernel_cannot_read_are_named(use, change, message):
    rows = change(packed_rows("Q4_1", 8, 512))
    with pytest.raises(ValueError, match=message):
        if use == "linear":
            cpu.linear(draw(1, 512), PackedWeight((rows,), torch.float32))
        else:
            cpu.unpack(rows, 0, 1, torch.float32)


def test_weights_of_another_shape_or_dtype_are_named():
    weight = packed_weight(["Q4_1", "Q8_0"], 8, 512)
    with pytest.raises(ValueError, match="weight has rows of 320 bytes, expected 160: 256 weights"):
        cpu.linear(draw(1, 256), weight)
    with pytest.raises(
        ValueError, match=r"for activations in torch\.float32, expected torch\.float16"
    ):
        cpu.linear(draw(1, 512, dtype=torch.float16), weight)
    parts = (packed_rows("Q4_1", 4, 512), packed_rows("Q4_1", 4, 256))
    with pytest.raises(ValueError, match="weight has rows of 160 bytes, expected 320: 512 weights"):
        cpu.linear(draw(1, 512), PackedWeight(parts, torch.float32))
    with pytest.raises(ValueError, match="weight has no parts"):
        cpu.linear(draw(1, 512), PackedWeight((), torch.float32))
    with pytest.raises(ValueError, match="weight is a Tensor: expected a DenseWeight"):
        cpu.linear(draw(1, 512), draw(8, 512))


def test_rows_that_are_not_there_are_refused():
    rows = packed_rows("Q6_K", 8, 256)
    for first, last in ((-1, 2), (3, 2), (0, 9)):
        with pytest.raises(ValueError, match=f"rows {first} to {last} of 8"):
            cpu.unpack(rows, first, last, torch.float32)
    with pytest.raises(ValueError, match=r"weights in torch\.float64: expected one of"):
        cpu.unpack(rows, 0, 1, torch.float64)
