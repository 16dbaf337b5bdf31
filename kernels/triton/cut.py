"""How attention of a decode step is cut into programs: a rule, from sizes alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import torch
import triton
from torch import Tensor

from .tuning import Launch, key_tile, launch_for

LEAST_ROWS = 16  # of a matrix engine's tile, even where few are used
SPLITS = (1, 2, 3, 4, 6, 8, 12, 16)  # few, since each is compiled


@dataclass(frozen=True)
class Cut:
    """How a call is cut into programs: rows and keys of one, blocks of rows, and shares of the keys."""

    rows: int
    keys: int
    blocks: int
    splits: int


def cut(prompts: int, kv_heads: int, rows: int, keys: int, tile: int, processors: int, launch: Launch) -> Cut:
    """The cut for so many rows of every key/value head, at most `keys` keys in tiles, and so many processors.

    A wave is `waves` programs for each processor. Where requests and heads alone do not fill one, time goes into
    waiting: keys are cut into shares, at most `most` and of two tiles where there are as many, and rows into more
    blocks where that is not enough, as far as one wave goes. Between one wave and two, the second would leave the
    device half idle for long: keys of `halve` tiles and more are halved. All of it depends on the memory reserved, not
    on lengths.
    """
    groups, wave, tiles = prompts * kv_heads, launch.blocks["waves"] * processors, triton.cdiv(keys, tile)
    most = min(launch.blocks["most"], triton.cdiv(tiles, 2))
    block = min(max(LEAST_ROWS, triton.next_power_of_2(rows)), launch.blocks["rows"])
    while block > LEAST_ROWS and 2 * groups * triton.cdiv(rows, block) * most <= wave:
        block //= 2
    blocks = triton.cdiv(rows, block)
    programs = groups * blocks
    if programs <= wave:
        splits = min(wave // programs, most)
    else:
        splits = 2 if programs < 2 * wave and tiles >= launch.blocks["halve"] else 1
    splits = max(some for some in SPLITS if some <= splits)
    return Cut(block, tile, blocks, splits)


def cut_of(
    q: Tensor, prompt_k: Tensor, response_k: Tensor, launch: Launch | None = None, window: int | None = None
) -> Cut:
    """The cut for these queries and this memory.

    With a window, shares are of two tiles where it has as many; else the same, so that a workspace serves both.
    """
    launch = launch or launch_for("attention", q.device.type)
    (b, h, w, d), g = q.shape, prompt_k.shape[1]
    prompt, response, tile = prompt_k.shape[2], slots_of(response_k, w)[0], key_tile(d, q.element_size(), launch)
    whole = cut(b, g, h // g * w, prompt + response, tile, processors(q.device), launch)
    if window is None:
        return whole
    tiles = triton.cdiv(min(prompt, window) + min(response, window * w), tile)
    most = min(whole.splits, triton.cdiv(tiles, 2))
    return replace(whole, splits=max(some for some in SPLITS if some <= most))


def slots_of(response: Tensor, w: int) -> tuple[int, tuple[int, ...]]:
    """How many slots a response has, and its strides: from request, head, step and sequence to the next."""
    if response.dim() == 5:
        return response.shape[2] * w, response.stride()[:4]
    batch, head, slot, _ = response.stride()
    return response.shape[2], (batch, head, slot * w, slot)


@cache
def processors(device: torch.device) -> int:
    """Multiprocessors, or Xe-cores, of a device; one where kernels are interpreted."""
    if device.type == "cpu":
        return 1
    properties = getattr(torch, device.type).get_device_properties(device)
    return properties.multi_processor_count if device.type == "cuda" else properties.gpu_subslice_count
