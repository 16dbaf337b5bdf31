"""The native kernels of the CPU with weights in blocks, against float64 of the weights as torch unpacks them."""

import pytest
import torch
from cpu_kernels import DTYPES, OTHER_INSTRUCTION_SETS, draw, kernels_for
from hypothesis import given, settings
from hypothesis import strategies as st
from packed_weights import packed_weight, unpacked

from packed_models import draw_blocks
from tinyllm.check import references
from tinyllm.check.tables import TOLERANCES
from tinyllm.kernels import DEFAULT_CPU, cpu
from tinyllm.kernels.block_formats import FORMATS
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
        rows = draw_blocks(11, k, name, seed=k)
        for first, last, threads in ((0, 11, 2), (3, 8, 1), (10, 11, 5), (4, 4, 1)):
            torch.set_num_threads(threads)
            got = kernels.unpack(rows, first, last, dtype)
            assert torch.equal(got, rows.unpack(first, last).to(dtype))


@pytest.mark.parametrize("name", FORMATS)
def test_blocks_of_a_part_of_a_file(name):
    rows = draw_blocks(9, 512, name)
    shifted = torch.empty(rows.blocks.numel() + 32, dtype=torch.uint8)[32:].view_as(rows.blocks)
    shifted.copy_(rows.blocks)
    part = PackedRows(shifted[2:7], rows.format)
    assert torch.equal(cpu.unpack(part, 1, 4, torch.float32), rows.unpack(3, 6))
    x = draw(2, 512)
    right = x.double() @ rows.unpack(2, 7).double().T
    assert_right(cpu.linear(x, PackedWeight((part,), x.dtype)), right, x.dtype)


def test_the_default_set_unpacks_with_torch_where_there_are_no_kernels(monkeypatch):
    rows = draw_blocks(7, 512, "Q5_K")
    native = DEFAULT_CPU.unpack(rows, 2, 5, torch.bfloat16)
    monkeypatch.setattr(cpu, "unavailable", lambda: "no compiler")
    monkeypatch.setattr(cpu, "unpack", lambda *_: pytest.fail("native code ran"))
    assert torch.equal(DEFAULT_CPU.unpack(rows, 2, 5, torch.bfloat16), native)
