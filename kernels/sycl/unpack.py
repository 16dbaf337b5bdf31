"""Rows of packed weights as dense ones, for the matmul of a prefill: one launch."""

from __future__ import annotations

import torch
from torch import Tensor

from ..packed import has_gpu_kernel
from ..torch_kernels import TORCH
from ..weights import PackedRows
from .arguments import check_packed, work_items
from .runtime import runtime_of


def unpack(rows: PackedRows, first: int, last: int, dtype: torch.dtype) -> Tensor:
    """Rows `first` to `last`, [last - first, k].

    A format that no kernel reads is torch's. Raises ValueError for rows that do not exist, or
    blocks that are not in planes.
    """
    if not has_gpu_kernel(rows):
        return TORCH.unpack(rows, first, last, dtype)
    n, k = rows.shape
    check_packed(rows, k, rows.blocks)
    if not 0 <= first <= last <= n:
        raise ValueError(f"rows {first} to {last} of {n}: expected 0 <= first <= last <= {n}")
    y = rows.blocks.new_empty(last - first, k, dtype=dtype)
    if last > first:
        device = runtime_of(y.device)
        kernel = device.kernel("unpack", "unpack", dtype, FORMAT=rows.format.name)
        codes = rows.planes[0][0]
        items = work_items(codes.numel(), codes, device.lanes)
        kernel((last - first,), (items,), rows.blocks, y, first, n, k)
    return y
