"""One token of beam search, once it is chosen: one launch, a program for each request.

A program ranks its candidates in registers, every one against every other: scores as integers of the same order, then
whether a candidate counts, then which comes first. It then lets the sequences change places, those of new tokens alone:
the prompts of a request are the same. Where the next token goes is read from memory and moved on by the program that
arrives last, which also sees whether all is over: a captured graph can be replayed.
"""

from __future__ import annotations

import triton
import triton.language as tl
from torch import Tensor

from .. import beams
from .paths import MOST

KEPT = 256  # candidates of a request
TILE = 32  # against which they are ranked at a time
ELEMENTS = 512  # of a table that change places at a time
NEVER = tl.constexpr(beams.NEVER)
LAST = tl.constexpr(-(2**63))


@triton.jit
def _key(score, counts, index, exists):
    """What is ranked by: larger ones first; no two are equal but those that do not exist."""
    bits = score.to(tl.int32, bitcast=True)
    ordered = tl.where(bits < 0, bits ^ 0x7FFFFFFF, bits).to(tl.int64)
    return tl.where(exists, (ordered << 32) + counts.to(tl.int64) * 65536 - index, LAST)


@triton.jit
def _before(others, own, TILE: tl.constexpr):
    """How many of the others stand before each, TILE of them at a time."""
    count = tl.zeros([own.shape[0]], tl.int32)
    for start in range(0, others.shape[0], TILE):
        some = others if others.shape[0] <= TILE else tl.gather(others, start + tl.arange(0, TILE), 0)
        count += tl.sum((some[None, :] > own[:, None]).to(tl.int32), 1)
    return count


@triton.jit
def _at(rank, x, place):
    """What of `x` has the rank `place`; zero where nothing has."""
    return tl.sum(tl.where(rank[None, :] == place[:, None], x[None, :], 0), 1)


@triton.jit
def _ended(
    score, ending, penalty, old_score, old_full, was_open, own, exists, k, offered, WIDTH: tl.constexpr,
    EARLY: tl.constexpr, BLOCK_W: tl.constexpr, TILE: tl.constexpr,
):  # fmt: skip
    """Of those that had ended and the candidates, which take the slots: ranks of both, scores, and whether they count.

    The additions are those of torch's version, in their order.
    """
    may_end = ending & (k < WIDTH)
    offer = tl.div_rn(score, penalty)
    if EARLY:
        offer += tl.where(tl.min((old_full | ~exists).to(tl.int32), 0) != 0, NEVER, 0.0)
    offer += tl.where(was_open, 0.0, NEVER)
    offer += tl.where(may_end, 0.0, NEVER)
    old_key, new_key = _key(old_score, old_full, own, exists), _key(offer, may_end & was_open, BLOCK_W + k, offered)
    old_rank = _before(old_key, old_key, TILE) + _before(new_key, old_key, TILE)
    new_rank = _before(old_key, new_key, TILE) + _before(new_key, new_key, TILE)
    scores = _at(old_rank, old_score, own) + _at(new_rank, offer, own)
    counts = _at(old_rank, old_full.to(tl.int32), own) + _at(new_rank, may_end.to(tl.int32), own)
    return old_rank, new_rank, scores, counts != 0


@triton.jit
def _move(
    running, running_parents, ended, ended_parents, beam, moves, ended_beam, is_new, slot, stays, own,
    first, taken, length, room, COLUMNS: tl.constexpr,
):  # fmt: skip
    """Let the sequences of a request change places, from column `first`; what stays where it is need not move."""
    for start in range(0, taken, COLUMNS):
        step = start + tl.arange(0, COLUMNS)[None, :]
        there, column = step < taken, first + step
        goes, fresh, old = moves[:, None] & there, is_new[:, None] & there, stays[:, None] & there
        tokens = tl.load(running + beam[:, None] * length + column, mask=goes, other=0)
        parents = tl.load(running_parents + beam[:, None] * room + step, mask=goes, other=0)
        new_tokens = tl.load(running + ended_beam[:, None] * length + column, mask=fresh, other=0)
        new_parents = tl.load(running_parents + ended_beam[:, None] * room + step, mask=fresh, other=0)
        old_tokens = tl.load(ended + slot[:, None] * length + column, mask=old, other=0)
        old_parents = tl.load(ended_parents + slot[:, None] * room + step, mask=old, other=0)
        tl.debug_barrier()  # all have read before anyone writes
        tl.store(running + own[:, None] * length + column, tokens, mask=goes)
        tl.store(running_parents + own[:, None] * room + step, parents, mask=goes)
        tl.store(ended + own[:, None] * length + column, new_tokens, mask=fresh)
        tl.store(ended + own[:, None] * length + column, old_tokens, mask=old)
        tl.store(ended_parents + own[:, None] * room + step, new_parents, mask=fresh)
        tl.store(ended_parents + own[:, None] * room + step, old_parents, mask=old)


@triton.jit(do_not_specialize=["length", "room"])  # which change from one request to the next
def _beam_step(
    scores, chosen, ends, running_sequences, running_scores, running_parents, ended_sequences, ended_scores,
    ended_parents, full, still_open, next_tokens, next_parents, column, new, over, tally, penalties, far,
    vocabulary, length, room,
    WIDTH: tl.constexpr, KEPT: tl.constexpr, EARLY: tl.constexpr, BLOCK_W: tl.constexpr, BLOCK_K: tl.constexpr,
    COLUMNS: tl.constexpr, TILE: tl.constexpr,
):  # fmt: skip
    """All of one request."""
    batch, own, k = tl.program_id(0).to(tl.int64), tl.arange(0, BLOCK_W), tl.arange(0, BLOCK_K)
    row, exists, offered = batch * WIDTH + own, own < WIDTH, k < KEPT
    taken, end = tl.load(new).to(tl.int32), tl.load(column).to(tl.int32)
    penalty = tl.load(penalties + taken)
    which = tl.load(chosen + batch * KEPT + k, mask=offered, other=0).to(tl.int32)
    score = tl.load(scores + batch * (WIDTH * vocabulary) + which, mask=offered, other=0.0)
    ending = tl.load(ends + batch * KEPT + k, mask=offered, other=0) != 0
    old_score = tl.load(ended_scores + row, mask=exists, other=0.0)
    old_full = tl.load(full + row, mask=exists, other=0) != 0
    was_open = tl.load(still_open + batch) != 0

    going_on = score + tl.where(ending, NEVER, 0.0)
    key = _key(going_on, ~ending, k, offered)
    rank = _before(key, key, TILE)
    goes_on, going_score = _at(rank, which, own), _at(rank, going_on, own)
    beam, token = goes_on // vocabulary, goes_on % vocabulary

    old_rank, new_rank, ended_score, now_full = _ended(
        score, ending, penalty, old_score, old_full, was_open, own, exists, k, offered, WIDTH, EARLY, BLOCK_W, TILE
    )  # fmt: skip
    slot, has_ended = _at(old_rank, own, own), _at(new_rank, which, own)
    is_new = exists & (_at(new_rank, offered.to(tl.int32), own) != 0)
    stays = exists & ~is_new & (slot != own)
    ended_beam = has_ended // vocabulary

    best = tl.div_rn(tl.sum(tl.where(rank == 0, going_on, 0.0), 0), penalty if far is None else tl.load(far))
    worst = tl.where(now_full, tl.min(tl.where(exists, ended_score, float("inf")), 0), NEVER)
    improvable = was_open & (tl.max((exists & (best > worst)).to(tl.int32), 0) != 0)

    running_sequences += batch * WIDTH * length
    ended_sequences += batch * WIDTH * length
    running_parents += batch * WIDTH * room
    ended_parents += batch * WIDTH * room
    _move(
        running_sequences, running_parents, ended_sequences, ended_parents, beam, exists & (beam != own), ended_beam,
        is_new, slot, stays, own, end - taken, taken, length, room, COLUMNS,
    )  # fmt: skip
    tl.debug_barrier()  # here too

    tl.store(running_sequences + own * length + end, token, mask=exists)
    tl.store(running_parents + own * room + taken, batch * WIDTH + beam, mask=exists)
    tl.store(running_scores + row, going_score, mask=exists)
    tl.store(ended_sequences + own * length + end, has_ended % vocabulary, mask=is_new)
    tl.store(ended_parents + own * room + taken, batch * WIDTH + ended_beam, mask=is_new)
    tl.store(ended_scores + row, ended_score, mask=exists)
    tl.store(full + row, now_full, mask=exists)
    tl.store(still_open + batch, improvable)
    tl.store(next_tokens + row, token, mask=exists)
    tl.store(next_parents + row, batch * WIDTH + beam, mask=exists)

    all_full = tl.min((now_full | ~exists).to(tl.int32), 0) if EARLY else 0
    all_end = tl.min((ending | ~offered).to(tl.int32), 0)
    _arrive(tally, over, column, new, (~improvable).to(tl.int32), all_full, all_end, end, taken)


@triton.jit
def _arrive(tally, over, column, new, closed, full, ended, end, taken):
    """Count what each request says; whoever is last sees whether all agree on one, and moves the column on."""
    kind = tl.arange(0, 4)
    said = tl.where(kind == 0, closed, tl.where(kind == 1, full, ended))
    tl.atomic_add(tally + kind, said, mask=kind < 3)
    tl.debug_barrier()  # before one thread says that all have counted
    last = tl.atomic_add(tally + 3, 1, sem="acq_rel") == tl.num_programs(0) - 1
    if last:
        counts = tl.load(tally + kind, mask=kind < 3, other=0, cache_modifier=".cg")
        agreed = tl.max((counts == tl.num_programs(0)).to(tl.int32), 0) != 0
        was_over = tl.load(over) != 0
        tl.debug_barrier()
        tl.store(tally + kind, 0)
        tl.store(over, was_over | agreed)
        tl.store(column, end + 1)
        tl.store(new, taken + 1)


def cut(w: int, kept: int) -> tuple[dict[str, int], dict[str, int]]:
    """Block sizes for so many beams and candidates, and what the compiler is told."""
    block_w, block_k = max(2, triton.next_power_of_2(w)), triton.next_power_of_2(kept)
    sizes = {"BLOCK_W": block_w, "BLOCK_K": block_k, "COLUMNS": max(8, ELEMENTS // block_w), "TILE": TILE}
    return sizes, {"num_warps": 4 if block_k < 128 else 8}


def beam_step(state: beams.State, scores: Tensor, chosen: Tensor, ends: Tensor, rules: beams.Rules) -> None:
    """As `kernels.beams.beam_step`, which does it for more than 64 beams or 256 candidates of a request.

    Of equal scores those go first that count, then those that come first. Raises ValueError for what is not dense.
    """
    (b, w), kept = state.full.shape, chosen.shape[1]
    if w > MOST or kept > KEPT:
        beams.beam_step(state, scores, chosen, ends, rules)
        return
    _check(scores, chosen, ends)
    running, ended, (sizes, options) = state.running, state.ended, cut(w, kept)
    _beam_step[(b,)](
        scores, chosen, ends, *running, *ended, *state[2:], rules.penalties, rules.far,
        scores.shape[1] // w, running.sequences.shape[2], running.parents.shape[2],
        WIDTH=w, KEPT=kept, EARLY=rules.early, **sizes, **options,
    )  # fmt: skip


def _check(scores: Tensor, chosen: Tensor, ends: Tensor) -> None:
    for name, x in (("scores", scores), ("chosen", chosen), ("ends", ends)):
        if not x.is_contiguous():
            raise ValueError(f"{name} is {list(x.shape)}, strides {x.stride()}: expected dense rows")
