"""Attention of one new token a sequence over a prompt that is stored once and a response gathered by a beam index."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from .arguments import alike, sized
from .runtime import Kernel, Runtime, runtime_of

HEAD_DIMS = (64, 80, 96, 128, 256)
ROWS = (1, 2, 4, 8)  # compiled sizes; a matrix instruction takes up to 8 rows
SUBGROUPS = 8  # of a work-group, as in attention.sycl.cpp
SUMS = 32  # of a lane's 128 registers: what the rows' sums may take, as in attention.sycl.cpp
SHARE = 256  # keys: two tiles for each sub-group, below which a split is not worth a second launch
GROUPS_PER_UNIT = 4  # half of the threads of a Xe-core, enough to hide the latency of memory
EVERYTHING = 2**31 - 1  # the window that hides nothing


@dataclass(frozen=True)
class Plan:
    """How one launch is cut: rows of a work-group, what multiplies (NONE, DPAS, EMULATED), shares of the sequence."""

    rows: int
    matrix: str
    splits: int


def segment_attention(
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
) -> Tensor:
    """Every sequence of every request over its request's prompt and over its own path through the response.

    q [b, h, w, d]; prompts [b, g, at least t, d]; responses [b, g, at least steps * w, d], the w slots of a step side
    by side; lengths, int32: t and steps, read on the device. ancestry [b, w, at least steps], int32: whose slot holds
    each step of a path. positions [b, at least t], int32, negative for padding. slopes [h], float32: ALiBi. softcap:
    what no score exceeds, before ALiBi is added. window: how many of the last tokens are seen, no others are read.
    Returns [b, w, h * d]. All but the last axis may be strided, k and v alike and in steps of 16 bytes. Raises
    ValueError.
    """
    (b, h, w, d), g = q.shape, prompt_k.shape[1]
    _check_segments(q, g, prompt_k, prompt_v, response_k, response_v)
    _check_indices(q, lengths=(lengths, 2), ancestry=(ancestry, b, w, None), positions=(positions, b, None))
    _check_slopes(q, slopes)
    _check_sight(softcap, window)
    out, device, rows = q.new_empty(b, w, h * d), runtime_of(q.device), w * (h // g)
    if not out.numel():
        return out
    room, window = prompt_k.shape[2] + response_k.shape[2] // w, EVERYTHING if window is None else window
    how = plan(device, q.dtype, b * g, rows, d, min(room, window))
    shares = None if how.splits == 1 else q.new_empty(how.splits, b * w * h, d + 2, dtype=torch.float32)
    segments = (prompt_k, prompt_v, *prompt_k.stride()[:3], response_k, response_v, *response_k.stride()[:3])
    paths = (ancestry, *((0, 0) if ancestry is None else ancestry.stride()[:2]))
    places = (positions, 0 if positions is None else positions.stride(0))
    inputs = (q, *q.stride()[:3], *segments, lengths, *paths, *places, slopes, scale or d**-0.5, softcap, window)
    size = ((b * g * -(-rows // how.rows), how.splits), (1, SUBGROUPS * device.lanes))
    _kernel(device, q, how, softcap)(*size, *inputs, out, shares, b, g, h // g, w)
    if shares is not None:
        add = device.kernel("shares", "add_shares", q.dtype)
        add((b * w * h,), (-(-d // device.lanes) * device.lanes,), shares, out, b * w * h, d, how.splits)
    return out


def _kernel(device: Runtime, q: Tensor, how: Plan, softcap: float | None) -> Kernel:
    options = {"HEAD": q.shape[-1], "ROWS": how.rows, "MATRIX": how.matrix}
    if softcap is not None:
        options["CAPPED"] = 1
    if q.device.type == "cpu":
        options["ROLLED"] = 1  # the same arithmetic, compiled in a third of the time
    return device.kernel("attention", "segment_attention", q.dtype, **options)


def plan(device: Runtime, dtype: torch.dtype, heads: int, rows: int, d: int, keys: int) -> Plan:
    """The rule: `heads` KV heads of all requests, with `rows` rows each, over memory for `keys` keys.

    The matrix engine takes 16-bit types where its block saves a further pass over the prompt: where the rows are more
    than fit in the registers without it.
    """
    block, matrix = block_rows(rows, SUMS * device.lanes // d), "NONE"
    if rows > block and dtype != torch.float32 and device.matrix_engine:
        block, matrix = block_rows(rows, ROWS[-1]), "DPAS"
    return Plan(block, matrix, splits(heads * -(-rows // block), keys, device.units))


def block_rows(rows: int, most: int) -> int:
    """The compiled size for a block of `rows` rows, or the largest up to `most` where that many do not fit."""
    return max(size for size in ROWS if size == 1 or (size <= most and size < 2 * rows))


def splits(groups: int, keys: int, units: int) -> int:
    """Shares of the sequence: 1 where each of a device's `units` has a work-group, else as many as keep it busy.

    `keys` is what memory or a window has room for, not what is there: lengths change between two runs of a graph, its
    launches do not.
    """
    return 1 if groups >= units else max(1, min(GROUPS_PER_UNIT * units // groups, keys // SHARE))


def _check_segments(q: Tensor, g: int, *segments: Tensor) -> None:
    (b, h, _, d), step = q.shape, 16 // q.element_size()
    names = ("prompt_k", "prompt_v", "response_k", "response_v")
    if d not in HEAD_DIMS or h % g:
        raise ValueError(f"q has shape {list(q.shape)}: expected a multiple of {g} heads, of size {HEAD_DIMS}")
    alike(q, **dict(zip(names, segments, strict=True)))
    for name, memory in zip(names, segments, strict=True):
        sized(name, memory, b, g, memory.shape[2], d)
        if memory.data_ptr() % 16 or any(pitch % step for pitch in _pitches(memory)):
            raise ValueError(f"{name} has strides {memory.stride()}: its rows must start at multiples of 16 bytes")
    for k, v in (segments[:2], segments[2:]):
        if k.shape != v.shape or _pitches(k) != _pitches(v):
            given = f"shape {list(v.shape)} and strides {v.stride()}"
            raise ValueError(f"values have {given}, expected those of the keys: {list(k.shape)}, {k.stride()}")


def _pitches(memory: Tensor) -> list[int]:
    """The strides that matter: not those of an axis with one element."""
    return [stride for stride, size in zip(memory.stride()[:3], memory.shape, strict=False) if size > 1]


def _check_indices(q: Tensor, **given: tuple) -> None:
    """Each is a tensor or None, and its shape, in which None is any size."""
    for name, (tensor, *shape) in given.items():
        if tensor is None:
            continue
        if tensor.dtype != torch.int32 or tensor.device != q.device:
            raise ValueError(f"{name} is {tensor.dtype} on {tensor.device}, expected torch.int32 on {q.device}")
        sized(name, tensor, *(size if size is not None else tensor.shape[-1] for size in shape))
        if tensor.stride(-1) != 1 and tensor.shape[-1] > 1:
            raise ValueError(f"{name} has strides {tensor.stride()}: the last axis must be contiguous")


def _check_slopes(q: Tensor, slopes: Tensor | None) -> None:
    if slopes is None:
        return
    if slopes.dtype != torch.float32 or slopes.device != q.device or not slopes.is_contiguous():
        given = f"{slopes.dtype} on {slopes.device}, strides {slopes.stride()}"
        raise ValueError(f"slopes is {given}, expected contiguous torch.float32 on {q.device}")
    sized("slopes", slopes, q.shape[1])


def _check_sight(softcap: float | None, window: int | None) -> None:
    if softcap is not None and not 0 < softcap < math.inf:
        raise ValueError(f"softcap is {softcap}, expected a positive number")
    if window is not None and not 1 <= window <= EVERYTHING:
        raise ValueError(f"window is {window}, expected 1 to {EVERYTHING}")
