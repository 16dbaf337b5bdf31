"""Packed weights in the SYCL kernels: every weight to the last bit, every number of rows, and what is refused."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest
import torch
from sycl_kernels import DEVICE

import models
import tinyllm
import tinyllm.kernels.sycl as sycl
from packed_models import packed_model
from tinyllm.check import TABLES, references, run_case
from tinyllm.check.cases import Draw
from tinyllm.check.references import NormWeights
from tinyllm.kernels.block_formats import FORMATS
from tinyllm.kernels.packed import GPU_FORMATS
from tinyllm.kernels.sycl import SYCL, arguments
from tinyllm.kernels.sycl.linear import MAX_LAYER_NORM_ROWS
from tinyllm.kernels.sycl.runtime import Kernel
from tinyllm.kernels.torch_kernels import UNPACKED_BYTES
from tinyllm.kernels.weights import DenseWeight, PackedRows, PackedWeight

CASES = {case.title: case for case in TABLES["linear"].cases if "packed" in case.title}


def packed_rows(name: str, n: int, k: int) -> PackedRows:
    return Draw(n, torch.float32, DEVICE).packed(FORMATS[name], n, k)


def packed_weight(*parts: PackedRows) -> PackedWeight:
    return PackedWeight(parts, torch.float32)


def draw(*shape: int) -> torch.Tensor:
    return Draw(sum(shape), torch.float32, DEVICE)(*shape)


@pytest.mark.parametrize("name", GPU_FORMATS)
def test_every_weight_of_one_row_is_exact(name):
    """x picks a column: what comes out is that weight, whatever its byte, its half and its group."""
    rows = packed_rows(name, 5, 512)
    dense = rows.unpack()
    for x in torch.eye(512, device=DEVICE).split(1):
        assert sycl.linear(x, packed_weight(rows))[0].equal(dense @ x[0])


@pytest.mark.parametrize("name", ["Q4_0", "Q5_K"])
def test_every_weight_of_several_rows_is_exact(name):
    rows = packed_rows(name, 5, 512)
    columns = torch.eye(512, device=DEVICE)
    found = [sycl.linear(x, packed_weight(rows)) for x in columns.split(16)]
    assert torch.cat(found).equal(rows.unpack().t())


@pytest.mark.parametrize(
    ("name", "dtype"),
    [*((name, torch.float32) for name in GPU_FORMATS), ("Q6_K", torch.bfloat16)],
    ids=str,
)
def test_unpacked_rows_are_those_of_torch(name, dtype):
    rows = packed_rows(name, 41, 1280)
    for first, last in ((0, 41), (3, 40), (40, 41), (7, 7)):
        found = sycl.unpack(rows, first, last, dtype)
        assert found.equal(rows.unpack(first, last).to(dtype))


@pytest.mark.parametrize(
    ("title", "dtype"),
    [
        ("packed Q6_K, 1 row, RMSNorm, gated silu, residual", torch.float32),
        ("packed Q6_K, 1 row, RMSNorm, gated silu, residual", torch.bfloat16),
        ("packed Q6_K, 5 rows, bias", torch.float32),
        ("packed Q4_1, 1 row of 32", torch.float32),
        ("packed, 1 row, several tiles of Q4_K", torch.float32),
        ("packed, 1 row, a gate across parts, bias, residual", torch.float32),
        ("packed, 16 rows, a gate across parts, bias, residual", torch.float32),
        ("packed INT8_64, 5 rows, bias", torch.float32),
    ],
    ids=str,
)
def test_cases(title, dtype):
    _, wrong = run_case(TABLES["linear"], CASES[title], sycl.linear, dtype, DEVICE)
    assert wrong is None, wrong


def test_16_rows_of_16_bits():
    """A piece of packed weights then has 4 columns, not 8."""
    rows = packed_rows("Q5_K", 6, 512)
    x = draw(16, 512).bfloat16()
    found = sycl.linear(x, packed_weight(rows))
    expected = x.double() @ rows.unpack().double().t()
    torch.testing.assert_close(found.double(), expected, rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("num_rows", [3, MAX_LAYER_NORM_ROWS + 1])
def test_layer_norms_of_few_rows_and_of_many(num_rows):
    rows = packed_rows("Q5_K", 7, 512)
    x = 100 + draw(num_rows, 512)
    norm = NormWeights(1 + draw(512) / 8, draw(512), 1e-5)
    found = sycl.linear(x, packed_weight(rows), norm=norm)
    wide = NormWeights(norm.weight.double().cpu(), norm.bias.double().cpu(), norm.eps)
    dense = DenseWeight(rows.unpack().double().cpu())
    expected = references.linear(x.double().cpu(), dense, norm=wide)
    torch.testing.assert_close(found.double().cpu(), expected, rtol=1e-3, atol=1e-3)


def test_parts_write_side_by_side():
    parts = [packed_rows(name, n, 256) for name, n in (("Q4_0", 5), ("Q5_K", 8), ("Q4_0", 3))]
    for num_rows in (1, 16):
        x = draw(num_rows, 256)
        bias = draw(16)
        residual = draw(num_rows, 20)[:, 2:18]
        whole = sycl.linear(x, packed_weight(*parts), bias, residuals=(residual,))
        each = [
            sycl.linear(x, packed_weight(part), bias[columns], residuals=(residual[:, columns],))
            for part, columns in zip(parts, (slice(5), slice(5, 13), slice(13, 16)), strict=True)
        ]
        assert whole.equal(torch.cat(each, dim=1))


def test_tensors_at_any_address(monkeypatch):
    """A kernel receives x and the norm where it can read 16 bytes at a time."""
    received = []
    launch = Kernel.__call__

    def recorded(kernel, groups, items, *values):
        received.append(values)
        launch(kernel, groups, items, *values)

    monkeypatch.setattr(Kernel, "__call__", recorded)
    rows = packed_rows("Q4_0", 5, 512)
    x = draw(2, 512)
    norm = NormWeights(1 + draw(512) / 8, None, 1e-5)
    expected = sycl.linear(x, packed_weight(rows), norm=norm)
    wide = torch.zeros(2, 515, device=DEVICE)
    shifted = wide[:, 1:513].copy_(x)
    weight = torch.zeros(513, device=DEVICE)[1:].copy_(norm.weight)
    found = sycl.linear(shifted, packed_weight(rows), norm=NormWeights(weight, None, norm.eps))
    assert found.equal(expected)
    for kernel_x, kernel_norm in ((call[0], call[4]) for call in received):
        assert kernel_x.equal(x) and kernel_norm.equal(norm.weight)
        assert arguments.is_aligned(kernel_x) and arguments.is_aligned(kernel_norm)


def test_every_weight_with_the_sub_groups_of_arc(monkeypatch, eight_lanes):
    for family in ("linear", "unpack"):
        monkeypatch.setattr(
            sys.modules[f"tinyllm.kernels.sycl.{family}"], "runtime_of", lambda device: eight_lanes
        )
    rows = packed_rows("Q5_K", 5, 512)
    found = [sycl.linear(x, packed_weight(rows)) for x in torch.eye(512, device=DEVICE).split(16)]
    assert torch.cat(found).equal(rows.unpack().t())
    assert sycl.unpack(rows, 1, 5, torch.float32).equal(rows.unpack(1, 5))


def test_formats_that_no_kernel_reads_are_those_of_torch():
    packed = packed_rows("Q4_K", 8, 256)
    own = packed._replace(format=replace(packed.format, name="mine"))
    numbers = PackedRows(draw(6, 256).view(torch.uint8), FORMATS["F32"], planar=True)
    x = draw(3, 256)
    for part in (own, numbers, packed_rows("INT4_32", 6, 256)):
        weight = packed_weight(packed, part)
        found = sycl.linear(x, weight, activation="silu", gated=True)
        gate, up = (x @ weight.unpack().t()).chunk(2, dim=1)
        expected = torch.nn.functional.silu(gate) * up
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
        assert sycl.unpack(part, 1, 4, torch.float32).equal(part.unpack(1, 4))


def test_a_prefill_multiplies_unpacked_tiles(monkeypatch):
    unpacked = []

    def recorded(rows, first, last, dtype):
        unpacked.append((first, last))
        return sycl.unpack(rows, first, last, dtype)

    monkeypatch.setattr(SYCL, "unpack", recorded)
    monkeypatch.setitem(UNPACKED_BYTES, "cpu", 16 * 256 * 4)
    weight = packed_weight(packed_rows("Q4_K", 40, 256), packed_rows("Q6_K", 16, 256))
    x = draw(33, 256)
    torch.testing.assert_close(
        SYCL.matmul(x, weight), x @ weight.unpack().t(), rtol=1e-4, atol=1e-5
    )
    assert unpacked == [(0, 16), (16, 32), (32, 40), (0, 16)]


def test_what_is_refused():
    rows = packed_rows("Q4_K", 4, 512)
    x = draw(1, 512)

    def refused(match: str, *parts, x=x, **more) -> None:
        with pytest.raises(ValueError, match=match):
            sycl.linear(x, packed_weight(*parts), **more)

    blocks = rows.arranged(planar=False)
    shifted = torch.empty(rows.blocks.numel() + 1, dtype=torch.uint8, device=DEVICE)[1:]
    refused("Q4_K lie block by block: expected planes", blocks)
    refused(r"rows are \[4, 512\]: expected rows of 256", rows, x=x[:, :256])
    refused(r"rows are \[4, 256\]: expected rows of 512", rows, packed_rows("Q4_K", 4, 256))
    refused("at a multiple of 16", rows._replace(blocks=shifted.view_as(rows.blocks)))
    refused("are on meta, expected", rows._replace(blocks=rows.blocks.to("meta")))
    refused("17 rows and 0 residuals: expected 1 to 16", rows, x=draw(17, 512))
    odd = packed_rows("Q4_K", 3, 512)
    refused("'silu' and 3 rows of weight", odd, gated=True, activation="silu")
    refused("activation 'swish'", rows, activation="swish")
    refused(r"residual has shape \[1, 512\], expected \[1, 4\]", rows, residuals=(x,))
    refused(r"residual2 has shape \[1, 512\]", rows, residuals=(x[:, :4], x))
    refused(r"bias has shape \[3\], expected \[4\]", rows, bias=draw(3))
    refused("bias is torch.float16", rows, bias=draw(4).half())
    norm = NormWeights(draw(256), None, 1e-5)
    refused(r"norm_weight has shape \[256\], expected \[512\]", rows, norm=norm)
    with pytest.raises(ValueError, match="block by block"):
        sycl.unpack(blocks, 0, 4, torch.float32)
    for first, last in ((-1, 2), (3, 2), (0, 5)):
        with pytest.raises(ValueError, match=rf"rows {first} to {last} of 4: expected 0 <= first"):
            sycl.unpack(rows, first, last, torch.float32)
    with pytest.raises(TypeError, match=r"torch\.float64"):
        sycl.unpack(rows, 0, 4, torch.float64)


@pytest.mark.parametrize("search", [{}, {"num_beams": 3, "num_return_sequences": 2}], ids=str)
def test_answers_are_those_of_transformers(search):
    """Prefill by unpacked tiles, decode steps of one row, of beams, and of parts in two formats."""
    sizes = {"hidden_size": 256, "intermediate_size": 256, "num_attention_heads": 4}
    hf = models.tiny(**sizes, num_hidden_layers=1, eos_token_id=None)
    stage = replace(tinyllm.STAGES["sdpa"], kernels="sycl")
    model = packed_model(hf, stage, ["Q4_1", "Q6_K"]).to(DEVICE)
    prompts = [torch.arange(1, 22)[None]]
    if not search:
        prompts.append(torch.arange(1, 3)[None])
    for ids in prompts:
        options = search | {"max_new_tokens": 5, "do_sample": False}
        found = model.generate(ids.to(DEVICE), **options).cpu()
        assert found.equal(hf.generate(ids, **options))
