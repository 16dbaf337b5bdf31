"""Split-KV attention of one new token a sequence over prompt and response segments.

A prompt is stored once for all its beams, a response is gathered through the beam index.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ..kernel_set import KeyValueScales
from .arguments import check_alike, check_format, check_shape
from .runtime import Kernel, Runtime, runtime_of

HEAD_DIMS = (64, 80, 96, 128, 256)
ROWS = (1, 2, 4, 8)  # compiled sizes; a matrix instruction takes up to 8 rows
SUBGROUPS = 8  # of a work-group, as in attention.sycl.cpp
ACC_REGISTERS = 32  # of a lane's 128, for its sums of values, as in attention.sycl.cpp
MIN_SPLIT_KEYS = 256  # two tiles for each sub-group; fewer are not worth a second launch
GROUPS_PER_UNIT = 4  # half of the threads of a Xe-core, enough to hide the latency of memory
NO_WINDOW = 2**31 - 1  # hides nothing


@dataclass(frozen=True)
class SplitPlan:
    """One launch: rows of a work-group, matrix engine (NONE, DPAS or EMULATED), splits of keys."""

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
    beam_index: Tensor | None = None,
    prompt_positions: Tensor | None = None,
    slopes: Tensor | None = None,
    scale: float | None = None,
    softcap: float | None = None,
    window: int | None = None,
    *,
    scales: KeyValueScales | None = None,
    beam_mask: object | None = None,
    workspace: object | None = None,
) -> Tensor:
    """Every sequence over its request's prompt and over its own path through the response.

    q [b, h, w, d]; prompts [b, g, at least t, d]; responses [b, g, at least steps * w, d], the w
    slots of a step side by side; lengths, int32: t and steps, read on the device. beam_index
    [b, w, at least steps], int32: whose slot holds each step of a path. prompt_positions
    [b, at least t], int32, negative for padding. slopes [h], float32: ALiBi. softcap: logit
    soft-capping, before ALiBi is added. window: the number of last tokens that are visible; no
    others are read. scales [b, g, as many], float32: keys and values are int8. The kernel needs
    neither `beam_mask` nor `workspace`. Returns [b, w, h * d]. All but the last axis may be
    strided, k and v alike and in steps of 16 bytes. Raises ValueError.
    """
    b, h, w, d = q.shape
    g = prompt_k.shape[1]
    _check_segments(q, prompt_k, prompt_v, response_k, response_v, is_int8=scales is not None)
    _check_scales(scales, prompt_k, response_k)
    _check_index("lengths", lengths, q, (2,))
    _check_index("beam_index", beam_index, q, (b, w, None))
    _check_index("prompt_positions", prompt_positions, q, (b, None))
    _check_slopes(q, slopes)
    _check_softcap_and_window(softcap, window)
    if q.device.type == "cpu":  # a GPU's lengths would be waited for
        _check_lengths(lengths, prompt_k, response_k, w)
    out = q.new_empty(b, w, h * d)
    if not out.numel():
        return out
    device = runtime_of(q.device)
    rows = w * (h // g)
    window = NO_WINDOW if window is None else min(window, NO_WINDOW)
    capacity = prompt_k.shape[2] + response_k.shape[2] // w
    sizes = {"rows": rows, "d": d, "keys": min(capacity, window)}
    plan = split_plan(device, q.dtype, b * g, **sizes, is_int8=scales is not None)
    partials = None
    if plan.splits > 1:
        partials = q.new_empty(plan.splits, b * w * h, d + 2, dtype=torch.float32)
    kernel = _kernel(device, q, plan, softcap, is_int8=scales is not None)
    kernel(
        (b * g * -(-rows // plan.rows), plan.splits),
        (1, SUBGROUPS * device.lanes),
        *(q, *q.stride()[:3]),
        *(prompt_k, prompt_v, *prompt_k.stride()[:3]),
        *(response_k, response_v, *response_k.stride()[:3]),
        *_scale_arguments(scales),
        lengths,
        *(beam_index, *((0, 0) if beam_index is None else beam_index.stride()[:2])),
        *(prompt_positions, 0 if prompt_positions is None else prompt_positions.stride(0)),
        *(slopes, scale or d**-0.5, softcap, window),
        *(out, partials, b, g, h // g, w),
    )
    if partials is not None:
        reduce = device.kernel("reduce_partials", "reduce_partials", q.dtype)
        items = -(-d // device.lanes) * device.lanes
        reduce((b * w * h,), (items,), partials, out, b * w * h, d, plan.splits)
    return out


def _scale_arguments(scales: KeyValueScales | None) -> tuple[Tensor | int | None, ...]:
    """The scales of a prompt and of a response, each with its strides."""
    if scales is None:
        return (None, None, 0, 0, 0) * 2
    prompt = (scales.prompt_k, scales.prompt_v, *scales.prompt_k.stride())
    response = (scales.response_k, scales.response_v, *scales.response_k.stride())
    return (*prompt, *response)


def _kernel(
    device: Runtime, q: Tensor, plan: SplitPlan, softcap: float | None, *, is_int8: bool
) -> Kernel:
    options = {"HEAD": q.shape[-1], "ROWS": plan.rows, "MATRIX": plan.matrix}
    if softcap is not None:
        options["SOFTCAP"] = 1
    if is_int8:
        options["INT8"] = 1
    if q.device.type == "cpu":
        options["ROLLED"] = 1  # the same arithmetic, compiled in a third of the time
    return device.kernel("attention", "segment_attention", q.dtype, **options)


def split_plan(
    device: Runtime,
    dtype: torch.dtype,
    heads: int,
    rows: int,
    d: int,
    keys: int,
    *,
    is_int8: bool = False,
) -> SplitPlan:
    """The plan for `heads` KV heads of all requests, `rows` rows each, and memory for `keys` keys.

    The matrix engine takes 16-bit types where its block saves a further pass over the prompt: where
    the rows are more than fit in the registers without it. Arc A's registers, of 8 lanes, do not
    hold the tiles that int8 is converted to.
    """
    block = block_rows(rows, ACC_REGISTERS * device.lanes // d)
    matrix = "NONE"
    has_matrix = device.matrix_engine and not (is_int8 and device.lanes == 8)
    if rows > block and dtype != torch.float32 and has_matrix:
        block = block_rows(rows, ROWS[-1])
        matrix = "DPAS"
    return SplitPlan(block, matrix, num_splits(heads * -(-rows // block), keys, device.units))


def block_rows(rows: int, most: int) -> int:
    """The compiled size for a block of `rows` rows, or the largest up to `most` below that."""
    return max(size for size in ROWS if size == 1 or (size <= most and size < 2 * rows))


def num_splits(groups: int, keys: int, units: int) -> int:
    """Splits of the keys: 1 where each of a device's `units` has a work-group, else more.

    `keys` is the capacity of memory or a window, not the current length: lengths change between two
    replays of a graph, its launches do not.
    """
    if groups >= units:
        return 1
    return max(1, min(GROUPS_PER_UNIT * units // groups, keys // MIN_SPLIT_KEYS))


def _check_segments(
    q: Tensor,
    prompt_k: Tensor,
    prompt_v: Tensor,
    response_k: Tensor,
    response_v: Tensor,
    *,
    is_int8: bool,
) -> None:
    b, h, _, d = q.shape
    g = prompt_k.shape[1]
    if d not in HEAD_DIMS or h % g:
        given = f"q has shape {list(q.shape)}"
        raise ValueError(f"{given}: expected a multiple of {g} heads, of size {HEAD_DIMS}")
    segments = {
        "prompt_k": prompt_k,
        "prompt_v": prompt_v,
        "response_k": response_k,
        "response_v": response_v,
    }
    check_format("prompt_k", prompt_k, torch.int8 if is_int8 else q.dtype, q.device)
    check_alike(q)
    check_alike(prompt_k, **segments)
    step = 16 // prompt_k.element_size()
    for name, memory in segments.items():
        check_shape(name, memory, b, g, memory.shape[2], d)
        if memory.data_ptr() % 16 or any(pitch % step for pitch in _pitches(memory)):
            raise ValueError(
                f"{name} has strides {memory.stride()}: its rows must start at multiples of 16 bytes"
            )
    for k, v in ((prompt_k, prompt_v), (response_k, response_v)):
        if k.shape != v.shape or _pitches(k) != _pitches(v):
            given = f"shape {list(v.shape)} and strides {v.stride()}"
            raise ValueError(
                f"values have {given}, expected those of the keys: {list(k.shape)}, {k.stride()}"
            )


def _check_scales(scales: KeyValueScales | None, prompt_k: Tensor, response_k: Tensor) -> None:
    """Raise ValueError unless each key and value has a scale, and keys and values are alike."""
    if scales is None:
        return
    pairs = {
        "prompt_k": prompt_k,
        "prompt_v": prompt_k,
        "response_k": response_k,
        "response_v": response_k,
    }
    for name, k in pairs.items():
        x = getattr(scales, name)
        partner = scales.prompt_k if k is prompt_k else scales.response_k
        check_shape(f"the scale of {name}", x, *k.shape[:-1])
        if x.dtype != torch.float32 or x.device != k.device or x.stride() != partner.stride():
            given = f"{x.dtype} on {x.device}, strides {x.stride()}"
            expected = f"torch.float32 on {k.device}, alike for keys and values"
            raise ValueError(f"the scale of {name} is {given}: expected {expected}")


def _pitches(memory: Tensor) -> list[int]:
    """The strides of all axes but the last with more than one element."""
    sizes = memory.shape[:3]
    return [stride for stride, size in zip(memory.stride()[:3], sizes, strict=True) if size > 1]


def _check_index(name: str, x: Tensor | None, q: Tensor, shape: tuple[int | None, ...]) -> None:
    """Raise ValueError unless an int32 tensor, where there is one, has this shape (None: any)."""
    if x is None:
        return
    check_format(name, x, torch.int32, q.device)
    check_shape(name, x, *(x.shape[-1] if size is None else size for size in shape))
    if x.stride(-1) != 1 and x.shape[-1] > 1:
        raise ValueError(f"{name} has strides {x.stride()}: the last axis must be contiguous")


def _check_slopes(q: Tensor, slopes: Tensor | None) -> None:
    if slopes is None:
        return
    if slopes.dtype != torch.float32 or slopes.device != q.device or not slopes.is_contiguous():
        given = f"{slopes.dtype} on {slopes.device}, strides {slopes.stride()}"
        raise ValueError(f"slopes is {given}, expected contiguous torch.float32 on {q.device}")
    check_shape("slopes", slopes, q.shape[1])


def _check_softcap_and_window(softcap: float | None, window: int | None) -> None:
    if softcap is not None and not 0 < softcap < math.inf:
        raise ValueError(f"softcap is {softcap}, expected a positive number")
    if window is not None and window < 1:
        raise ValueError(f"a window of {window} tokens: expected at least 1")


def _check_lengths(lengths: Tensor, prompt_k: Tensor, response_k: Tensor, w: int) -> None:
    t, steps = lengths.tolist()
    capacity = [prompt_k.shape[2], response_k.shape[2] // w if w else 0]
    if not (0 <= t <= capacity[0] and 0 <= steps <= capacity[1] and t + steps):
        raise ValueError(f"lengths are {[t, steps]}, expected a key, and at most {capacity}")
