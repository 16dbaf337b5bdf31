"""Packed GGUF weights by transformers' interface: torch's operations, and Triton's kernels interpreted or on a GPU."""

from importlib.util import find_spec

import gguf as gguf_package
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers.integrations.gguf import dequant
from transformers.integrations.gguf import kernels as seam

from packed_models import draw_blocks
from tinyllm.kernels import gguf
from tinyllm.kernels.block_formats import FORMATS
from tinyllm.kernels.packed import GPU_FORMATS

every_format = pytest.mark.parametrize("name", GPU_FORMATS)
every_way = pytest.mark.parametrize("way", ["torch", "triton"])


def set_way(way, monkeypatch, request):
    """The operations of torch, or interpreted kernels; both on a CPU."""
    if way == "triton":
        pytest.importorskip("triton")
        request.getfixturevalue("interpreted")
        monkeypatch.setattr(gguf, "_has_kernels", lambda weight: True)


def matrix(name, n, k, *, seed=0, device="cpu"):
    """Random blocks, their type, and their weights as the gguf package computes them."""
    rows = draw_blocks(n, k, name, seed=seed)
    ggml_type = rows.format.ggml_type
    kind = gguf_package.GGMLQuantizationType(ggml_type)
    dense = torch.from_numpy(gguf_package.quants.dequantize(rows.blocks.numpy(), kind))
    return rows.blocks.to(device), ggml_type, dense.to(device)


def test_the_interface_is_that_of_transformers():
    kernel = seam.GgufKernel(gguf)
    assert all(kernel.supports(FORMATS[name].ggml_type) for name in GPU_FORMATS)
    assert not kernel.supports(gguf_package.GGMLQuantizationType.Q2_K)
    assert set(gguf.GEMV_TYPES) <= set(dequant.GGML_BLOCK)
    assert seam.MAX_GEMV_ROWS == gguf.MAX_GEMV_ROWS


@every_way
@every_format
def test_every_weight_is_exact(name, way, monkeypatch, request):
    set_way(way, monkeypatch, request)
    weight, ggml_type, dense = matrix(name, 9, 512)
    found = gguf.dequantize(weight, ggml_type, 9, 512, torch.float32)
    assert found.equal(dense)
    theirs = dequant.dequantize(weight.flatten(), ggml_type, torch.float32)
    assert found.equal(theirs.view(9, 512))
    halves = gguf.dequantize(weight, ggml_type, 9, 512, torch.float16)
    assert halves.equal(dense.half())
    some = gguf.dequantize(weight[3:7], ggml_type, 4, 512, torch.float32)
    assert some.equal(dense[3:7])


@every_way
@every_format
def test_rows_are_exact(name, way, monkeypatch, request):
    set_way(way, monkeypatch, request)
    weight, ggml_type, dense = matrix(name, 9, 256)
    for ids in ([8], [0, 8, 0, 3], []):
        for integers in (torch.int64, torch.int32):
            indices = torch.tensor(ids, dtype=integers)
            found = gguf.get_rows(weight, indices, ggml_type, 256, torch.float32)
            assert found.equal(dense[ids])


@every_way
@every_format
def test_a_row_that_picks_a_column_gives_its_weights(name, way, monkeypatch, request):
    set_way(way, monkeypatch, request)
    weight, ggml_type, dense = matrix(name, 5, 512)
    for column in range(0, 512, 61):
        x = torch.zeros(1, 512)
        x[0, column] = 1
        found = gguf.mul_mat_vec(weight, x, ggml_type, 5)
        assert found.equal(dense[:, column][None]), column


@every_way
@every_format
def test_up_to_eight_rows_are_multiplied(name, way, monkeypatch, request):
    set_way(way, monkeypatch, request)
    weight, ggml_type, dense = matrix(name, 40, 768)
    for num_rows in (0, 1, 2, gguf.MAX_GEMV_ROWS):
        x = torch.randn(num_rows, 768)
        found = gguf.mul_mat_vec(weight, x, ggml_type, 40)
        assert found.shape == (num_rows, 40)
        torch.testing.assert_close(found, x @ dense.t(), rtol=1e-4, atol=1e-5)
        for dtype, tolerance in ((torch.float16, 0.01), (torch.bfloat16, 0.05)):
            rounded = x.to(dtype)
            found = gguf.mul_mat_vec(weight, rounded, ggml_type, 40)
            assert found.dtype == torch.float32
            expected = rounded.float() @ dense.t()
            torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance)


@settings(max_examples=12, deadline=None)
@given(
    name=st.sampled_from(GPU_FORMATS), num_rows=st.integers(1, 8), n=st.integers(1, 70),
    blocks=st.integers(1, 5), seed=st.integers(0, 9),
)  # fmt: skip
@pytest.mark.skipif(find_spec("triton") is None, reason="needs Triton")
def test_any_size_is_multiplied_from_stored_blocks(name, num_rows, n, blocks, seed):
    if torch.cuda.is_available() or torch.xpu.is_available():
        pytest.skip("the kernels are compiled for the GPU of this machine")
    from tinyllm.kernels.triton import stored_blocks

    rows = draw_blocks(n, blocks * FORMATS[name].elements, name, seed=seed)
    x = torch.randn(num_rows, rows.shape[1])
    expected = x.double() @ rows.unpack().double().t()
    found = stored_blocks.matmul(rows, x)
    torch.testing.assert_close(found.double(), expected, rtol=1e-4, atol=1e-5)
    assert stored_blocks.unpack(rows, None, torch.float32).equal(rows.unpack())


@every_way
@every_format
def test_each_row_has_experts_of_its_own(name, way, monkeypatch, request):
    set_way(way, monkeypatch, request)
    weight, ggml_type, dense = matrix(name, 4 * 6, 256)
    dense = dense.view(4, 6, 256)
    for num_rows, choices in ((1, 1), (3, 2), (11, 1), (2, 4), (0, 2)):
        x = torch.randn(num_rows, 256)
        ids = torch.randint(0, 4, (num_rows, choices), dtype=torch.int32)
        found = gguf.mul_mat_id(weight.view(4, 6, -1), x, ids, ggml_type, 6)
        expected = torch.einsum("mk,mcnk->mcn", x, dense[ids.long()])
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_torch_makes_a_few_rows_dense_at_a_time(monkeypatch):
    monkeypatch.setattr(gguf, "TILE_BYTES", 3 * 256 * 4)
    weight, ggml_type, dense = matrix("Q4_K", 8, 256)
    x = torch.randn(2, 256)
    assert [len(tile) for tile in gguf._tiles(gguf._packed_rows(weight, ggml_type, 256, 8))] == [
        3,
        3,
        2,
    ]
    assert gguf.dequantize(weight, ggml_type, 8, 256, torch.float32).equal(dense)
    found = gguf.mul_mat_vec(weight, x, ggml_type, 8)
    torch.testing.assert_close(found, x @ dense.t(), rtol=1e-4, atol=1e-5)


def test_kernels_run_on_a_gpu_alone():
    weight, *_ = matrix("Q4_0", 2, 32)
    assert not gguf._has_kernels(weight)
    assert not gguf._has_kernels(weight.to("meta"))


@every_way
def test_what_is_refused(way, monkeypatch, request):
    set_way(way, monkeypatch, request)
    weight, ggml_type, _ = matrix("Q4_K", 4, 512)
    x = torch.randn(1, 512)

    def refused(match, act, *arguments):
        with pytest.raises(ValueError, match=match):
            act(*arguments)

    ids = torch.zeros(1, 1, dtype=torch.int32)
    experts = weight.view(2, 2, -1)
    for act, arguments in (
        (gguf.mul_mat_vec, (weight, x, 10, 4)),
        (gguf.dequantize, (weight, 10, 4, 512, torch.float32)),
        (gguf.get_rows, (weight, ids[0], 10, 512, torch.float32)),
        (gguf.mul_mat_id, (experts, x, ids, 10, 2)),
    ):
        refused("ggml type 10 has no kernel here: expected one of .*12: 'Q4_K'", act, *arguments)
    refused(r"x is \[9, 512\]: expected \[m, k\] of at most 8", gguf.mul_mat_vec, weight,
            torch.randn(9, 512), ggml_type, 4)  # fmt: skip
    refused(r"x is \[512\]", gguf.mul_mat_vec, weight, x[0], ggml_type, 4)
    refused(r"uint8 \[5, 288\], for a matrix \[5, 512\]", gguf.mul_mat_vec, weight, x, ggml_type, 5)
    refused(r"for a matrix \[4, 256\]", gguf.mul_mat_vec, weight, x[:, :256], ggml_type, 4)
    refused("rows of 100 weights in Q4_K", gguf.mul_mat_vec, weight, x[:, :100], ggml_type, 4)
    refused("numbers are torch.float64", gguf.mul_mat_vec, weight, x.double(), ggml_type, 4)
    refused("x is on meta", gguf.mul_mat_vec, weight, x.to("meta"), ggml_type, 4)
    refused("of torch.int8", gguf.mul_mat_vec, weight.view(torch.int8), x, ggml_type, 4)
    refused(r"strides \(576, 2\)", gguf.dequantize, weight.repeat_interleave(2, 1)[:, ::2],
            ggml_type, 4, 512, torch.float32)  # fmt: skip
    refused(r"numbers are torch.int32", gguf.dequantize, weight, ggml_type, 4, 512, torch.int32)
    refused("expected integers", gguf.get_rows, weight, ids[0].float(), ggml_type, 512, torch.half)
    refused(
        r"weight is \[4, 288\]: expected \[experts", gguf.mul_mat_id, weight, x, ids, ggml_type, 4
    )
    refused(r"ids are \[2, 1\]", gguf.mul_mat_id, experts, x, ids.repeat(2, 1), ggml_type, 2)
    shifted = torch.empty(weight.numel() + 1, dtype=torch.uint8)[1:].view_as(weight)
    refused("expected a multiple of 4", gguf.dequantize, shifted, ggml_type, 4, 512, torch.float32)


@pytest.mark.gpu
@every_format
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_stored_blocks_on_a_gpu(name, dtype, accelerator):
    weight, ggml_type, dense = matrix(name, 1000, 1280, device=accelerator)
    assert gguf._has_kernels(weight)
    assert gguf.dequantize(weight, ggml_type, 1000, 1280, dtype).equal(dense.to(dtype))
    ids = torch.randint(0, 1000, (37,), device=accelerator)
    assert gguf.get_rows(weight, ids, ggml_type, 1280, dtype).equal(dense[ids].to(dtype))
    for num_rows in range(1, gguf.MAX_GEMV_ROWS + 1):
        x = torch.randn(num_rows, 1280, device=accelerator).to(dtype)
        rounded = dense if num_rows == 1 else dense.to(dtype).float()
        found = gguf.mul_mat_vec(weight, x, ggml_type, 1000)
        expected = x.double() @ rounded.double().t()
        torch.testing.assert_close(found.double(), expected, rtol=1e-3, atol=1e-3)
    x = torch.randn(20, 1280, device=accelerator).to(dtype)
    ids = torch.randint(0, 10, (20, 4), device=accelerator)
    found = gguf.mul_mat_id(weight.view(10, 100, -1), x, ids, ggml_type, 100)
    expected = torch.einsum("mk,mcnk->mcn", x.double(), dense.view(10, 100, -1)[ids].double())
    torch.testing.assert_close(found.double(), expected, rtol=1e-3, atol=1e-3)
