"""A fault of Intel's Triton 3.3.0b1, in ten lines: rows are scaled by their sums, in two warps.

Between the last load of the reduction and the first store of the layout conversion after it, both in the same local
memory, stands no barrier: a warp reads a sum that the other has overwritten. The LLVM IR for the CPU has none there;
that for a GPU was not read. Run as a program with `compiler.environment`, it prints which rows are right.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl

from tinyllm.kernels.triton.xpu import driver

COLUMNS = 128


@triton.jit
def scale_rows(x_ptr, out_ptr, COLUMNS: tl.constexpr):
    row = tl.arange(0, 4)[:, None]
    column = tl.arange(0, COLUMNS)[None, :]
    cos = tl.load(x_ptr + column)
    x = tl.load(x_ptr + row * 2 * COLUMNS + column * 2)
    total = tl.sum(x, 1, keep_dims=True)
    gain = total * tl.load(x_ptr + column * 2)
    tl.store(out_ptr + row * 2 * COLUMNS + column * 2, x * gain * cos)
    tl.store(out_ptr + row * 2 * COLUMNS + column * 2 + 1, gain * cos + x)


def main() -> None:
    driver.run_on_cpu()
    torch.manual_seed(0)
    x = torch.randn(4, 2 * COLUMNS)
    x[0] = 1.0  # gain and cos are ones, and the sums remain
    out = torch.full_like(x, float("nan"))
    scale_rows[(1,)](x, out, COLUMNS=COLUMNS, num_warps=2)
    total = x[:, ::2].sum(1, keepdim=True)
    expected = torch.stack((x[:, ::2] * total, total + x[:, ::2]), -1).flatten(1)
    print([torch.allclose(*rows, atol=1e-3) for rows in zip(out, expected, strict=True)])


if __name__ == "__main__":
    main()
