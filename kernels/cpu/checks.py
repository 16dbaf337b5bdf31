"""What the arguments of a CPU kernel must be: a ValueError or an IndexError comes before a wrong address is read."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from ..kernel_set import KeyValueScales, NormWeights
from .structs import ACTIVATIONS, DTYPES

MAX_ROWS = 16
MAX_HEAD_DIM = 1024
MAX_WINDOW = 2**63 - 1  # an int64; longer than any text


def check_shape(name: str, tensor: Tensor, expected: str) -> None:
    """Raise ValueError unless a tensor has as many axes as `expected` has words."""
    if tensor.ndim != len(expected.split()):
        raise ValueError(f"{name} has shape {list(tensor.shape)}, expected [{expected}]")


def check_tensor(
    name: str, tensor: Tensor | None, dtype: torch.dtype, shape: Iterable[int]
) -> None:
    """Raise ValueError unless a tensor, where there is one, can be read at its address.

    It must have this dtype, be on the CPU, contiguous along its last axis, and at least as large
    as `shape`.
    """
    if tensor is None:
        return
    shape = list(shape)
    if tensor.dtype != dtype or tensor.device.type != "cpu":
        raise ValueError(f"{name} is {tensor.dtype} on {tensor.device}, expected {dtype} on cpu")
    given = list(tensor.shape)
    if len(given) != len(shape):
        raise ValueError(f"{name} has shape {given}, expected {len(shape)} axes")
    if any(size < least for size, least in zip(given, shape, strict=True)):
        raise ValueError(f"{name} has shape {given}, expected at least {shape}")
    if tensor.numel() and given[-1] > 1 and tensor.stride(-1) != 1:
        raise ValueError(f"{name} has strides {tensor.stride()}: the last axis must be contiguous")
    if tensor.numel() and not tensor.data_ptr():
        raise ValueError(f"{name} of shape {given} has no memory: its storage was given back")


def check_weight(
    name: str, tensor: Tensor | None, dtype: torch.dtype, shape: Iterable[int]
) -> None:
    """Raise ValueError unless a weight, where there is one, is contiguous and of this shape."""
    if tensor is None:
        return
    shape = list(shape)
    check_tensor(name, tensor, dtype, shape)
    if list(tensor.shape) != shape:
        raise ValueError(f"{name} has shape {list(tensor.shape)}, expected {shape}")
    if not tensor.is_contiguous():
        raise ValueError(
            f"{name} has strides {tensor.stride()}: expected contiguous weights, read in place"
        )


def check_activations(x: Tensor) -> None:
    """The rows of a GEMV: few, of a dtype that the kernels know, dense."""
    rows = len(x)
    if x.dtype not in DTYPES:
        raise ValueError(f"x is {x.dtype}: expected one of {list(DTYPES)}")
    if not 1 <= rows <= MAX_ROWS:
        raise ValueError(f"x has {rows} rows: expected 1 to {MAX_ROWS}")
    check_tensor("x", x, x.dtype, [1, 1])


def check_dense_weight(x: Tensor, data: Tensor) -> None:
    """A dense matrix of rows of k, in the dtype of x."""
    k = x.shape[1]
    check_shape("weight", data, "n k")
    n = len(data)
    if data.shape[1] != k:
        raise ValueError(f"weight has shape {list(data.shape)}, expected {[n, k]}")
    check_tensor("weight", data, x.dtype, [n, k])


def check_prologue(x: Tensor, n: int, bias: Tensor | None, norm: NormWeights | None) -> None:
    """The bias [n], and the norm's weight and bias [k], where there are any."""
    k = x.shape[1]
    check_tensor("bias", bias, x.dtype, [n])
    if norm is not None:
        check_tensor("norm.weight", norm.weight, x.dtype, [k])
        check_tensor("norm.bias", norm.bias, x.dtype, [k])


def check_epilogue(
    x: Tensor, n: int, activation: str | None, gated: bool, residuals: tuple[Tensor, ...]
) -> None:
    """The activation, a gate in the first half of the outputs, and residuals as large as the output."""
    if activation not in ACTIVATIONS:
        known = [name for name in ACTIVATIONS if name]
        raise ValueError(f"activation {activation!r}: expected one of {known}")
    if gated and n % 2:
        raise ValueError(f"weight has {n} rows: expected as many of the gate as it multiplies")
    for residual in residuals:
        check_tensor("residual", residual, x.dtype, [len(x), n // 2 if gated else n])


def check_queries(q: Tensor, g: int) -> None:
    """Queries [b, h, w, d] whose heads are a multiple of the `g` key/value heads."""
    h, d = q.shape[1], q.shape[3]
    if q.dtype not in DTYPES:
        raise ValueError(f"q is {q.dtype}: expected one of {list(DTYPES)}")
    if not g or h % g or not 1 <= d <= MAX_HEAD_DIM:
        raise ValueError(
            f"{h} query heads of size {d} on {g}: expected a multiple, and 1 to {MAX_HEAD_DIM}"
        )
    check_tensor("q", q, q.dtype, q.shape)


def check_segment(
    name: str, k: Tensor, v: Tensor, dtype: torch.dtype, shape: tuple[int, ...]
) -> None:
    """Keys and values of one shape and one layout."""
    check_tensor(f"{name}_k", k, dtype, shape)
    check_tensor(f"{name}_v", v, dtype, k.shape)
    if k.stride() != v.stride():
        raise ValueError(
            f"{name}_k has strides {k.stride()}, {name}_v {v.stride()}: expected the same"
        )


def check_scales(scales: KeyValueScales, heads: tuple[int, int], tokens: int, slots: int) -> None:
    """Raise ValueError unless the scales of `heads` [b, g] are there, those of tokens side by side."""
    for name, scale in zip(scales._fields, scales, strict=True):
        needed = tokens if name.startswith("prompt") else slots
        check_tensor(f"scales.{name}", scale, torch.float32, [*heads, needed])
    for k, v in ((scales.prompt_k, scales.prompt_v), (scales.response_k, scales.response_v)):
        if k.stride() != v.stride():
            raise ValueError(
                f"scales of keys have strides {k.stride()}, of values {v.stride()}: expected the same"
            )


def checked_lengths(lengths: Tensor) -> tuple[int, int]:
    """Tokens of the prompt and steps after it, at least one in all; raises ValueError."""
    check_tensor("lengths", lengths, torch.int32, [2])
    t, steps = lengths.tolist()[:2]
    if t < 0 or steps < 0 or t + steps == 0:
        raise ValueError(f"lengths are {[t, steps]}, expected at least one key")
    return t, steps


def window_size(window: int | None) -> int:
    """A window as the library takes it, 0 for none; raises ValueError for less than one token."""
    if window is not None and window < 1:
        raise ValueError(f"a window of {window} tokens: expected at least 1")
    return min(window or 0, MAX_WINDOW)


def bad_beam_index(beam_index: Tensor, w: int) -> IndexError:
    """The error of a beam index whose entries are no slots of a step."""
    given = f"from {int(beam_index.min())} to {int(beam_index.max())}"
    return IndexError(f"beam_index has entries {given}: expected slots of a step, 0 to {w - 1}")
