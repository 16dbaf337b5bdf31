"""What the tests of the CPU kernels share: they are skipped where no compiler is, but not where CI runs."""

import functools
import os

import pytest
import torch

from tinyllm.kernels import cpu
from tinyllm.kernels.cpu import build

DTYPES = (torch.float32, torch.float16, torch.bfloat16)

if "CI" not in os.environ and (reason := cpu.unavailable()):
    pytest.skip(reason, allow_module_level=True)


def draw(*shape, dtype=torch.float32):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape))).to(dtype)


# The instruction sets of this processor besides the one that its kernels are built for.
OTHER_INSTRUCTION_SETS = build.instruction_sets()[1:]


@functools.cache
def kernels_for(instruction_set):
    """The kernels as they are on a processor that has less."""
    flags = build.INSTRUCTION_SETS[instruction_set][1]
    return cpu.Kernels(build.library(build.cache_folder(), tuning=(*flags, "-O1")))
