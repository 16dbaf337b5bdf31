"""Every set of kernels has every operation under the signature of `KernelSet`, and torch's own are right."""

from inspect import Parameter, signature

import pytest
import torch

from tinyllm.check import TABLES, check
from tinyllm.check.backends import of_module
from tinyllm.check.cases import Draw
from tinyllm.kernels import (
    DEFAULT_CPU,
    KERNEL_SETS,
    TORCH,
    KernelSet,
    by_name,
    for_device,
    pick_kernels,
    torch_kernels,
)
from tinyllm.kernels.block_formats import FORMATS
from tinyllm.kernels.choice import XPU
from tinyllm.kernels.torch_kernels import TorchKernels
from tinyllm.kernels.weights import PackedWeight

CPU = torch.device("cpu")
OPERATIONS = [name for name in vars(KernelSet) if not name.startswith("_")]
VALUES = {
    "name": str,
    "max_prologue_norm_rows": int,
    "fuses_qkv_and_rope": bool,
    "native_step": bool,
}
DTYPES = (torch.float32, torch.float16, torch.bfloat16)
OF_TORCH = of_module("torch", TORCH).functions


@pytest.fixture(params=KERNEL_SETS)
def kernels(request):
    if request.param == "triton":
        pytest.importorskip("triton")
    return by_name(request.param)


def parameters(function):
    """Names, kinds and defaults; how an implementation may be launched is no part of the interface."""
    found = signature(function).parameters.values()
    return [(x.name, x.kind, x.default) for x in found if x.name not in ("self", "launch")]


def test_the_interface_is_what_the_tables_check():
    assert set(TABLES) - {"attention"} < set(OPERATIONS)
    assert set(KernelSet.__annotations__) == {*VALUES, "planar_blocks"}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_set_has_every_operation(operation, kernels):
    function = getattr(type(kernels), operation)
    assert function is not getattr(KernelSet, operation), "the interface alone computes nothing"
    assert parameters(getattr(kernels, operation)) == parameters(getattr(KernelSet, operation))
    launch = signature(getattr(kernels, operation)).parameters.get("launch")
    assert launch is None or launch.kind is Parameter.KEYWORD_ONLY


def test_every_set_says_what_it_can_do(kernels):
    assert isinstance(kernels, KernelSet) and isinstance(kernels, TorchKernels)
    assert {name: type(getattr(kernels, name)) for name in VALUES} == VALUES
    assert kernels.max_prologue_norm_rows >= 1
    assert kernels.planar_blocks in (None, False, True)


def test_every_set_multiplies_packed_weights(kernels):
    draw = Draw(0, torch.float32, CPU)
    rows = draw.packed(FORMATS["Q4_K"], 6, 256).arranged(planar=kernels.planar_blocks is not False)
    x = draw(2, 256)
    residual = draw(2, 6)
    found = kernels.linear(x, PackedWeight((rows,), x.dtype), residuals=(residual,))
    torch.testing.assert_close(found, x @ rows.unpack().t() + residual, rtol=1e-4, atol=1e-4)


def test_sets_go_by_their_names(kernels):
    assert (
        by_name(kernels.name)
        is kernels
        is pick_kernels(kernels.name, CPU)
        is pick_kernels(kernels, CPU)
    )
    with pytest.raises(
        ValueError, match=r"kernels 'cuda' are unknown: expected one of \['torch', 'triton'"
    ):
        by_name("cuda")


def test_the_set_of_a_device():
    assert for_device(CPU) is pick_kernels(None, CPU) is DEFAULT_CPU
    assert (DEFAULT_CPU.name, DEFAULT_CPU.native_step, TORCH.native_step) == ("torch", True, False)
    pytest.importorskip("triton")
    for kind in ("cuda", "xpu"):
        assert for_device(torch.device(kind)) is by_name("triton")
    assert for_device(torch.device("mps")) is TORCH


def test_the_table_of_an_xpu_is_what_runs_there():
    pytest.importorskip("triton")
    kernels = for_device(torch.device("xpu"))
    assert set(XPU) == set(TABLES) - {"attention"} | {"reorder_beam_index", "make_beam_mask"}
    for operation, choice in XPU.items():
        chosen = getattr(type(by_name(choice.kernels)), operation)
        assert getattr(type(kernels), operation) is chosen, operation
        assert chosen is not getattr(TorchKernels, operation), operation


def test_torch_has_all_operations():
    assert set(OF_TORCH) == set(TABLES) - {"attention"}


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("operation", OF_TORCH)
def test_table_of_torch(operation, dtype):
    verdict = check(operation, OF_TORCH[operation], dtypes=[dtype], int8=True)
    assert verdict.right, str(verdict)
    assert verdict.total == len(TABLES[operation].cases)


def test_attention_whose_result_lies_token_by_token(monkeypatch):
    """As torch's attention with a mask leaves it on CUDA."""
    merge = torch_kernels.merge_by_lse
    case = next(case for case in TABLES["segment_attention"].cases if " w4 " in case.title)
    arguments = case.make(Draw(0, torch.float32, CPU))
    expected = TORCH.segment_attention(**arguments)

    def transposed(parts):
        return merge(parts).transpose(1, 2).contiguous().transpose(1, 2)

    monkeypatch.setattr(torch_kernels, "merge_by_lse", transposed)
    assert torch.equal(TORCH.segment_attention(**arguments), expected)
