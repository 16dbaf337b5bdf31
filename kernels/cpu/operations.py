"""Single operations on CPU tensors, with the arguments of `tinyllm.check.references`."""

from __future__ import annotations

import ctypes
import functools
from pathlib import Path

import torch
from torch import Tensor

from .build import BuildError, cache_folder, library
from .structs import (
    ACTIVATIONS,
    FORMATS,
    Heads,
    Library,
    Memory,
    Product,
    SegmentAttention,
    Sight,
    Workspace,
    address,
    checked,
)

MAX_ROWS = 16
MAX_HEAD_DIM = 1024


class Kernels:
    """The operations of one built library."""

    def __init__(self, path: Path) -> None:
        self.library = Library(path)

    def linear(
        self,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        norm: object | None = None,
        activation: str | None = None,
        gated: bool = False,
        residuals: tuple[Tensor, ...] = (),
    ) -> Tensor:
        """A product of at most `MAX_ROWS` rows, and what rides on it; the weights are read once.

        Raises ValueError for shapes, formats or an activation that the kernel does not take.
        """
        (rows, k), n = x.shape, len(weight)
        outputs = n // 2 if gated else n
        _check_linear(x, weight, bias, norm, activation, residuals, outputs)
        out = x.new_empty(rows, outputs)
        pointers = (ctypes.c_void_p * len(residuals))(*(address(residual) for residual in residuals))
        strides = (ctypes.c_int64 * len(residuals))(*(residual.stride(0) for residual in residuals))
        weight = weight.contiguous()
        self.library.linear(
            Product(
                x=address(x), weight=address(weight), bias=address(bias), out=address(out),
                norm=None if norm is None else address(norm.weight),
                norm_bias=None if norm is None else address(norm.bias),
                residuals=ctypes.addressof(pointers), residual_strides=ctypes.addressof(strides),
                x_stride=x.stride(0), k=k, n=n, format=FORMATS[x.dtype], rows=rows, activation=ACTIVATIONS[activation],
                gated=gated, residual_count=len(residuals), threads=torch.get_num_threads(),
                eps=0.0 if norm is None else norm.eps,
            )
        )  # fmt: skip
        return out

    def segment_attention(
        self,
        q: Tensor,
        prompt_k: Tensor,
        prompt_v: Tensor,
        response_k: Tensor,
        response_v: Tensor,
        lengths: Tensor,
        ancestry: Tensor | None = None,
        positions: Tensor | None = None,
        slopes: Tensor | None = None,
        scale: float | None = None,
        softcap: float | None = None,
        window: int | None = None,
        *,
        space: object | None = None,
    ) -> Tensor:
        """Attention over prompt and response: of a prompt every key is read once, of a response its own path.

        Raises ValueError for shapes, formats or a window that the kernel does not take.
        """
        (b, h, w, d), g = q.shape, prompt_k.shape[1]
        t, steps = lengths.tolist()
        _check_attention(q, g, d)
        checked("lengths", lengths, torch.int32, [2])
        for name, k, v, least in (("prompt", prompt_k, prompt_v, t), ("response", response_k, response_v, steps * w)):
            checked(f"{name}_k", k, q.dtype, [b, g, least, d])
            checked(f"{name}_v", v, q.dtype, k.shape)
            if k.stride() != v.stride():
                raise ValueError(f"{name}_k has strides {k.stride()}, {name}_v {v.stride()}: expected the same")
        sight = sight_of(lengths, ancestry, positions, slopes, (b, w, h, t, steps))
        sight.scale, sight.softcap, sight.window = scale or d**-0.5, softcap or 0.0, window_of(window)
        out = q.new_empty(b, w, h * d)
        memory = Workspace(self.library)
        failed = self.library.segment_attention(
            SegmentAttention(
                q=address(q), out=address(out), q_batch=q.stride(0), q_head=q.stride(1), q_row=q.stride(2),
                prompt=Memory(address(prompt_k), address(prompt_v), *prompt_k.stride()[:3]),
                response=Memory(address(response_k), address(response_v), *response_k.stride()[:3]),
                sight=sight, heads=Heads(b, w, h, g, d), format=FORMATS[q.dtype], threads=torch.get_num_threads(),
            ),
            memory.address,
        )  # fmt: skip
        if failed:
            raise MemoryError(f"no memory for attention of {b} x {w} sequences")
        return out


def sight_of(
    lengths: Tensor,
    ancestry: Tensor | None,
    positions: Tensor | None,
    slopes: Tensor | None,
    sizes: tuple[int, int, int, int, int],
) -> Sight:
    """What sequences may see, checked; `sizes`: requests, sequences of each, heads, tokens of the prompt, steps."""
    b, w, h, t, steps = sizes
    checked("ancestry", ancestry, torch.int32, [b, w, steps])
    checked("positions", positions, torch.int32, [b, t])
    checked("slopes", slopes, torch.float32, [h])
    return Sight(
        lengths=address(lengths), ancestry=address(ancestry), positions=address(positions), slopes=address(slopes),
        ancestry_batch=0 if ancestry is None else ancestry.stride(0),
        ancestry_row=0 if ancestry is None else ancestry.stride(1),
        positions_batch=0 if positions is None else positions.stride(0),
    )  # fmt: skip


def window_of(window: int | None) -> int:
    """A window as the library takes it, 0 for none; raises ValueError where nothing would be seen."""
    if window is not None and window < 1:
        raise ValueError(f"a window of {window} tokens: expected at least 1")
    return window or 0


def _check_linear(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    norm: object | None,
    activation: str | None,
    residuals: tuple,
    n: int,
) -> None:
    rows, k = x.shape
    if x.dtype not in FORMATS:
        raise ValueError(f"x is {x.dtype}: expected one of {list(FORMATS)}")
    if not 1 <= rows <= MAX_ROWS:
        raise ValueError(f"x has {rows} rows: expected 1 to {MAX_ROWS}")
    if activation not in ACTIVATIONS:
        raise ValueError(f"activation {activation!r}: expected one of {[name for name in ACTIVATIONS if name]}")
    checked("x", x, x.dtype, [1, 1])
    if weight.shape[1] != k:
        raise ValueError(f"weight has shape {list(weight.shape)}, expected {[len(weight), k]}")
    checked("weight", weight, x.dtype, weight.shape)
    checked("bias", bias, x.dtype, [len(weight)])
    if norm is not None:
        checked("norm.weight", norm.weight, x.dtype, [k])
        checked("norm.bias", norm.bias, x.dtype, [k])
    for residual in residuals:
        checked("residual", residual, x.dtype, [rows, n])


def _check_attention(q: Tensor, g: int, d: int) -> None:
    if q.dtype not in FORMATS:
        raise ValueError(f"q is {q.dtype}: expected one of {list(FORMATS)}")
    if q.shape[1] % g or d > MAX_HEAD_DIM:
        raise ValueError(
            f"{q.shape[1]} query heads of size {d} on {g}: expected a multiple, and at most {MAX_HEAD_DIM}"
        )
    checked("q", q, q.dtype, q.shape)


@functools.cache
def kernels_in(folder: Path) -> Kernels | str:
    """The operations of the library in a cache folder, built where it has none; or why there are none."""
    try:
        return Kernels(library(folder))
    except (BuildError, OSError, AttributeError) as error:
        return str(error)


def kernels() -> Kernels:
    """The operations, built for this user and processor at the first call; raises BuildError with the reason."""
    found = kernels_in(cache_folder())
    if isinstance(found, str):
        raise BuildError(found)
    return found
