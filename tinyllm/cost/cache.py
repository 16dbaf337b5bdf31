"""What each cache holds, and what it moves: in front of a pass, in every layer, at a beam reorder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from tinyllm.cache.contiguous import ContiguousCache
from tinyllm.cache.fixed import FixedSegmentCache
from tinyllm.cache.segment import SegmentCache, prompts_at_once
from tinyllm.config import DecoderConfig
from tinyllm.cost.attention import position_cost
from tinyllm.cost.workload import Cost, Workload, launch
from tinyllm.ops import rope

CostOf = Callable[[DecoderConfig, Workload], Cost]


def contiguous_held_bytes(config: DecoderConfig, work: Workload) -> int:
    """Bytes at the worst moment of a pass: everything, and the last layer's buffers twice, old and new.

    Not counted is what an allocator loses in the holes that growing buffers leave: on a GPU up to a third.
    """
    work = work.expanded
    token = 2 * work.size * work.batch * config.num_key_value_heads * config.head_dim
    return token * (config.num_hidden_layers * work.total + work.held)


def contiguous_rows_at_once(work: Workload) -> int:
    """Tokens that a pass takes through the layers together."""
    return work.rows


def contiguous_admit_cost(config: DecoderConfig, work: Workload) -> Cost:
    """What `ContiguousCache.admit` moves: positions and bias, anew for every pass."""
    return position_cost(config, work)


def contiguous_append_cost(config: DecoderConfig, work: Workload) -> Cost:
    """What `ContiguousLayer.append` moves: everything, to add `tokens`."""
    token = work.size * work.batch * config.num_key_value_heads * config.head_dim
    new, old = work.tokens * token, work.held * token
    return launch(read=new, kv_copied=old, kv_written=new) * 2  # k, v


def contiguous_slots_cost(config: DecoderConfig, work: Workload) -> Cost:
    """What `ContiguousLayer.slots` moves: what is there already."""
    old = work.size * work.batch * config.num_key_value_heads * work.held * config.head_dim
    return launch(kv_copied=old) * 2 if work.held else Cost()


def contiguous_reorder_cost(config: DecoderConfig, work: Workload) -> Cost:
    """What `ContiguousCache.reorder` moves: everything that is held, and the rows' parents once per buffer."""
    held = work.size * work.batch * config.num_key_value_heads * work.held * config.head_dim
    return launch(read=8 * work.batch, kv_copied=held) * 2 * config.num_hidden_layers


def response_slots(work: Workload) -> int:
    """Slots of a request's response in a step; none while its prompt is taken in."""
    return work.copies * (work.steps + 1) if work.held else 0


def kv_bytes(config: DecoderConfig, work: Workload) -> int:
    """Bytes of keys and values: of prompts once, of what follows once per sequence."""
    token = 2 * work.size * config.num_hidden_layers * config.num_key_value_heads * config.head_dim
    prompt = work.held - work.steps if work.held else work.tokens
    return token * work.batch * (prompt + response_slots(work))


def segment_held_bytes(config: DecoderConfig, work: Workload) -> int:
    """Bytes of prompts, once; in a step after them what follows too, once per sequence, and its bias."""
    heads, slots = config.num_attention_heads // config.num_key_value_heads, response_slots(work)
    bias = work.batch * work.copies * heads * slots * (work.size + 1) if work.copies > 1 else 0
    return kv_bytes(config, work) + bias


def segment_rows_at_once(work: Workload) -> int:
    """Tokens that a pass takes through the layers together: of a large batch, the prompts come in parts."""
    if work.held:
        return work.rows
    return min(work.batch, prompts_at_once(work.tokens)) * work.tokens


def segment_admit_cost(config: DecoderConfig, work: Workload) -> Cost:
    """What `SegmentCache.admit` moves in front of a prompt, or of a step."""
    b, w, size = work.batch, work.copies, work.size
    if not work.held:
        t = work.tokens
        starts = launch(read=8 * b * t, write=8 * b)
        bias = launch(read=8 * b * t, write=b * t) + launch(read=b * t, write=size * b * t)
        return position_cost(config, work) + (starts + bias if work.padded else Cost())
    rows, slots = b * w, (work.steps + 1) * w
    cost = launch(read=8 * b, write=8 * b) if work.padded else launch(write=8 * w)
    cost += _fallen_cost(config, work) if config.alibi else Cost()
    if w == 1:
        return cost
    cost += launch(read=8 * b, write=8 * rows) if work.padded else Cost()
    visible = rows * config.group * slots
    compare = launch(read=4 * rows * (work.steps + 1) + 4 * w, write=visible)
    return cost + compare + launch(read=visible, write=size * visible)


def _fallen_cost(config: DecoderConfig, work: Workload) -> Cost:
    """What ALiBi moves in front of a step: distances, times slopes, to what else is added."""
    b, w, heads = work.batch if work.padded else 1, work.copies, config.num_attention_heads
    prompt, slots = work.held - work.steps, (work.steps + 1) * work.copies
    row = 8 * b * prompt
    where = launch(read=row, write=row) * 3 if work.padded else launch(write=row)
    distances = launch(read=8 * b, write=8 * b) + launch(read=row + 8 * b, write=row)
    distances += launch(write=8 * slots) + launch(read=8 * slots, write=8 * slots) * 2  # arange, //, -
    apart = w > 1 and config.group > 1
    spread, slopes = launch(read=4 * heads, write=4 * heads * w) if apart else Cost(), 4 * heads * (w if apart else 1)

    def fallen(batch: int, keys: int) -> Cost:
        wide, narrow = 4 * batch * heads * w * keys, work.size * batch * heads * w * keys
        return (
            spread
            + launch(read=slopes + 8 * batch * keys, write=wide)
            + (launch(read=wide, write=narrow) if work.size != 4 else Cost())
        )

    return where + distances + fallen(b, prompt) + fallen(1, slots) + _added_cost(config, work, prompt, slots)


def _added_cost(config: DecoderConfig, work: Workload, prompt: int, slots: int) -> Cost:
    """Both segments' bias put together and copied to where its rows are aligned."""
    b, w, size = work.batch, work.copies, work.size
    rows = size * config.num_attention_heads * w
    cost, many = Cost(), b if work.padded else 1
    if work.padded:
        cost += launch(read=size * b * prompt + b * rows * prompt, write=b * rows * prompt)
    cost += launch(read=many * rows * prompt, write=many * rows * prompt)
    if w == 1:
        return cost + launch(read=rows * slots, write=rows * slots)
    seen = size * b * w * config.group * slots
    return (
        cost
        + launch(read=seen + rows * slots, write=b * rows * slots)
        + launch(read=b * rows * slots, write=b * rows * slots)
    )


def segment_slots_cost(config: DecoderConfig, work: Workload) -> Cost:
    """What `SegmentLayer.slots` moves: nothing."""
    return Cost()


def segment_append_cost(config: DecoderConfig, work: Workload) -> Cost:
    """What `SegmentLayer.append` moves: the new keys and values, into their slots."""
    new = work.size * work.rows * config.num_key_value_heads * config.head_dim
    return launch(read=new, kv_written=new) * 2  # k, v


def segment_reorder_cost(config: DecoderConfig, work: Workload) -> Cost:
    """What `SegmentCache.reorder` moves: the ancestry, and no key and no value."""
    rows = work.batch * work.copies
    if work.copies == 1 or not work.steps:
        return Cost()
    own, past = 8 * rows, 4 * rows * work.steps
    gather = launch(read=past + own, write=past)
    return launch(read=own, write=own) + gather + launch(read=past, write=past)  # %, gather, copy_


def fixed_held_bytes(config: DecoderConfig, work: Workload) -> int:
    """Bytes of prompts, once; in a step after them what follows too, once per sequence, and who sees it."""
    tables = (4 + 8) * work.batch * response_slots(work) if work.copies > 1 else 0
    return kv_bytes(config, work) + tables


def fixed_admit_cost(config: DecoderConfig, work: Workload) -> Cost:
    """What `FixedSegmentCache.admit` moves in front of a prompt, or of a step."""
    b, t, w = work.batch, work.tokens, work.copies
    where = 8 * w * (b if work.padded else 1)
    if work.held:
        return launch(read=24, write=12) + launch(read=where, write=where)
    first = 8 * b if work.padded else 8
    here = launch(read=first, write=first) + (launch(read=first, write=where) if w > 1 else Cost())
    counters = launch(read=4, write=4) * 3
    if not work.padded:
        return segment_admit_cost(config, work) + counters + launch(write=8) + here
    row = 8 * b * t
    positions = launch(read=row, write=row) * 2 + launch(read=2 * row, write=row) + launch(read=row, write=row // 2)
    return segment_admit_cost(config, work) + counters + here + positions


def fixed_slots_cost(config: DecoderConfig, work: Workload) -> Cost:
    """What `FixedLayer.slots` moves: nothing; torch's own operations ask where to write."""
    return launch(read=4) if work.held and work.kernels == "plain" else Cost()


def fixed_append_cost(config: DecoderConfig, work: Workload) -> Cost:
    """What `FixedLayer.append` moves: the new keys and values, into their slots."""
    return segment_append_cost(config, work) + (launch(read=4) if work.held else Cost())


def fixed_reorder_cost(config: DecoderConfig, work: Workload) -> Cost:
    """What `FixedSegmentCache.reorder` moves: the ancestry, as long as it may become, and no key and no value."""
    rows, room = work.batch * work.copies, work.reserved
    if work.copies == 1:
        return Cost()
    own, table = 8 * rows, 4 * rows * room
    return (
        launch(read=own, write=own)  # %
        + launch(write=4 * room)
        + launch(read=4 * room + 4, write=room)  # <
        + launch(write=4 * work.copies)
        + launch(read=table + own, write=table)  # gather
        + launch(read=room + table + 4 * work.copies, write=table)  # where
    )


class CacheCosts(NamedTuple):
    """What a cache costs: in front of a pass, in every layer for the operation that hands it k and v, at a reorder."""

    admit: CostOf
    store: Mapping[Callable, CostOf]
    reorder: CostOf
    held_bytes: Callable[[DecoderConfig, Workload], int]  # of keys and values, at the worst moment of a pass
    rows_at_once: Callable[[Workload], int]  # tokens that a pass takes through the layers together


CACHE_COSTS: Mapping[Callable, CacheCosts] = MappingProxyType(
    {
        ContiguousCache: CacheCosts(
            admit=contiguous_admit_cost,
            store={
                rope.rotate_and_store: contiguous_append_cost,
                rope.fused_rotate_and_store: contiguous_slots_cost,
            },
            reorder=contiguous_reorder_cost,
            held_bytes=contiguous_held_bytes,
            rows_at_once=contiguous_rows_at_once,
        ),
        SegmentCache: CacheCosts(
            admit=segment_admit_cost,
            store={rope.rotate_and_store: segment_append_cost, rope.fused_rotate_and_store: segment_slots_cost},
            reorder=segment_reorder_cost,
            held_bytes=segment_held_bytes,
            rows_at_once=segment_rows_at_once,
        ),
        FixedSegmentCache: CacheCosts(
            admit=fixed_admit_cost,
            store={rope.rotate_and_store: fixed_append_cost, rope.fused_rotate_and_store: fixed_slots_cost},
            reorder=fixed_reorder_cost,
            held_bytes=fixed_held_bytes,
            rows_at_once=segment_rows_at_once,
        ),
    }
)


def costs_of(cache: Callable) -> CacheCosts:
    """The row of a cache's class, or of the nearest class that it derives from."""
    for one in getattr(cache, "__mro__", ()):
        if one in CACHE_COSTS:
            return CACHE_COSTS[one]
    raise LookupError(f"what {cache!r} costs is unknown: expected one of {[c.__name__ for c in CACHE_COSTS]}")
