"""The matrix instruction of Intel's GPUs, dpas, lane by lane, run on the CPU by Intel's runtime."""

from __future__ import annotations

import torch
from torch import Tensor

ROWS, LANES, DEPTH = 8, 16, 16  # of the sums [8, 16], and of a [8, 16] and b [16, 16] in 16 bits
SOURCE = """#include "common.hpp"
KERNEL(1) one_dpas(const scalar *a, const scalar *b, const float *c, float *out) {
  const int me = lane();
  const auto bits_of = [](scalar x) { return sycl::bit_cast<bits>(x); };
  matrix_a<8> rows;
  matrix_b pairs;
  floats<8> sums;
  for (int m = 0; m < 8; ++m) rows[m] = bits_of(a[16 * m + me]), sums[m] = c[16 * m + me];
  for (int i = 0; i < 8; ++i)
    pairs[i] = pack_pair(bits_of(b[32 * i + me]), bits_of(b[32 * i + 16 + me]));
  sums = matrix_multiply_add<8>(rows, pairs, sums);
  for (int m = 0; m < 8; ++m) out[16 * m + me] = sums[m];
}
"""


def to_registers(a: Tensor, b: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Matrices [8, 16], [16, 16] and [8, 16] as registers: [16 lanes, 8], [16 lanes, 8, 2] and [16 lanes, 8].

    Lane k has column k of a; lane n has column n of b, two rows to a register of 32 bits, and column n of c.
    """
    return a.T, b.T.reshape(LANES, DEPTH // 2, 2), c.T


def run_emulated_dpas(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """c + a @ b by the emulation of `kernels/sycl/common.hpp` in a sub-group of 16 lanes, on Intel's runtime for CPUs.

    a [8, 16] and b [16, 16] in fp16 or bf16, c [8, 16] in fp32. Raises ToolchainError where the runtime is missing.
    """
    from tinyllm.kernels.sycl.runtime import Runtime, Source

    runtime, out = Runtime(torch.device("cpu"), lanes=LANES), torch.empty_like(c)
    options = runtime.options(a.dtype, MATRIX="EMULATED")
    kernel = runtime.load(Source("one_dpas.sycl.cpp", SOURCE), "one_dpas", options)
    kernel((1,), (LANES,), a.contiguous(), b.contiguous(), c.contiguous(), out)
    return out
