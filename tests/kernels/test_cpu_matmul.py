"""The matrix product of a prefill: every instruction set, sizes beside every tile, dense weights and blocks."""

from functools import partial

import pytest
import torch
from cpu_kernels import OTHER_INSTRUCTION_SETS, draw, kernels_for
from packed_weights import packed_weight, unpacked

from tinyllm.check.tables import TOLERANCES
from tinyllm.kernels import DEFAULT_CPU, cpu
from tinyllm.kernels.block_formats import FORMATS
from tinyllm.kernels.packed import decode_and_multiply
from tinyllm.kernels.weights import DenseWeight
from tinyllm.lab.counters import record

# Rows of x beside those of a vector and of a panel, with 8 lanes and with 16; outputs likewise.
ROWS = (1, 7, 8, 15, 16, 17, 24, 25, 47, 48, 49, 100)
OUTPUTS = (1, 8, 15, 16, 17, 33, 70)
INPUTS = (1, 7, 16, 40)


@pytest.fixture(params=["best", *OTHER_INSTRUCTION_SETS])
def library(request):
    """The code of each instruction set that this processor has."""
    kernels = cpu.kernels() if request.param == "best" else kernels_for(request.param)
    return kernels.library


def assert_right(got, right):
    scale = right.abs().clamp(min=right.square().mean().sqrt())
    assert got.shape == right.shape
    assert ((got.double() - right).abs() <= TOLERANCES[torch.float32] * scale).all()


@pytest.mark.parametrize("k", INPUTS)
def test_dense_weights_of_every_size(library, k):
    for threads in (1, 2, 5):
        torch.set_num_threads(threads)
        for rows in ROWS:
            x = draw(rows, k)
            for n in OUTPUTS:
                weight = draw(n, k)
                bias = draw(n)
                residual = draw(rows, n)
                right = x.double() @ weight.double().T
                got = cpu.matmul(x, DenseWeight(weight), library=library)
                assert_right(got, right)
                got = cpu.matmul(x, DenseWeight(weight), bias, residual, library=library)
                assert_right(got, right + bias + residual)


@pytest.mark.parametrize("name", FORMATS)
def test_blocks(library, name):
    torch.set_num_threads(2)
    for blocks in (1, 3):
        k = blocks * FORMATS[name].elements
        weight = packed_weight([name], 37, k)
        x = draw(50, k)
        assert_right(
            cpu.matmul(x, weight, library=library), x.double() @ unpacked(weight).double().T
        )


def test_more_weights_than_a_tile_holds():
    weight = packed_weight(["Q4_K", "Q6_K", "F32"], 96, 1024)
    x = draw(60, 1024)
    assert_right(cpu.matmul(x, weight), x.double() @ unpacked(weight).double().T)
    dense = DenseWeight(unpacked(weight))
    assert torch.equal(cpu.matmul(x, dense), cpu.matmul(x, weight))


def test_rows_with_a_distance():
    wide = draw(40, 90)
    weight = draw(20, 30)
    x = wide[:, 30:60]
    residual = wide[:, 5:25]
    right = x.double() @ weight.double().T + residual
    assert_right(cpu.matmul(x, DenseWeight(weight), residual=residual), right)


def test_no_rows():
    assert cpu.matmul(draw(0, 8), DenseWeight(draw(5, 8))).shape == (0, 5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((draw(20, 8).double(), DenseWeight(draw(5, 8))), r"x is torch\.float64 on cpu"),
        ((draw(20, 8), DenseWeight(draw(5, 9))), r"weight has shape \[5, 9\], expected \[5, 8\]"),
        ((draw(20, 8), DenseWeight(draw(5, 8).half())), r"weight is torch\.float16"),
        ((draw(20, 8), DenseWeight(draw(5, 8)), draw(4)), r"bias has shape \[4\]"),
        (
            (draw(20, 8), DenseWeight(draw(5, 8)), None, draw(20, 4)),
            r"residual has shape \[20, 4\]",
        ),
        (
            (draw(2, 20, 8), DenseWeight(draw(5, 8))),
            r"x has shape \[2, 20, 8\], expected \[rows k\]",
        ),
        ((draw(8, 20).T, DenseWeight(draw(5, 8))), "the last axis must be contiguous"),
    ],
)
def test_what_it_cannot_take(arguments, message):
    with pytest.raises(ValueError, match=message):
        cpu.matmul(*arguments)


@pytest.mark.parametrize("rows", [1, 3, 16, 17, 64])
@pytest.mark.parametrize("names", [["Q4_1"], ["Q4_K", "Q6_K"]])
def test_the_default_set_reads_blocks_in_one_operation(names, rows):
    weight = packed_weight(names, 40, 512)
    x = draw(rows, 512)
    right = x.double() @ unpacked(weight).double().T
    bias = draw(40)
    residual = draw(rows, 40)
    for epilogues in ((bias, None), (None, residual)):
        run = partial(DEFAULT_CPU.matmul, x, weight, *epilogues)
        (operation,) = record(run)
        (epilogue,) = (one for one in epilogues if one is not None)
        assert operation.name == "tinyllm::matmul"
        assert sum(size for _, size in operation.reads) == weight.nbytes + 4 * (
            x.numel() + epilogue.numel()
        )
        assert operation.flops == 2 * rows * 40 * 512
        assert_right(run(), right + epilogue)
    assert_right(DEFAULT_CPU.matmul(x, weight, bias, residual), right + bias + residual)


@pytest.mark.parametrize("rows", [1, 16, 17])
def test_dense_weights_in_the_default_set(rows):
    """In float32 by our code, in other formats and with strides by the vendor's."""
    weight = DenseWeight(draw(40, 32))
    x = draw(rows, 32)
    (operation,) = record(lambda: DEFAULT_CPU.matmul(x, weight))
    assert operation.name == "tinyllm::matmul"
    narrow = DenseWeight(weight.data.bfloat16())
    strided = DenseWeight(draw(32, 40).T)
    for given, other in ((x.bfloat16(), narrow), (x, strided)):
        of_torch = record(partial(DEFAULT_CPU.matmul, given, other))
        assert "tinyllm::matmul" not in [one.name for one in of_torch]


def test_without_a_compiler(monkeypatch):
    weight = packed_weight(["Q4_K", "Q8_0"], 40, 512)
    x = draw(20, 512)
    bias = draw(40)
    right = cpu.matmul(x, weight, bias, x[:, :40])
    monkeypatch.setattr(cpu, "unavailable", lambda: "no compiler")
    assert_right(DEFAULT_CPU.matmul(x, weight, bias, x[:, :40]), right.double())
    dense = decode_and_multiply(x, [unpacked(weight)], ["F32"], bias, None)
    assert_right(dense, x.double() @ unpacked(weight).double().T + bias)
