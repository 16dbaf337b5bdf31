"""Packed weights in the Triton kernels: every weight to the last bit, the tiles of a GPU, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("triton")

from tinyllm.check import TABLES, run_case
from tinyllm.check.cases import Draw
from tinyllm.check.references import NormWeights
from tinyllm.kernels import torch_kernels
from tinyllm.kernels import triton as kernels
from tinyllm.kernels.block_formats import FORMATS
from tinyllm.kernels.packed import GPU_FORMATS
from tinyllm.kernels.triton import packed_matmul, tuning
from tinyllm.kernels.triton.packed_tiles import aligned
from tinyllm.kernels.weights import DenseWeight, PackedRows, PackedWeight

GPUS = ("cuda", "xpu")
PACKED_CASES = [case for case in TABLES["linear"].cases if "packed" in case.title]


def packed_rows(name: str, n: int, k: int, dtype=torch.float32):
    return Draw(0, dtype, torch.device("cpu")).packed(FORMATS[name], n, k)


def packed_weight(*rows, dtype=torch.float32) -> PackedWeight:
    return PackedWeight(rows, dtype)


@pytest.mark.parametrize("name", GPU_FORMATS)
def test_planes_have_each_byte_of_the_blocks_once(name):
    rows = packed_rows(name, 3, 512)
    blocks = rows.arranged(planar=False)
    assert blocks.arranged(planar=True).blocks.equal(rows.blocks)
    assert blocks.unpack().equal(rows.unpack())
    assert blocks.lookup(torch.tensor([2, 0])).equal(rows.unpack()[[2, 0]])
    planes = rows.planes
    assert rows.format.planes[0] == (("codes", planes[0].shape[-1]),)
    assert torch.cat([plane.flatten() for plane in planes]).equal(rows.blocks.flatten())
    starts = [plane.storage_offset() for plane in planes]
    assert [start % 16 for start in starts[:-1]] == [0] * (len(planes) - 1)
    assert starts[-1] % 2 == 0


@pytest.mark.parametrize("name", GPU_FORMATS)
def test_every_weight_of_one_row_is_exact(name, interpreted):
    """x picks a column: what comes out is that weight, whatever its byte, its half and its group."""
    rows = packed_rows(name, 5, 512)
    dense = rows.unpack()
    for column in range(0, 512, 37):
        x = torch.zeros(1, 512)
        x[0, column] = 1
        assert kernels.linear(x, packed_weight(rows))[0].equal(dense[:, column]), column


@pytest.mark.parametrize("name", GPU_FORMATS)
def test_every_weight_of_several_rows_is_exact(name, interpreted):
    rows = packed_rows(name, 5, 512)
    columns = torch.eye(512)[::5]
    found = [kernels.linear(x, packed_weight(rows)) for x in columns.split(16)]
    assert torch.cat(found).equal(rows.unpack().t()[::5])


def test_x_and_its_norm_are_aligned_for_loads_of_several_elements():
    numbers = torch.randn(65)
    assert aligned(numbers[4:]).data_ptr() == numbers[4:].data_ptr()
    assert aligned(numbers[1:]).data_ptr() % 16 == 0
    assert aligned(numbers[1:]).equal(numbers[1:])


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32], ids=str)
def test_one_row_at_any_address(dtype, accelerator):
    packed = Draw(0, dtype, accelerator).packed(FORMATS["Q4_1"], 40, 512)
    x = torch.randn(513, dtype=dtype, device=accelerator)
    gain = torch.rand(513, dtype=dtype, device=accelerator)
    found = [
        kernels.linear(
            x[1:][None], packed_weight(packed, dtype=dtype), norm=NormWeights(gain[1:], None, 1e-5)
        ),
        kernels.linear(
            x[1:].clone()[None],
            packed_weight(packed, dtype=dtype),
            norm=NormWeights(gain[1:].clone(), None, 1e-5),
        ),
    ]
    assert found[0].equal(found[1])


@settings(max_examples=12, deadline=None)
@given(
    name=st.sampled_from(GPU_FORMATS), n=st.integers(1, 40), blocks=st.integers(1, 6),
    dtype=st.sampled_from([torch.float32, torch.float16]), data=st.data(),
)  # fmt: skip
def test_unpacked_rows_are_those_of_torch(name, n, blocks, dtype, data):
    rows = packed_rows(name, n, blocks * FORMATS[name].elements)
    first = data.draw(st.integers(0, n))
    last = data.draw(st.integers(first, n))
    found = kernels.unpack(rows, first, last, dtype)
    assert found.equal(rows.unpack(first, last).to(dtype))


@settings(max_examples=15, deadline=None)
@given(
    name=st.sampled_from(GPU_FORMATS), rows=st.integers(1, 16), n=st.integers(1, 40),
    blocks=st.integers(1, 6), code_bytes=st.sampled_from([128, 512]),
)  # fmt: skip
def test_any_size_in_tiles_of_any_size(name, rows, n, blocks, code_bytes):
    packed = packed_rows(name, n, blocks * FORMATS[name].elements)
    x = torch.randn(rows, packed.shape[1])
    kind = "packed_vector" if rows == 1 else "packed_matrix"
    launch = tuning.LAUNCHES["interpreter"][kind]
    launch = replace(launch, blocks={**launch.blocks, "code_bytes": code_bytes, "max_rows": 16})
    found = kernels.linear(x, packed_weight(packed), launch=launch)
    expected = x.double() @ packed.unpack().double().t()
    torch.testing.assert_close(found.double(), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", GPUS)
@pytest.mark.parametrize("kernel", ["packed_vector", "packed_matrix"])
def test_the_tiles_of_a_gpu(kind, kernel, interpreted):
    row = tuning.LAUNCHES[kind][kernel]
    run = partial(kernels.linear, launch=tuning.LaunchConfig(row.blocks, num_stages=row.num_stages))
    cases = [
        case for case in PACKED_CASES if (kernel == "packed_vector") == ("1 row" in case.title)
    ]
    for case in cases[::3]:
        _, wrong = run_case(TABLES["linear"], case, run, torch.float32, interpreted)
        assert wrong is None, (case.title, wrong)


@pytest.mark.parametrize("kind", GPUS)
def test_a_lane_loads_16_bytes_of_codes(kind):
    """Of one row of x: then x, codes and scales share one arrangement of registers."""
    row = tuning.LAUNCHES[kind]["packed_vector"]
    assert row.blocks["code_bytes"] == 16 * 32 * row.num_warps


def test_few_weight_rows_make_smaller_tiles():
    launch = tuning.LAUNCHES["cuda"]["packed_vector"]

    def tile(n: int, k: int, name: str = "Q4_K", pairs: bool = False) -> tuple[int, int, int]:
        grid, constants = packed_matmul.packed_launch(
            n, k, name, pairs=pairs, num_rows=1, device_type="cuda", launch=launch
        )
        return *grid, constants["BLOCK_N"], constants["BLOCK_K"]

    most = launch.blocks["max_rows"]
    columns = 2 * launch.blocks["code_bytes"]
    assert tile(32000, 4096) == (32000 // most, most, min(columns, 4096))
    assert tile(32000, 256) == (32000 // most, most, 256)
    assert tile(32000, 32, "Q8_0")[2] == 256
    assert tile(10, 4096) == (10, 1, min(columns, 4096))
    assert tile(10, 4096, pairs=True)[1] == 2
    assert tile(32000, 11008, "Q8_0")[2] == columns // 2


def test_parts_write_side_by_side(interpreted):
    parts = [packed_rows(name, n, 256) for name, n in (("Q6_K", 5), ("Q4_1", 8), ("Q8_0", 3))]
    for num_rows in (1, 4):
        x = torch.randn(num_rows, 256)
        bias = torch.randn(16)
        residual = torch.randn(num_rows, 20)[:, 2:18]
        whole = kernels.linear(x, packed_weight(*parts), bias, residuals=(residual,))
        each = [
            kernels.linear(x, packed_weight(part), bias[columns], residuals=(residual[:, columns],))
            for part, columns in zip(parts, (slice(5), slice(5, 13), slice(13, 16)), strict=True)
        ]
        assert whole.equal(torch.cat(each, dim=1))


def numbers(name: str, dtype: torch.dtype, n: int) -> PackedRows:
    return PackedRows(torch.randn(n, 256).to(dtype).view(torch.uint8), FORMATS[name], planar=True)


@pytest.mark.parametrize("num_rows", [1, 3])
def test_numbers_and_formats_of_ones_own_are_multiplied(num_rows, interpreted):
    """Parts in the number format of x are dense matrices; a weight with any other part is torch's."""
    packed = packed_rows("Q4_K", 8, 256)
    own = packed._replace(format=replace(packed.format, name="mine"))
    x = torch.randn(num_rows, 256)
    for part in (numbers("F32", torch.float32, 6), numbers("F16", torch.float16, 6), own):
        weight = packed_weight(packed, part)
        found = kernels.linear(x, weight, activation="silu", gated=True)
        gate, up = (x @ weight.unpack().t()).chunk(2, dim=1)
        expected = torch.nn.functional.silu(gate) * up
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
        alone = kernels.linear(x, packed_weight(part))
        torch.testing.assert_close(alone, x @ part.unpack().t(), rtol=1e-4, atol=1e-4)
    assert kernels.unpack(own, 1, 4, torch.float32).equal(own.unpack(1, 4))


def test_a_prefill_multiplies_unpacked_tiles(interpreted, monkeypatch):
    unpacked = []

    def recorded(rows, first, last, dtype):
        unpacked.append((first, last))
        return kernels.unpack(rows, first, last, dtype)

    monkeypatch.setattr(kernels.TRITON, "unpack", recorded)
    monkeypatch.setitem(torch_kernels.UNPACKED_BYTES, "cpu", 16 * 256 * 4)
    parts = [packed_rows("Q4_K", 40, 256), packed_rows("Q6_K", 16, 256)]
    weight = packed_weight(*parts)
    x = torch.randn(33, 256)
    found = kernels.TRITON.matmul(x, weight)
    torch.testing.assert_close(found, x @ weight.unpack().t(), rtol=1e-4, atol=1e-5)
    assert unpacked == [(0, 16), (16, 32), (32, 40), (0, 16)]


def test_what_is_refused(interpreted):
    rows = packed_rows("Q4_K", 4, 512)
    x = torch.randn(1, 512)

    def refused(match: str, *parts, x=x, **more) -> None:
        with pytest.raises(ValueError, match=match):
            kernels.linear(x, packed_weight(*parts), **more)

    blocks = rows.arranged(planar=False)
    shifted = torch.empty(rows.blocks.numel() + 1, dtype=torch.uint8)[1:].view_as(rows.blocks)
    refused("block by block: expected planes", blocks)
    refused(r"rows are \[4, 512\]: expected rows of 256", rows, x=x[:, :256])
    refused(r"rows are \[4, 256\]: expected rows of 512", rows, packed_rows("Q4_K", 4, 256))
    refused("expected contiguous memory at a multiple of 16", rows._replace(blocks=shifted))
    refused("at most 16", rows, x=torch.randn(17, 512))
    refused("gated needs", packed_rows("Q4_K", 3, 512), gated=True, activation="silu")
    refused("residuals are", rows, residuals=(x,))
    refused(r"bias is \[3\]", rows, bias=torch.ones(3))
    with pytest.raises(ValueError, match="block by block"):
        kernels.unpack(blocks, 0, 4, torch.float32)
    for first, last in ((-1, 2), (3, 2), (0, 5)):
        with pytest.raises(ValueError, match=rf"rows {first} to {last} of 4: expected 0 <= first"):
            kernels.unpack(rows, first, last, torch.float32)


def test_queries_of_packed_weights_are_refused_as_dense_ones_are(interpreted):
    slots = {name: torch.ones(1, 1, 2, 64) for name in ("k_slot", "v_slot")}
    angles = {"cos": torch.ones(1, 1, 32), "sin": torch.ones(1, 1, 32), "interleaved": False}
    call = partial(
        kernels.qkv_rope_and_store, torch.randn(1, 1, 256), bias=None, norm=None, **slots, **angles
    )
    for name, n, k, match in (
        ("Q4_K", 192, 512, "expected rows of 256"),
        ("Q4_K", 200, 256, "whole heads of 64"),
        ("Q4_K", 128, 256, "whole heads of 64"),
    ):
        with pytest.raises(ValueError, match=match):
            call(weight=packed_weight(packed_rows(name, n, k)))
    with pytest.raises(ValueError, match="block by block"):
        call(weight=packed_weight(packed_rows("Q4_0", 192, 256).arranged(planar=False)))


@pytest.mark.parametrize("num_rows", [1, 3])
def test_one_part_and_two_give_the_same_queries(num_rows, interpreted):
    """One launch, or `linear` for each part and then `rope_and_store`."""
    whole = packed_rows("Q4_1", 256, 64)
    blocks = whole.arranged(planar=False)
    halves = [
        blocks._replace(blocks=part).arranged(planar=True) for part in blocks.blocks.split(128)
    ]
    x = torch.randn(1, num_rows, 64)
    angles = torch.randn(1, num_rows, 16)
    found = []
    for weight in (packed_weight(whole), packed_weight(*halves), DenseWeight(whole.unpack())):
        slots = [torch.zeros(1, 2, num_rows, 32) for _ in range(2)]
        q, k, v = kernels.qkv_rope_and_store(
            x, weight, None, None, angles.cos(), angles.sin(), *slots, interleaved=False
        )
        found.append(torch.cat([part.flatten() for part in (q, k, v)]))
    torch.testing.assert_close(found[0], found[1], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(found[0], found[2], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("num_rows", [1, 3])
def test_queries_of_formats_that_no_kernel_reads_are_those_of_torch(num_rows, interpreted):
    parts = [packed_rows("Q4_0", 128, 64), packed_rows("INT4_32", 128, 64)]
    weight = packed_weight(*parts)
    x = torch.randn(1, num_rows, 64)
    angles = torch.randn(1, num_rows, 16)
    found = []
    for one in (weight, DenseWeight(weight.unpack())):
        slots = [torch.zeros(1, 2, num_rows, 32) for _ in range(2)]
        q, k, v = kernels.qkv_rope_and_store(
            x, one, None, None, angles.cos(), angles.sin(), *slots, interleaved=False
        )
        found.append(torch.cat([part.flatten() for part in (q, k, v)]))
    torch.testing.assert_close(found[0], found[1], rtol=1e-5, atol=1e-5)
