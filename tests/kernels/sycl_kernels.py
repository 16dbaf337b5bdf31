"""What the tests of the SYCL kernels share: they are skipped where no toolchain is, but not where CI runs."""

import os

import pytest
import torch

import tinyllm.kernels.sycl as sycl
from tinyllm.check import TABLES, run_case
from tinyllm.check.tables import TOLERANCES

DEVICE = torch.device("xpu:0" if torch.xpu.is_available() else "cpu")
DTYPES = (torch.float32, torch.float16, torch.bfloat16)
INT8_CASES = {
    operation: [case for case in TABLES[operation].cases if case.int8]
    for operation in ("segment_attention", "rope_and_store")
}

if "CI" not in os.environ and (reason := sycl.unavailable(DEVICE)):
    pytest.skip(reason, allow_module_level=True)


def draw(*shape, dtype=torch.float32):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape))).to(
        DEVICE, dtype
    )


def exact(x):
    """What a reference takes: tensors on the CPU, numbers in float64; all else as it is."""
    if not isinstance(x, torch.Tensor):
        return x
    return x.cpu().double() if x.is_floating_point() else x.cpu()


def close(got, expected):
    scale = expected.abs().clamp(min=expected.square().mean().sqrt())
    assert ((got.cpu().double() - expected).abs() / scale).max() <= TOLERANCES[got.dtype]


def failures(operation, cases, dtype):
    """What is wrong, for every case with a wrong result."""
    table, function = TABLES[operation], getattr(sycl, operation)
    found = {case.title: run_case(table, case, function, dtype, DEVICE)[1] for case in cases}
    return {title: wrong for title, wrong in found.items() if wrong}
