"""Attention of a decode step over a prompt and a response segment, through the beam index: one launch.

The rows of a program are all sequences of a request times all query heads that share a key/value head. A prompt's keys
and values, 2*t*d*s bytes for t tokens, d elements a head and s bytes an element, are read once for all of them; of the
response, each slot that any row descends from, once. Scores never leave the registers: one softmax runs over both.

Where requests times key/value heads are too few to fill the device, the keys are split among programs. Each leaves its
maximum, its sum and its weighted values behind, and the one that arrives last adds them up: still one launch. Nothing
here depends on the lengths but what is read from memory, so that a captured graph can be replayed while they grow. Of a
window, shares divide only the tiles in sight; the others are not read.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import triton
import triton.language as tl
from torch import Tensor

from .cut import Cut, cut_of, slots_of
from .paths import Seen, own_paths, seen_by
from .tuning import Launch, launch_for

LOG2_E = tl.constexpr(1.4426950408889634)


@triton.jit
def add_tile(q, k, v, visible, shift, scale, top, total, acc, SOFTCAP: tl.constexpr):
    """One more tile of keys in a running softmax: k, v [BLOCK, D]; visible [ROWS or 1, BLOCK]; scale, shift in bits."""
    scores = tl.dot(q, tl.trans(k), input_precision="ieee") * scale
    if SOFTCAP is not None:  # tanh(x) = 1 - 2 / (exp(2x) + 1), whose exponential may be zero or infinite
        scores = (1.0 - 2.0 / (tl.exp2(scores * (2.0 / SOFTCAP)) + 1.0)) * (SOFTCAP * LOG2_E)
    scores = tl.where(visible, scores + shift, float("-inf"))
    higher = tl.maximum(top, tl.max(scores, 1))
    base = tl.where(higher == float("-inf"), 0.0, higher)  # of a row that has seen nothing yet
    weights = tl.exp2(scores - base[:, None])
    keep = tl.exp2(top - base)
    acc = tl.dot(weights.to(v.dtype), v, acc * keep[:, None], input_precision="ieee")
    return higher, total * keep + tl.sum(weights, 1), acc


@triton.jit
def _segments(
    q, prompt_k, prompt_v, response_k, response_v, lengths, bits, live, gone, positions, slopes,
    out, partial, counters, scale,
    q_batch, q_head, q_sequence, prompt_batch, prompt_head, prompt_token, response_batch, response_head, response_step,
    response_own, bits_batch, live_batch, gone_batch, positions_batch, group, width, kv_heads,
    D: tl.constexpr, BLOCK_D: tl.constexpr, ROWS: tl.constexpr, USED: tl.constexpr, BLOCK: tl.constexpr,
    SPLITS: tl.constexpr, STAGES: tl.constexpr, RESPONSE_STAGES: tl.constexpr, SOFTCAP: tl.constexpr,
    WINDOW: tl.constexpr,
):  # fmt: skip
    """ROWS rows of one request and key/value head, at most USED of them real, over one of SPLITS shares of the keys."""
    split, block = tl.program_id(0) % SPLITS, tl.program_id(0) // SPLITS
    kv_head, batch = tl.program_id(1), tl.program_id(2).to(tl.int64)
    row = block * ROWS + tl.arange(0, ROWS)
    exists = row < group * width
    head, sequence = kv_head * group + row // width, row % width
    i = tl.arange(0, BLOCK_D)
    inside = i < D
    tokens, steps = tl.load(lengths), tl.load(lengths + 1)
    slots = steps * width
    if live is not None:
        slots -= tl.load(gone + batch * gone_batch)

    where_q = batch * q_batch + head * q_head + sequence * q_sequence
    rows_q = tl.load(q + where_q[:, None] + i[None, :], mask=exists[:, None] & inside[None, :], other=0.0)
    top = tl.full([ROWS], float("-inf"), tl.float32)
    total = tl.zeros([ROWS], tl.float32)
    acc = tl.zeros([ROWS, BLOCK_D], tl.float32)
    if slopes is not None:
        slope = tl.load(slopes + head, mask=exists, other=0.0) * LOG2_E
        first = tokens if positions is None else tl.load(positions + batch * positions_batch + tokens - 1) + 1

    tiles, more = tl.cdiv(tokens, BLOCK), tl.cdiv(slots, BLOCK)
    hidden, begun = 0, 0  # tiles of either that are out of sight
    if WINDOW is not None:
        near = steps - WINDOW  # the first step in sight; where negative, so many tokens before them
        hidden = tl.where(near < 0, tl.maximum(tokens + near, 0) // BLOCK, tiles)
        begun = tl.maximum(slots - WINDOW * width, 0) // BLOCK  # also of a list: its last slots are the latest
    share = tl.cdiv(tiles - hidden + more - begun, SPLITS)
    start = hidden + split * share
    end = start + share
    prompt_k += batch * prompt_batch + kv_head * prompt_head
    prompt_v += batch * prompt_batch + kv_head * prompt_head
    for tile in tl.range(start, tl.minimum(end, tiles), num_stages=STAGES):
        key = tile * BLOCK + tl.arange(0, BLOCK)
        there = key < tokens
        where = key
        if positions is not None:
            where = tl.load(positions + batch * positions_batch + key, mask=there, other=-1)
            there = where >= 0
        if WINDOW is not None:
            there = there & (key >= tokens + near)
        shift = 0.0 if slopes is None else slope[:, None] * where.to(tl.float32)[None, :]
        wanted = there[:, None] & inside[None, :]
        at = key[:, None] * prompt_token + i[None, :]
        k = tl.load(prompt_k + at, mask=wanted, other=0.0)
        v = tl.load(prompt_v + at, mask=wanted, other=0.0)
        top, total, acc = add_tile(rows_q, k, v, there[None, :], shift, scale, top, total, acc, SOFTCAP)

    response_k += batch * response_batch + kv_head * response_head
    response_v += batch * response_batch + kv_head * response_head
    first_tile, end_tile = tl.maximum(start, tiles) - tiles + begun, tl.minimum(end - tiles + begun, more)
    for tile in tl.range(first_tile, end_tile, num_stages=RESPONSE_STAGES):
        slot = tile * BLOCK + tl.arange(0, BLOCK)
        there = slot < slots
        visible = exists[:, None] & there[None, :]
        if live is not None:  # the next slots that somebody descends from: sequence j where bit j is set
            slot = tl.load(live + batch * live_batch + slot, mask=there, other=0)
            who = tl.load(bits + batch * bits_batch + slot, mask=there, other=0)
            visible = (who[None, :] >> sequence.to(tl.int64)[:, None]) & 1 != 0
        step = slot // width
        if WINDOW is not None:
            there = there & (step >= near)
            visible = visible & there[None, :]
        shift = 0.0 if slopes is None else slope[:, None] * (first + step).to(tl.float32)[None, :]
        wanted = there[:, None] & inside[None, :]
        at = step.to(tl.int64) * response_step + (slot % width) * response_own
        at = at[:, None] + i[None, :]
        k = tl.load(response_k + at, mask=wanted, other=0.0)
        v = tl.load(response_v + at, mask=wanted, other=0.0)
        top, total, acc = add_tile(rows_q, k, v, visible, shift, scale, top, total, acc, SOFTCAP)

    if SPLITS > 1:
        place = (batch * kv_heads + kv_head) * (tl.num_programs(0) // SPLITS) + block
        shares = partial + place * SPLITS * ROWS * (BLOCK_D + 2)
        if _leave(shares, counters + place, split, top, total, acc, exists, i, ROWS, BLOCK_D, SPLITS):
            used = block * ROWS + tl.arange(0, USED)
            real = used < group * width
            sums, values = _join(shares, real, i, ROWS, USED, BLOCK_D, SPLITS)
            _store(out, sums, values, used, real, i, batch, kv_head, group, width, kv_heads, D)
            tl.store(counters + place, 0)  # ready for the next launch
    else:
        _store(out, total, acc, row, exists, i, batch, kv_head, group, width, kv_heads, D)


@triton.jit
def _store(out, total, acc, row, exists, i, batch, kv_head, group, width, kv_heads, D: tl.constexpr):
    """Weighted values over their sums, as the results of these rows."""
    head, sequence = kv_head * group + row // width, row % width
    out += (batch * width + sequence)[:, None] * (kv_heads * group * D) + head[:, None] * D + i[None, :]
    tl.store(out, acc / tl.where(exists, total, 1.0)[:, None], mask=exists[:, None] & (i < D)[None, :])


@triton.jit
def _leave(
    shares, counter, split, top, total, acc, exists, i,
    ROWS: tl.constexpr, BLOCK_D: tl.constexpr, SPLITS: tl.constexpr,
):  # fmt: skip
    """Leave a share behind; whether it was the last."""
    row = tl.arange(0, ROWS)
    values = shares + SPLITS * ROWS * 2
    tl.store(shares + (split * 2) * ROWS + row, top, mask=exists)
    tl.store(shares + (split * 2 + 1) * ROWS + row, total, mask=exists)
    tl.store(values + (split * ROWS + row)[:, None] * BLOCK_D + i[None, :], acc, mask=exists[:, None])
    tl.debug_barrier()  # before one thread says that all have stored
    return tl.atomic_add(counter, 1, sem="acq_rel") == SPLITS - 1


@triton.jit
def _join(
    shares, exists, i, ROWS: tl.constexpr, USED: tl.constexpr, BLOCK_D: tl.constexpr, SPLITS: tl.constexpr
):  # fmt: skip
    """All shares of the first USED rows: their sums, and their weighted values. No load waits for another."""
    row = tl.arange(0, USED)
    top = tl.full([USED], float("-inf"), tl.float32)
    for s in tl.static_range(SPLITS):
        top = tl.maximum(top, tl.load(shares + s * 2 * ROWS + row, mask=exists, other=0.0, cache_modifier=".cg"))
    base = tl.where(top == float("-inf"), 0.0, top)
    total = tl.zeros([USED], tl.float32)
    acc = tl.zeros([USED, BLOCK_D], tl.float32)
    values = shares + SPLITS * ROWS * 2 + row[:, None] * BLOCK_D + i[None, :]
    for s in tl.static_range(SPLITS):
        at = shares + s * 2 * ROWS + row
        weight = tl.exp2(tl.load(at, mask=exists, other=0.0, cache_modifier=".cg") - base)
        total += weight * tl.load(at + ROWS, mask=exists, other=0.0, cache_modifier=".cg")
        more = tl.load(values + s * ROWS * BLOCK_D, mask=exists[:, None], other=0.0, cache_modifier=".cg")
        acc += weight[:, None] * more
    return total, acc


@dataclass(frozen=True)
class Workspace:
    """Where shares of a split wait for the last; zeros in `counters` between launches."""

    partial: Tensor
    counters: Tensor


def workspace(
    q: Tensor, prompt_k: Tensor, prompt_v: Tensor, response_k: Tensor, response_v: Tensor
) -> Workspace | None:
    """Memory for the shares of one launch, which the next may use again; None where nothing is split."""
    return _workspace(q, prompt_k.shape[1], cut_of(q, prompt_k, response_k))


def _workspace(q: Tensor, kv_heads: int, cut: Cut) -> Workspace | None:
    if cut.splits == 1:
        return None
    places = len(q) * kv_heads * cut.blocks
    size = places * cut.splits * cut.rows * (max(16, triton.next_power_of_2(q.shape[-1])) + 2)
    counters = torch.zeros(places, dtype=torch.int32, device=q.device)
    return Workspace(torch.empty(size, dtype=torch.float32, device=q.device), counters)


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
    *,
    seen: Seen | None = None,
    space: Workspace | None = None,
    launch: Launch | None = None,
) -> Tensor:
    """q [b, h, w, d] over prompts [b, g, t, d] and responses [b, g, slots, d]; see `tinyllm.check.references`.

    Responses may be [b, g, steps, w, d] too, however they lie in memory: a slot is a step and the sequence it is from.
    `seen`: what `paths.seen_by` says of the ancestry, so that it need not be asked here; `space`: the workspace of an
    earlier call of the same shapes, so that none is made. Returns [b, w, h * d]. Raises ValueError where shapes,
    formats or strides do not fit.
    """
    _check(q, prompt_k, prompt_v, response_k, response_v, ancestry, positions, window)
    launch = launch or launch_for("attention", q.device.type)
    (b, h, w, d), g = q.shape, prompt_k.shape[1]
    shape, (slots, response) = cut_of(q, prompt_k, response_k, launch, window), slots_of(response_k, w)
    space = space or _workspace(q, g, shape)
    partial, counters = (None, None) if space is None else (space.partial, space.counters)
    out = torch.empty((b, w, h * d), dtype=q.dtype, device=q.device)
    if seen is None and w > 1:
        seen = seen_by(ancestry if ancestry is not None else own_paths(w, slots // w, q.device), lengths)
    bits, live, gone = (None, None, None) if seen is None else seen
    tables = (0 if x is None or len(x) == 1 else x.stride(0) for x in (bits, live, gone, positions))
    steps = (*q.stride()[:3], *prompt_k.stride()[:3], *response, *tables)
    used, pipelined = min(shape.rows, triton.next_power_of_2(h // g * w)), slots > 2 * shape.keys
    scale = (d**-0.5 if scale is None else scale) * LOG2_E.value
    _segments[(shape.splits * shape.blocks, g, b)](
        q, prompt_k, prompt_v, response_k, response_v, lengths, bits, live, gone, positions, slopes,
        out, partial, counters, scale, *steps, h // g, w, g,
        D=d, BLOCK_D=max(16, triton.next_power_of_2(d)), ROWS=shape.rows, USED=used, BLOCK=shape.keys,
        SPLITS=shape.splits, STAGES=launch.num_stages, RESPONSE_STAGES=launch.num_stages if pipelined else 1,
        SOFTCAP=softcap, WINDOW=window, **launch.options,
    )  # fmt: skip
    return out


def _check(
    q: Tensor, prompt_k: Tensor, prompt_v: Tensor, response_k: Tensor, response_v: Tensor,
    ancestry: Tensor | None, positions: Tensor | None, window: int | None,
) -> None:  # fmt: skip
    (b, h, w, d), g = q.shape, prompt_k.shape[1]
    for name, x, like in (("prompt_v", prompt_v, prompt_k), ("response_v", response_v, response_k)):
        if x.shape != like.shape or x.stride() != like.stride():
            given, expected = f"{list(x.shape)}, strides {x.stride()}", f"{list(like.shape)}, strides {like.stride()}"
            raise ValueError(f"{name} is {given}: expected what its keys are, {expected}")
    for name, x in (("prompt_k", prompt_k), ("response_k", response_k)):
        if x.dtype != q.dtype or (x.shape[0], x.shape[1], x.shape[-1]) != (b, g, d) or h % g:
            raise ValueError(f"{name} is {list(x.shape)} of {x.dtype}: expected [{b}, g, n, {d}] of {q.dtype}, g | {h}")
    if any(x.stride(-1) != 1 for x in (q, prompt_k, response_k)):
        raise ValueError("the last dimension of q, keys and values must be dense (stride 1)")
    if window is not None and window < 1:
        raise ValueError(f"a window of {window} tokens: expected one, the query's own, or more")
    if ancestry is not None and (ancestry.shape[:2] != (b, w) or ancestry.dtype != torch.int32):
        raise ValueError(f"ancestry is {list(ancestry.shape)} of {ancestry.dtype}: expected [{b}, {w}, steps] of int32")
    if positions is not None and (len(positions) != b or positions.dtype != torch.int32):
        raise ValueError(f"positions is {list(positions.shape)} of {positions.dtype}: expected [{b}, t] of int32")
