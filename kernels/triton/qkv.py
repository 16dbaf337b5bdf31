"""The product in front of attention: norm, queries, keys and values, their rotation and their place: one launch.

Rotation turns two elements of a head at a time. Here the two rows of the weight that make them are neighbours in a
program's accumulator, so that the angle is applied before anything is stored: q, k and v never lie in memory unturned,
which saves a launch and 2*(h + 2g)*d*s bytes a token.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from .linear import MAX_ROWS, plan, product
from .norm import as_rows
from .tuning import Launch


@triton.jit
def _qkv(
    x, weight, bias, norm_weight, norm_bias, cos, sin, q_out, k_slot, v_slot, start,
    rows, tokens, query_heads, kv_heads, k, x_stride, weight_stride,
    slot_batch, slot_head, slot_token, angle_batch, angle_token, eps,
    D: tl.constexpr, HALF: tl.constexpr, INTERLEAVED: tl.constexpr, PER_HEAD: tl.constexpr,
    MATRIX: tl.constexpr, EVEN_K: tl.constexpr, ROWS: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr,
    FOLD: tl.constexpr, BLOCK_NORM: tl.constexpr, STAGES: tl.constexpr,
):  # fmt: skip
    """BLOCK_N / 2 pairs of elements of heads, for all rows of x: row = request * tokens + token."""
    PAIRS: tl.constexpr = D // 2
    lane = tl.arange(0, BLOCK_N)
    pair = tl.program_id(0) * (BLOCK_N // 2) + lane // 2
    exists = pair < (query_heads + 2 * kv_heads) * PAIRS
    stored = pair // PAIRS
    if PER_HEAD:  # q, k and v of a head are neighbours in the matrix
        stored = stored % query_heads * 3 + stored // query_heads
    line = stored * D + _element(pair % PAIRS, lane % 2, HALF, INTERLEAVED)
    # Bias, angles and place are asked for now: their way here is as long as a tile's, and nothing would hide it later.
    if bias is not None:
        shift = tl.load(bias + line, mask=exists, other=0.0).to(tl.float32)[:, None]
    pair = tl.program_id(0) * (BLOCK_N // 2) + tl.arange(0, BLOCK_N // 2)[:, None]
    row = tl.arange(0, ROWS)[None, :]
    head, which, batch, token = pair // PAIRS, pair % PAIRS, (row // tokens).to(tl.int64), row % tokens
    inside = (row < rows) & (head < query_heads + 2 * kv_heads)
    turned = inside & (which < HALF) & (head < query_heads + kv_heads)  # the others keep their values
    angle = batch * angle_batch + token * angle_token + which
    c = tl.load(cos + angle, mask=turned, other=1.0).to(tl.float32)
    s = tl.load(sin + angle, mask=turned, other=0.0).to(tl.float32)
    first = 0 if start is None else tl.load(start).to(tl.int64)

    y = product(
        x, weight + line.to(tl.int64)[:, None] * weight_stride, norm_weight, norm_bias, exists, rows, k, x_stride, eps,
        MATRIX, EVEN_K, ROWS, BLOCK_N, BLOCK_K, FOLD, BLOCK_NORM, STAGES,
    )  # fmt: skip
    if bias is not None:
        y += shift
    one, other = tl.split(tl.permute(tl.reshape(y, (BLOCK_N // 2, 2, ROWS)), (0, 2, 1)))
    one, other = one * c - other * s, other * c + one * s

    at_one, at_other = _element(which, 0, HALF, INTERLEAVED), _element(which, 1, HALF, INTERLEAVED)
    of_q = inside & (head < query_heads)
    q_out += (row * query_heads + head) * D
    tl.store(q_out + at_one, one, mask=of_q)
    tl.store(q_out + at_other, other, mask=of_q)
    slot = batch * slot_batch + (first + token) * slot_token
    of_k = inside & (head >= query_heads) & (head < query_heads + kv_heads)
    k_slot += slot + (head - query_heads) * slot_head
    tl.store(k_slot + at_one, one, mask=of_k)
    tl.store(k_slot + at_other, other, mask=of_k)
    of_v = inside & (head >= query_heads + kv_heads)
    v_slot += slot + (head - query_heads - kv_heads) * slot_head
    tl.store(v_slot + at_one, one, mask=of_v)
    tl.store(v_slot + at_other, other, mask=of_v)


@triton.jit
def _element(pair, second, HALF: tl.constexpr, INTERLEAVED: tl.constexpr):
    """Where the first (0) or second (1) element of a pair stands in its head: neighbours, or HALF apart."""
    neighbours = 2 * pair + second
    return neighbours if INTERLEAVED else tl.where(pair < HALF, pair + second * HALF, neighbours)


def qkv_rope_and_store(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    norm: Any,
    cos: Tensor,
    sin: Tensor,
    k_slot: Tensor,
    v_slot: Tensor,
    interleaved: bool,
    start: Tensor | None = None,
    per_head: bool = False,
    *,
    launch: Launch | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """x [b, t, m], at most 16 tokens in all, times weight [(h + 2g) * d, m]; q [b, h, t, d], rotated, and the slots.

    `norm`, `bias` as in `linear`; cos, sin, the slots and `start` as in `rope_and_store`; `per_head`: the rows of
    weight are q, k and v of the first head, then of the next. Raises ValueError for more
    tokens, or for sizes that do not belong together.
    """
    (b, t, m), (_, g, room, d), half = x.shape, k_slot.shape, cos.shape[-1]
    heads = len(weight) // d - 2 * g
    _check(x, weight, cos, k_slot, v_slot, heads)
    lines, rows = as_rows(x), b * t
    grid, constants = plan(*weight.shape, weight.element_size(), True, rows > 1, x.device.type, launch)
    out = torch.empty((b, t, heads, d), dtype=x.dtype, device=x.device)
    norm_weight, norm_bias, eps = (None, None, 0.0) if norm is None else (norm.weight, norm.bias, norm.eps)
    slots = (k_slot.stride(0), k_slot.stride(1), 0 if room == 1 else k_slot.stride(2))
    angles = (0 if len(cos) == 1 else cos.stride(0), cos.stride(1))
    _qkv[grid](
        lines, weight, bias, norm_weight, norm_bias, cos, sin, out, k_slot, v_slot, start,
        rows, t, heads, g, m, lines.stride(0), weight.stride(0), *slots, *angles, eps,
        D=d, HALF=half, INTERLEAVED=interleaved, PER_HEAD=per_head, **constants,
    )  # fmt: skip
    return out.transpose(1, 2), k_slot, v_slot


def _check(x: Tensor, weight: Tensor, cos: Tensor, k_slot: Tensor, v_slot: Tensor, heads: int) -> None:
    (b, t, m), d = x.shape, k_slot.shape[-1]
    if b * t > MAX_ROWS:
        raise ValueError(f"x is {list(x.shape)}: expected at most {MAX_ROWS} tokens")
    if weight.shape[1] != m or weight.stride(1) != 1 or heads < 1 or len(weight) % d or d % 2:
        raise ValueError(f"weight is {list(weight.shape)}: expected dense rows of {m} for heads of {d}")
    if v_slot.shape != k_slot.shape or v_slot.stride() != k_slot.stride() or k_slot.stride(-1) != 1 or len(k_slot) != b:
        raise ValueError(
            f"slots are {list(k_slot.shape)} and {list(v_slot.shape)}: expected two alike for {b} requests"
        )
    if cos.shape[1] != t or len(cos) not in (1, b) or 2 * cos.shape[-1] > d:
        raise ValueError(f"cos is {list(cos.shape)}: expected [1 or {b}, {t}, at most {d} / 2]")
