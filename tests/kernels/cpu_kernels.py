"""What the tests of the CPU kernels share: they are skipped where no compiler is, but not where CI runs."""

import os

import pytest
import torch

from tinyllm.kernels import cpu

DTYPES = (torch.float32, torch.float16, torch.bfloat16)

if "CI" not in os.environ and (reason := cpu.unavailable()):
    pytest.skip(reason, allow_module_level=True)


def draw(*shape, dtype=torch.float32):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape))).to(dtype)
