"""Checks of a kernel's tensors before a launch: a kernel cannot detect a wrong address."""

from __future__ import annotations

import torch
from torch import Tensor

from ..packed import PLANE_ALIGNMENT, check_planes
from ..weights import PackedRows

ACTIVATIONS = {None: 0, "silu": 1, "gelu": 2, "gelu_pytorch_tanh": 3, "relu": 4}  # as in common.hpp


def check_alike(first: Tensor, **others: Tensor | None) -> None:
    """Raise ValueError unless all tensors match `first` in device and dtype.

    The last axis of each must be contiguous.
    """
    if first.stride(-1) != 1 and first.shape[-1] != 1:
        raise ValueError(f"strides {first.stride()}: the last axis must be contiguous")
    for name, other in others.items():
        if other is None:
            continue
        check_format(name, other, first.dtype, first.device)
        if other.stride(-1) != 1 and other.shape[-1] != 1:
            raise ValueError(
                f"{name} has strides {other.stride()}: the last axis must be contiguous"
            )


def check_format(
    name: str, tensor: Tensor | None, dtype: torch.dtype, device: torch.device
) -> None:
    """Raise ValueError unless the tensor, where there is one, has this dtype and lies on this device."""
    if tensor is not None and (tensor.dtype != dtype or tensor.device != device):
        given = f"{tensor.dtype} on {tensor.device}"
        raise ValueError(f"{name} is {given}, expected {dtype} on {device}")


def check_shape(name: str, tensor: Tensor | None, *shape: int) -> None:
    """Raise ValueError unless the tensor, where there is one, has this shape."""
    if tensor is not None and tensor.shape != shape:
        raise ValueError(f"{name} has shape {list(tensor.shape)}, expected {list(shape)}")


def is_aligned(tensor: Tensor) -> bool:
    """Whether all rows can be read 16 bytes at a time."""
    steps = (stride * tensor.element_size() for stride in tensor.stride()[:-1])
    return not any(step % PLANE_ALIGNMENT for step in (tensor.data_ptr(), *steps))


def check_packed(rows: PackedRows, k: int, like: Tensor) -> None:
    """Raise ValueError unless packed rows have k weights, lie in planes, and beside `like`."""
    check_planes(rows, k)
    if rows.blocks.device != like.device:
        raise ValueError(f"packed rows are on {rows.blocks.device}, expected {like.device}")


def as_matrix(x: Tensor) -> Tensor:
    """x [..., m] as a matrix, without a copy where its layout allows."""
    return x if x.ndim == 2 else x.reshape(-1, x.shape[-1])


def activation_code(name: str | None) -> int:
    """The kernels' number for an activation; raises ValueError for an unknown one."""
    if name not in ACTIVATIONS:
        known = [known for known in ACTIVATIONS if known]
        raise ValueError(f"activation {name!r}: expected one of {known}")
    return ACTIVATIONS[name]


def work_items(elements: int, x: Tensor, lanes: int, most: int = 256) -> int:
    """Work-items for a row: one for every 16 bytes, a multiple of the sub-group size."""
    vectors = -(-elements * x.element_size() // 16)
    return min(most, -(-vectors // lanes) * lanes)
