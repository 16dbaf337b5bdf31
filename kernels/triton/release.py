"""The Triton of this process: whether the rows of `tuning` fit its release, and what it made of the kernels so far."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import triton

from . import activation, all_reduce, attention, beam_mask, linear, norm, prefill, qkv, rope
from .tuning import LAUNCHES, LaunchConfig

MODULES = (activation, all_reduce, attention, beam_mask, linear, norm, prefill, qkv, rope)
# Words for the size of the register file, from the release in which they begin.
GRF_MODES = {
    (3, 0, 0): ("small", "large", "auto", "default"),
    (3, 6, 0): ("128", "256", "auto", "default"),
    (3, 7, 2): ("128", "256", "512", "auto", "default"),
}


class Compiled(NamedTuple):
    """One specialisation that was compiled and loaded; registers and spills as the driver counts them.

    Triton 3.3 for XPU counts spilled bytes of a hardware thread, NVIDIA's driver 4-byte words of a lane.
    """

    name: str
    num_warps: int
    registers: int
    spills: int


def grf_modes(version: str) -> tuple[str, ...]:
    """The words for `grf_mode` that a release of Triton for XPU has, such as "3.7.1"."""
    found = re.match(r"(\d+)\.(\d+)(?:\.(\d+))?", version)
    if found is None:
        raise ValueError(f"Triton's version is {version!r}: expected three numbers, such as 3.7.1")
    numbers = tuple(int(number or 0) for number in found.groups())
    return GRF_MODES[max(first for first in GRF_MODES if first <= max(numbers, min(GRF_MODES)))]


def missing_modes(
    version: str, rows: Mapping[str, LaunchConfig] = LAUNCHES["xpu"]
) -> list[tuple[str, str]]:
    """The rows, each with its `grf_mode`, whose word a release does not have."""
    words = grf_modes(version)
    modes = ((kernel, row.grf_mode) for kernel, row in rows.items())
    return [(kernel, mode) for kernel, mode in modes if mode is not None and mode not in words]


def compiled_kernels() -> Iterator[Compiled]:
    """What Triton compiled and loaded in this process, of the kernels that programs launch."""
    for module in MODULES:
        for function in vars(module).values():
            if isinstance(function, triton.JITFunction) and function.__module__ == module.__name__:
                yield from _loaded(function)


def _loaded(function: triton.JITFunction) -> Iterator[Compiled]:
    for cache in function.device_caches.values():
        for kernel in cache[0].values():  # the first member in every release from 3.3 to 3.7
            if kernel.module is not None:
                metadata = kernel.metadata
                yield Compiled(metadata.name, metadata.num_warps, kernel.n_regs, kernel.n_spills)


def report_lines(device_type: str, version: str, made: Iterable[Compiled]) -> list[str]:
    """Lines for `check`: the release, launches with words that it does not have, and each kernel that spills."""
    lines = [version]
    wrong = missing_modes(version) if device_type == "xpu" else []
    if wrong:
        words = ", ".join(grf_modes(version))
        lines.append(
            f"grf_mode of {dict(wrong)}: this release has {words}, and ignores or refuses others"
        )
    elif device_type == "xpu":
        lines[0] += ", which has the grf_mode of every launch"
    made = set(made)
    spilling = sorted((one for one in made if one.spills), key=lambda one: -one.spills)
    lines.append(f"{len(made)} kernels compiled, {len(spilling)} of them spill registers")
    return lines + [
        f"{one.name}, {one.num_warps} warps: {one.registers} registers, {one.spills} spilled"
        for one in spilling
    ]
