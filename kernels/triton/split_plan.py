"""How attention of a decode step is split into programs: a rule, from sizes alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import torch
from torch import Tensor

from .arguments import cdiv, next_power_of_2
from .tuning import LaunchConfig, attention_launch, key_tile

MIN_ROWS = 16  # rows of a tile of tl.dot, even where few are used
SPLITS = (1, 2, 3, 4, 6, 8, 12, 16)  # few, since each is compiled


@dataclass(frozen=True)
class SplitPlan:
    """Rows and keys of a tile, blocks of rows, and splits of the keys."""

    block_m: int
    block_n: int
    row_blocks: int
    splits: int


def plan_splits(
    batch: int, kv_heads: int, rows: int, keys: int, block_n: int, processors: int,
    launch: LaunchConfig,
) -> SplitPlan:  # fmt: skip
    """The plan for `rows` rows of every key/value head and at most `keys` keys, in tiles of `block_n`.

    A wave is `waves` programs for each processor. Where requests and heads alone do not fill one, time is latency: keys
    are split, into at most `max_splits` and two tiles each where there are as many, and rows into more blocks where
    that is not enough, as far as one wave goes. Between one wave and two, the second would leave the device half idle
    for long: keys of `tiles_to_halve` tiles and more are split in two. All of it depends on the memory reserved, not on
    lengths.
    """
    groups = batch * kv_heads
    wave = launch.blocks["waves"] * processors
    tiles = cdiv(keys, block_n)
    max_splits = min(launch.blocks["max_splits"], cdiv(tiles, 2))
    block_m = min(max(MIN_ROWS, next_power_of_2(rows)), launch.blocks["block_m"])
    while block_m > MIN_ROWS and 2 * groups * cdiv(rows, block_m) * max_splits <= wave:
        block_m //= 2

    row_blocks = cdiv(rows, block_m)
    programs = groups * row_blocks
    if programs <= wave:
        splits = min(wave // programs, max_splits)
    else:
        splits = 2 if programs < 2 * wave and tiles >= launch.blocks["tiles_to_halve"] else 1
    return SplitPlan(block_m, block_n, row_blocks, _compiled_splits(splits))


def split_plan_of(
    q_shape: tuple[int, int, int, int],
    prompt_k: Tensor,
    response_k: Tensor,
    launch: LaunchConfig | None = None,
    window: int | None = None,
) -> SplitPlan:
    """The plan for queries of shape (b, h, w, d) and this memory.

    With a window, splits have two tiles each where it has as many; rows and keys of a tile are the same, so that a
    workspace serves both.
    """
    b, h, w, d = q_shape
    kv_heads, prompt_tokens = prompt_k.shape[1:3]
    launch = launch or attention_launch(prompt_k)
    num_slots, _ = response_layout(response_k, w)
    block_n = key_tile(d, prompt_k.element_size(), launch)
    plan = plan_splits(
        b, kv_heads, rows=h // kv_heads * w, keys=prompt_tokens + num_slots, block_n=block_n,
        processors=num_processors(prompt_k.device), launch=launch,
    )  # fmt: skip
    if window is None:
        return plan
    keys_in_window = min(prompt_tokens, window) + min(num_slots, window * w)
    max_splits = min(plan.splits, cdiv(cdiv(keys_in_window, block_n), 2))
    return replace(plan, splits=_compiled_splits(max_splits))


def response_layout(response: Tensor, w: int) -> tuple[int, tuple[int, int, int, int]]:
    """The number of slots of a response; its strides by request, head, step and slot of a step."""
    if response.dim() == 5:
        return response.shape[2] * w, response.stride()[:4]
    stride_batch, stride_head, stride_slot, _ = response.stride()
    return response.shape[2], (stride_batch, stride_head, stride_slot * w, stride_slot)


@cache
def num_processors(device: torch.device) -> int:
    """Multiprocessors, or Xe-cores, of a device; one where kernels are interpreted."""
    if device.type == "cpu":
        return 1
    properties = getattr(torch, device.type).get_device_properties(device)
    if device.type == "cuda":
        return properties.multi_processor_count
    return properties.gpu_subslice_count


def _compiled_splits(limit: int) -> int:
    """The largest of SPLITS up to a limit."""
    return max(splits for splits in SPLITS if splits <= limit)
