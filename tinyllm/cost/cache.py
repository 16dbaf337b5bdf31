"""What each cache holds, and what it moves: in front of a pass, in every layer, at a beam reorder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from tinyllm.cache import CacheFactory
from tinyllm.cache.contiguous import ContiguousCache
from tinyllm.cache.segment import SegmentCache, prompts_per_pass
from tinyllm.cache.segment_layer import aligned_slots
from tinyllm.config import DecoderConfig
from tinyllm.cost.int8 import store_quantized_cost
from tinyllm.cost.masks import position_cost
from tinyllm.cost.workload import Cost, Workload, launch
from tinyllm.ops import NAIVE, Operations

CostOf = Callable[[DecoderConfig, Workload], Cost]


def contiguous_held_bytes(config: DecoderConfig, work: Workload) -> int:
    """Bytes at the worst moment of a pass: everything, and the last layer's buffers twice, old and new.

    Not counted is what an allocator loses in the holes that growing buffers leave: on a GPU up to a third.
    """
    work = work.expanded
    token = 2 * work.size * work.batch * config.num_key_value_heads * config.head_dim
    return token * (config.num_hidden_layers * work.total + work.held)


def contiguous_rows_per_pass(work: Workload) -> int:
    """Tokens that a pass takes through the layers together."""
    return work.rows


def contiguous_prepare_cost(config: DecoderConfig, work: Workload) -> Cost:
    """What `ContiguousCache.prepare` moves: mask and positions, anew for every pass."""
    return position_cost(config, work)


def contiguous_append_cost(config: DecoderConfig, work: Workload) -> Cost:
    """What `ContiguousLayer.append` moves: everything, to add `tokens`."""
    token = work.size * work.batch * config.num_key_value_heads * config.head_dim
    new = work.tokens * token
    old = work.held * token
    return launch(read=new, kv_copied=old, kv_written=new) * 2  # k, v


def contiguous_slots_cost(config: DecoderConfig, work: Workload) -> Cost:
    """What `ContiguousLayer.slots` moves: what is there already."""
    old = work.size * work.batch * config.num_key_value_heads * work.held * config.head_dim
    return launch(kv_copied=old) * 2 if work.held else Cost()


def contiguous_reorder_cost(config: DecoderConfig, work: Workload) -> Cost:
    """What `ContiguousCache.reorder` moves: everything that is held, and the beam index once per buffer."""
    held = work.size * work.batch * config.num_key_value_heads * work.held * config.head_dim
    return launch(read=8 * work.batch, kv_copied=held) * 2 * config.num_hidden_layers


def response_slots(work: Workload) -> int:
    """Slots of a request's response in a step; none during its prefill."""
    return work.copies * (work.steps + 1) if work.held else 0


def segment_held_bytes(config: DecoderConfig, work: Workload) -> int:
    """Bytes of prompts, once; in a step after them of the response too, once per sequence, the beam index and mask."""
    row_bytes = config.head_dim * (1 if work.int8 else work.size)
    row = work.kv_row_bytes(config.head_dim)
    token = 2 * config.num_hidden_layers * config.num_key_value_heads * row
    prompt = work.held - work.steps if work.held else work.tokens
    slots = sum(aligned_slots(n, row_bytes) for n in (prompt, response_slots(work)))
    words = -(-work.copies // 64) if work.has_beam_index else 0  # of a slot's beam mask
    beam_index = (4 * work.has_beam_index + 8 * words) * work.batch * response_slots(work)
    return token * work.batch * slots + beam_index


def segment_rows_per_pass(work: Workload) -> int:
    """Tokens that a pass takes through the layers together: of a large batch, the prompts come in parts."""
    if work.held:
        return work.rows
    return min(work.batch, prompts_per_pass(work.tokens)) * work.tokens


def segment_prepare_cost(config: DecoderConfig, work: Workload) -> Cost:
    """What `SegmentCache.prepare` moves in front of a prefill, or of a step."""
    b = work.batch
    t = work.tokens
    w = work.copies
    positions = 8 * w * (b if work.padded else 1)
    if work.decodes:
        return launch(read=24, write=12) + launch(read=positions, write=positions)
    first = 8 * b if work.padded else 8
    cost = position_cost(config, work)
    cost += launch(read=4, write=4) * 3  # counters
    cost += launch(read=8 * b * t, write=first) if work.padded else launch(write=first)
    cost += launch(read=first, write=first)  # - 1
    cost += launch(read=first, write=positions) if w > 1 else Cost()
    if not work.padded:
        return cost
    row = 8 * b * t  # the prompt's positions: cumsum, *, - 1, to int32
    cost += launch(read=row, write=row) * 2
    return cost + launch(read=2 * row, write=row) + launch(read=row, write=row // 2)


def segment_slots_cost(config: DecoderConfig, work: Workload) -> Cost:
    """What `SegmentLayer.slots` moves: nothing; torch's own operations read where to write."""
    return launch(read=4) if work.decodes and work.kernels == "torch" else Cost()


def segment_append_cost(config: DecoderConfig, work: Workload) -> Cost:
    """What `SegmentLayer.append` moves: the new keys and values, into their slots."""
    new = work.size * work.rows * config.num_key_value_heads * config.head_dim
    cost = launch(read=new, kv_written=new) * 2  # k, v
    if work.int8:
        cost = store_quantized_cost(config, work) * 2
    return cost + (launch(read=4) if work.decodes else Cost())


def segment_reorder_cost(config: DecoderConfig, work: Workload) -> Cost:
    """What `SegmentCache.reorder` moves: the beam index, as long as it may become, and no key and no value."""
    if not work.has_beam_index:
        return Cost()
    rows = work.batch * work.copies
    steps = work.reserved
    table = 4 * rows * steps
    return (
        launch(read=8 * rows, write=8 * rows)  # %
        + launch(write=4 * steps)
        + launch(read=4 * steps + 4, write=steps)  # <
        + launch(write=4 * work.copies)
        + launch(read=table + 8 * rows, write=table)  # gather
        + launch(read=steps + table + 4 * work.copies, write=table)  # where
    )


class CacheCosts(NamedTuple):
    """What a cache costs; `append` and `slots` are the two ways in which operations hand it keys and values."""

    prepare: CostOf
    append: CostOf
    slots: CostOf
    reorder: CostOf
    held_bytes: Callable[
        [DecoderConfig, Workload], int
    ]  # of keys and values, at the peak of a pass
    rows_per_pass: Callable[[Workload], int]  # tokens that a pass takes through the layers together

    def store(self, ops: Operations) -> CostOf:
        """Of one layer: naive operations append, fused ones write into the slots."""
        return self.append if ops.norm_qkv_rope is NAIVE.norm_qkv_rope else self.slots


CACHE_COSTS: Mapping[CacheFactory, CacheCosts] = MappingProxyType(
    {
        ContiguousCache: CacheCosts(
            prepare=contiguous_prepare_cost,
            append=contiguous_append_cost,
            slots=contiguous_slots_cost,
            reorder=contiguous_reorder_cost,
            held_bytes=contiguous_held_bytes,
            rows_per_pass=contiguous_rows_per_pass,
        ),
        SegmentCache: CacheCosts(
            prepare=segment_prepare_cost,
            append=segment_append_cost,
            slots=segment_slots_cost,
            reorder=segment_reorder_cost,
            held_bytes=segment_held_bytes,
            rows_per_pass=segment_rows_per_pass,
        ),
    }
)


def costs_of(cache: CacheFactory) -> CacheCosts:
    """The row of a cache's class, or of the nearest class that it derives from."""
    for one in getattr(cache, "__mro__", ()):
        if one in CACHE_COSTS:
            return CACHE_COSTS[one]
    known = [c.__name__ for c in CACHE_COSTS]
    raise LookupError(f"the cost of {cache!r} is unknown: expected one of {known}")
