"""Attention of a decode step over a stored prompt and a response, beside torch's over a contiguous cache."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from tinyllm.bench.machine import seconds
from tinyllm.kernels import KernelSet, for_device
from tinyllm.lab.launches import device_seconds

SHAPES = {"llama-2-7b": (32, 32, 128), "llama-3-8b": (32, 8, 128)}  # heads, of keys, head size
BEAMS = (1, 4)
PROMPT, RESPONSE = 1024, 64
COLD_BYTES = {"cpu": 1 << 28, "cuda": 1 << 29, "xpu": 1 << 29}  # larger than the caches
CALLS, REPEATS = 16, 3


@dataclass(frozen=True)
class AttentionRow:
    """Microseconds of one step of attention, by implementation, and the bytes that it must move."""

    shape: str
    kernels: str
    dtype: str
    beams: int
    prompt: int
    response: int
    bytes: int
    us: dict[str, float]


@dataclass(frozen=True)
class Step:
    """The memory of one step: queries `[1, h, w, d]`, a prompt, a response, and a beam index for several beams."""

    q: Tensor
    prompt: tuple[Tensor, Tensor]
    response: tuple[Tensor, Tensor]
    lengths: Tensor
    beam_index: Tensor | None
    options: dict[str, Any]

    @property
    def bytes(self) -> int:
        """Bytes that must move: every key and value once, queries and results."""
        return sum(x.nbytes for x in (*self.prompt, *self.response)) + 2 * self.q.nbytes


def draw_step(shape: str, beams: int, kernels: KernelSet, device: torch.device) -> Step:
    """Random memory of a step; every beam continues itself."""
    h, g, d = SHAPES[shape]
    dtype = torch.float32 if device.type == "cpu" else torch.bfloat16
    draw = lambda *size: torch.randn(size, device=device, dtype=dtype)  # noqa: E731
    q, index, options = draw(1, beams, h, d).transpose(1, 2), None, {}
    prompt, response = ([draw(1, g, n, d) for _ in "kv"] for n in (PROMPT, RESPONSE * beams))
    lengths = torch.tensor([PROMPT, RESPONSE], dtype=torch.int32, device=device)
    if beams > 1:
        own = torch.arange(beams, dtype=torch.int32, device=device)
        index = own[None, :, None].expand(1, -1, RESPONSE).contiguous()
        options["beam_mask"] = kernels.make_beam_mask(index)
    options["workspace"] = kernels.attention_workspace(tuple(q.shape), prompt[0], response[0])
    return Step(q, tuple(prompt), tuple(response), lengths, index, options)


def attend(step: Step, kernels: KernelSet) -> Tensor:
    """The kernel over both segments: `[1, w, h * d]`."""
    memory = (*step.prompt, *step.response)
    return kernels.segment_attention(step.q, *memory, step.lengths, step.beam_index, **step.options)


class Expanded:
    """torch's attention over a cache that holds the prompt once for every beam: `[w, h, 1, d]`."""

    def __init__(self, step: Step) -> None:
        w = step.q.shape[2]
        own = [x.unflatten(2, (RESPONSE, w))[0].permute(2, 0, 1, 3) for x in step.response]
        prompts = [x.expand(w, -1, -1, -1) for x in step.prompt]
        self.kv = [torch.cat(pair, dim=2) for pair in zip(prompts, own, strict=True)]
        self.q = step.q.transpose(1, 2).flatten(0, 1)[:, :, None]

    def __call__(self) -> Tensor:
        return F.scaled_dot_product_attention(self.q, *self.kv, enable_gqa=True)


def microseconds(calls: list[Callable[[], object]], device: torch.device) -> float:
    """Microseconds of a call over copies of the memory that no cache holds; on a GPU, of the device alone."""
    following = cycle(calls)
    series = lambda: [next(following)() for _ in range(CALLS)]  # noqa: E731
    took = (
        seconds(series, device, REPEATS) if device.type == "cpu" else device_seconds(series, device)
    )
    return 1e6 * took / CALLS


def attention_rows(device: torch.device) -> Iterator[AttentionRow]:
    """A row for each shape and number of beams. Raises ValueError where kernel and torch disagree."""
    kernels = for_device(device)
    for shape, beams in ((shape, beams) for shape in SHAPES for beams in BEAMS):
        first = draw_step(shape, beams, kernels, device)
        others = range(COLD_BYTES[device.type] // first.bytes)
        steps = [first, *(draw_step(shape, beams, kernels, device) for _ in others)]
        expanded = [Expanded(step) for step in steps[:8]]
        got, right = attend(first, kernels).flatten(), expanded[0]().flatten()
        error = (got.float() - right.float()).abs().max().item()
        if not error < 0.02:
            raise ValueError(f"attention of {shape}, {beams} beams, is off by {error}")
        times = {
            "ours": microseconds([lambda s=s: attend(s, kernels) for s in steps], device),
            "expanded": microseconds(expanded, device),
        }
        dtype = str(first.q.dtype).removeprefix("torch.")
        sizes = (beams, PROMPT, RESPONSE, first.bytes)
        yield AttentionRow(shape, kernels.name, dtype, *sizes, times)
