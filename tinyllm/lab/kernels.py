"""Times each kernel at the sizes of a decode step, from which the kernel set of a device is recommended."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from tinyllm.bench.machine import seconds
from tinyllm.check.cases import Draw
from tinyllm.check.references import NormWeights
from tinyllm.kernels.block_formats import FORMATS
from tinyllm.kernels.weights import DenseWeight
from tinyllm.lab.launches import device_seconds

ROTATED_BYTES = {
    "cpu": 1 << 27,
    "cuda": 1 << 29,
    "xpu": 1 << 29,
}  # larger than the caches, so that every call reads memory


@dataclass(frozen=True)
class Sizes:
    """One row of a decode step: model size, feed-forward size, heads, head size."""

    m: int
    f: int
    h: int
    d: int


SIZES = {
    "cpu": Sizes(576, 1536, 9, 64),
    "cuda": Sizes(4096, 11008, 32, 128),
    "xpu": Sizes(4096, 11008, 32, 128),
}


@dataclass(frozen=True)
class KernelTime:
    """Seconds of one call, and the bytes that it must move."""

    seconds: float
    bytes: int

    @property
    def bandwidth(self) -> float:
        """Bytes per second."""
        return self.bytes / self.seconds


def norm_arguments(draw: Draw, s: Sizes) -> dict[str, Any]:
    """A row of the residual stream and the weights of a norm."""
    return {"x": draw(1, s.m), "weight": draw(s.m), "eps": 1e-5}


def rope_arguments(draw: Draw, s: Sizes) -> dict[str, Any]:
    """One token's heads, and its slots in the cache."""
    q, k, v = (draw(1, s.h, 1, s.d) for _ in range(3))
    k_slot, v_slot = (draw(1, s.h, 64, s.d)[:, :, 63:] for _ in range(2))
    tables = {"cos": draw(1, 1, s.d // 2).float(), "sin": draw(1, 1, s.d // 2).float()}
    return {
        "q": q,
        "k": k,
        "v": v,
        **tables,
        "k_slot": k_slot,
        "v_slot": v_slot,
        "interleaved": False,
    }


def linear_arguments(draw: Draw, s: Sizes) -> dict[str, Any]:
    """The first matmul of a gated feed-forward block, with its norm and gate."""
    norm = NormWeights(draw(s.m), None, 1e-5)
    arguments = {"x": draw(1, s.m), "weight": DenseWeight(draw(2 * s.f, s.m)), "norm": norm}
    return arguments | {"activation": "silu", "gated": True}


def qkv_arguments(draw: Draw, s: Sizes) -> dict[str, Any]:
    """The matmul before attention for one token, and the slots for its results."""
    norm = NormWeights(draw(s.m), None, 1e-5)
    slots = [draw(1, s.h, 64, s.d) for _ in range(2)]
    weight = DenseWeight(draw(3 * s.h * s.d, s.m))
    arguments = {"x": draw(1, 1, s.m), "weight": weight, "bias": None, "norm": norm}
    arguments |= {name: draw(1, 1, s.d // 2).float() for name in ("cos", "sin")}
    arguments |= {"k_slot": slots[0], "v_slot": slots[1], "interleaved": False}
    return arguments | {"start": torch.tensor(63, dtype=torch.int32, device=draw.device)}


def segment_arguments(draw: Draw, s: Sizes) -> dict[str, Any]:
    """One token of one sequence over 512 tokens of a prompt and 64 after it."""
    memory = {
        f"{part}_{x}": draw(1, s.h, n, s.d)
        for part, n in (("prompt", 512), ("response", 64))
        for x in "kv"
    }
    return {
        "q": draw(1, s.h, 1, s.d),
        **memory,
        "lengths": torch.tensor([512, 64], dtype=torch.int32, device=draw.device),
    }


def prefill_arguments(draw: Draw, s: Sizes) -> dict[str, Any]:
    """A prompt of 128 tokens."""
    return {name: draw(1, s.h, 128, s.d) for name in "qkv"}


def unpack_arguments(draw: Draw, s: Sizes) -> dict[str, Any]:
    """A matrix of the feed-forward block."""
    rows = draw.packed(FORMATS["Q4_1"], s.f, s.m)
    return {"rows": rows, "first": 0, "last": s.f, "dtype": draw.dtype}


ARGUMENTS: Mapping[str, Callable[[Draw, Sizes], dict[str, Any]]] = {
    "rms_norm": norm_arguments,
    "norm_and_add": lambda draw, s: norm_arguments(draw, s) | {"residual": draw(1, s.m)},
    "layer_norm": lambda draw, s: norm_arguments(draw, s) | {"bias": draw(s.m)},
    "rope_and_store": rope_arguments,
    "activate_and_multiply": lambda draw, s: {"gate_up": draw(1, 2 * s.f), "activation": "silu"},
    "bias_and_activate": lambda draw, s: {
        "x": draw(1, s.f),
        "bias": draw(s.f),
        "activation": "gelu",
    },
    "linear": linear_arguments,
    "qkv_rope_and_store": qkv_arguments,
    "segment_attention": segment_arguments,
    "prefill_attention": prefill_arguments,
    "unpack": unpack_arguments,
    "attention": lambda draw, s: {
        "q": draw(1, s.h, 1, s.d),
        "k": draw(1, s.h, 512, s.d),
        "v": draw(1, s.h, 512, s.d),
    },
}


def moved_bytes(arguments: dict[str, Any], result: Any) -> int:
    """Bytes of all arguments and results, each counted once."""
    tensors = {id(x): x for x in tree_leaves((arguments, result)) if isinstance(x, Tensor)}
    return sum(x.numel() * x.element_size() for x in tensors.values())


def time_kernel(
    operation: str, function: Callable, device: torch.device, dtype: torch.dtype
) -> KernelTime:
    """Time of a call, with more sets of arguments than fit into the caches; on a GPU, time on the device alone."""
    draw, make = Draw(0, dtype, device), ARGUMENTS[operation]
    first = make(draw, SIZES[device.type])
    size = moved_bytes(first, function(**first))
    copies = min(64, 1 + ROTATED_BYTES[device.type] // size)
    sets = cycle([first, *(deepcopy(first) for _ in range(copies - 1))])
    calls = 2 * copies
    sweep = lambda: [function(**next(sets)) for _ in range(calls)]  # noqa: E731
    took = seconds(sweep, device, 5) if device.type == "cpu" else device_seconds(sweep, device)
    return KernelTime(took / calls, size)
