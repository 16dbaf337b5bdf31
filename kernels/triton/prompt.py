"""Causal attention of a prompt in one launch, for what a device's own fast kernel does not take.

That is padding, ALiBi, soft caps and windows; of a window no tile is read that lies before all its rows' first keys. Of
t tokens over n keys no score is stored: torch's own fallback writes and reads t*n of them for every head.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from .attention import LOG2_E, add_tile
from .tuning import Launch, key_tile, launch_for


@triton.jit
def _prompt(
    q, k, v, positions, slopes, out, tokens, keys, scale,
    q_batch, q_head, q_token, kv_batch, kv_head, kv_token, positions_batch, group,
    D: tl.constexpr, BLOCK_D: tl.constexpr, ROWS: tl.constexpr, BLOCK: tl.constexpr, STAGES: tl.constexpr,
    SOFTCAP: tl.constexpr, WINDOW: tl.constexpr,
):  # fmt: skip
    """ROWS tokens of one head, the last first: theirs are the most keys."""
    block = tl.num_programs(0) - 1 - tl.program_id(0)
    head, batch = tl.program_id(1), tl.program_id(2).to(tl.int64)
    row, i = block * ROWS + tl.arange(0, ROWS), tl.arange(0, BLOCK_D)
    exists, inside, last = row < tokens, i < D, keys - tokens + row  # a query is the last key that it sees
    q += batch * q_batch + head * q_head
    rows_q = tl.load(q + row[:, None] * q_token + i[None, :], mask=exists[:, None] & inside[None, :], other=0.0)
    top = tl.full([ROWS], float("-inf"), tl.float32)
    total = tl.zeros([ROWS], tl.float32)
    acc = tl.zeros([ROWS, BLOCK_D], tl.float32)
    if slopes is not None:
        slope = tl.load(slopes + head) * LOG2_E
    k += batch * kv_batch + (head // group) * kv_head
    v += batch * kv_batch + (head // group) * kv_head
    first = 0
    if WINDOW is not None:  # the first tile that the first row sees
        first = tl.maximum(keys - tokens + block * ROWS - WINDOW + 1, 0) // BLOCK * BLOCK
    for start in tl.range(first, tl.minimum(keys - tokens + (block + 1) * ROWS, keys), BLOCK, num_stages=STAGES):
        key = start + tl.arange(0, BLOCK)
        seen, where = key < keys, key
        if positions is not None:
            where = tl.load(positions + batch * positions_batch + key, mask=seen, other=-1)
        visible = (key[None, :] <= last[:, None]) & (where >= 0)[None, :]
        if WINDOW is not None:
            visible = visible & (key[None, :] > last[:, None] - WINDOW)
        visible = visible | (key[None, :] == last[:, None])
        shift = 0.0 if slopes is None else slope * where.to(tl.float32)[None, :]
        wanted = seen[:, None] & inside[None, :]
        at = key.to(tl.int64)[:, None] * kv_token + i[None, :]
        tile_k = tl.load(k + at, mask=wanted, other=0.0)
        tile_v = tl.load(v + at, mask=wanted, other=0.0)
        top, total, acc = add_tile(rows_q, tile_k, tile_v, visible, shift, scale, top, total, acc, SOFTCAP)
    out += (batch * tokens + row)[:, None] * (tl.num_programs(1) * D) + head * D + i[None, :]
    tl.store(out, acc / tl.where(exists, total, 1.0)[:, None], mask=exists[:, None] & inside[None, :])


def prompt_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    positions: Tensor | None = None,
    slopes: Tensor | None = None,
    scale: float | None = None,
    softcap: float | None = None,
    window: int | None = None,
    *,
    launch: Launch | None = None,
) -> Tensor:
    """q [b, h, t, d] over k, v [b, g, n, d], whose last t tokens are its own; see `tinyllm.check.references`.

    Returns [b, t, h * d]. Raises ValueError where shapes or strides do not fit.
    """
    (b, h, t, d), (_, g, n, _) = q.shape, k.shape
    if v.shape != k.shape or v.stride() != k.stride() or k.shape != (b, g, n, d) or h % g or n < t:
        raise ValueError(f"q {list(q.shape)}, k {list(k.shape)} and v {list(v.shape)} do not belong together")
    if q.stride(-1) != 1 or k.stride(-1) != 1:
        raise ValueError("the last dimension of q, k and v must be dense (stride 1)")
    if window is not None and window < 1:
        raise ValueError(f"a window of {window} tokens: expected one, the query's own, or more")
    launch, up = launch or launch_for("prompt", q.device.type), triton.next_power_of_2
    keys = key_tile(d, q.element_size(), launch)
    rows = min(launch.blocks["rows"] * keys // launch.blocks["keys"], max(16, up(t)))
    out = torch.empty((b, t, h * d), dtype=q.dtype, device=q.device)
    steps = (*q.stride()[:3], *k.stride()[:3], 0 if positions is None else positions.stride(0))
    scale = (d**-0.5 if scale is None else scale) * LOG2_E.value
    _prompt[(triton.cdiv(t, rows), h, b)](
        q, k, v, positions, slopes, out, t, n, scale, *steps, h // g,
        D=d, BLOCK_D=max(16, up(d)), ROWS=rows, BLOCK=keys, STAGES=launch.num_stages, SOFTCAP=softcap, WINDOW=window,
        **launch.options,
    )  # fmt: skip
    return out
