"""Causal attention of a prompt in one launch, for what a device's own fast kernel does not take.

That is padding, ALiBi, soft caps and windows; tiles before the window of the first row are not read. Of t tokens over n
keys no score is stored: torch's own fallback writes and reads t*n of them for every head.
"""

from __future__ import annotations

import triton
import triton.language as tl
from torch import Tensor

from .arguments import Strides, cdiv, check_vectors, next_power_of_2, window_or_none
from .online_softmax import LOG2_E, online_softmax_step
from .tiles import (
    has_blocks,
    has_blocks_of_all_heads,
    load_tile,
    make_matrix,
    next_tile,
    store_tile,
)
from .tuning import LaunchConfig, key_tile, launch_for


@triton.jit
def _prefill_attention(
    q_ptr, k_ptr, v_ptr, positions_ptr, slopes_ptr, out_ptr, num_tokens, num_keys, scale,
    q_strides, kv_strides, stride_positions, group_size,
    HEAD_DIM: tl.constexpr, BLOCK_D: tl.constexpr, BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr,
    NUM_STAGES: tl.constexpr, BLOCK_LOADS: tl.constexpr, SOFTCAP: tl.constexpr,
    WINDOW: tl.constexpr,
):  # fmt: skip
    """BLOCK_M tokens of one head; the last block, which has the most keys, comes first."""
    # Offsets and masks of the queries; a query's own key is the last that it attends to.
    block = tl.num_programs(0) - 1 - tl.program_id(0)
    head = tl.program_id(1)
    batch = tl.program_id(2).to(tl.int64)
    row = block * BLOCK_M + tl.arange(0, BLOCK_M)
    row_mask = row < num_tokens
    own_key = num_keys - num_tokens + row

    # Load queries
    q_ptr += batch * q_strides.batch
    first_column = head * q_strides.head
    queries = make_matrix(
        q_ptr, q_strides.token, num_tokens, block * BLOCK_M,
        HEAD_DIM, BLOCK_M, BLOCK_D, BLOCK_LOADS, first_column=first_column,
    )  # fmt: skip
    q = load_tile(
        queries, q_strides.token, block * BLOCK_M, row_mask,
        HEAD_DIM, BLOCK_M, BLOCK_D, BLOCK_LOADS, first_column=first_column,
    )  # fmt: skip
    row_max = tl.full([BLOCK_M], float("-inf"), tl.float32)
    row_sum = tl.zeros([BLOCK_M], tl.float32)
    acc = tl.zeros([BLOCK_M, BLOCK_D], tl.float32)
    if slopes_ptr is not None:
        slope = tl.load(slopes_ptr + head) * LOG2_E

    k_ptr += batch * kv_strides.batch + (head // group_size) * kv_strides.head
    v_ptr += batch * kv_strides.batch + (head // group_size) * kv_strides.head
    kv_stride = tl.cast(kv_strides.token, tl.int64)
    first_key = 0
    if WINDOW is not None:  # start of the first tile within the first row's window
        first_in_window = num_keys - num_tokens + block * BLOCK_M - WINDOW + 1
        first_key = tl.maximum(first_in_window, 0) // BLOCK_N * BLOCK_N
    keys = make_matrix(
        k_ptr, kv_strides.token, num_keys, first_key, HEAD_DIM, BLOCK_N, BLOCK_D, BLOCK_LOADS,
        TRANSPOSE=True,
    )  # fmt: skip
    values = make_matrix(
        v_ptr, kv_strides.token, num_keys, first_key, HEAD_DIM, BLOCK_N, BLOCK_D, BLOCK_LOADS
    )
    end_key = tl.minimum(num_keys - num_tokens + (block + 1) * BLOCK_M, num_keys)
    for start in tl.range(first_key, end_key, BLOCK_N, num_stages=NUM_STAGES):
        # Mask
        key = start + tl.arange(0, BLOCK_N)
        key_mask = key < num_keys
        position = key
        distance = own_key[:, None] - key[None, :]
        mask = key[None, :] <= own_key[:, None]
        if WINDOW is not None:
            mask = distance.to(tl.uint32) < WINDOW  # and not negative
        if positions_ptr is not None:
            positions_row_ptr = positions_ptr + batch * stride_positions
            if BLOCK_LOADS:  # Intel's compiler makes a branch of a mask, and spills around it
                position = tl.load(positions_row_ptr + tl.minimum(key, num_keys - 1))
            else:
                position = tl.load(positions_row_ptr + key, mask=key_mask, other=-1)
            # Negative for padding, which attends to itself.
            mask = mask & (position >= 0)[None, :] | (key[None, :] == own_key[:, None])
        bias = 0.0 if slopes_ptr is None else slope * position.to(tl.float32)[None, :]

        # Load
        tile_k = load_tile(
            keys, kv_stride, start, key_mask, HEAD_DIM, BLOCK_N, BLOCK_D, BLOCK_LOADS,
            TRANSPOSE=True,
        )  # fmt: skip
        tile_v = load_tile(
            values, kv_stride, start, key_mask, HEAD_DIM, BLOCK_N, BLOCK_D, BLOCK_LOADS
        )

        # Compute
        row_max, row_sum, acc = online_softmax_step(
            q, tile_k, tile_v, mask, bias, scale, row_max, row_sum, acc, SOFTCAP, BLOCK_LOADS
        )
        keys = next_tile(keys, BLOCK_N, BLOCK_LOADS, TRANSPOSE=True)
        values = next_tile(values, BLOCK_N, BLOCK_LOADS)

    # Store
    stride_token = tl.num_programs(1) * HEAD_DIM
    out_ptr += batch * num_tokens * stride_token
    first_column = head * HEAD_DIM
    outputs = make_matrix(
        out_ptr, stride_token, num_tokens, block * BLOCK_M,
        HEAD_DIM, BLOCK_M, BLOCK_D, BLOCK_LOADS, first_column=first_column,
    )  # fmt: skip
    out = (acc / tl.where(row_mask, row_sum, 1.0)[:, None]).to(out_ptr.dtype.element_ty)
    store_tile(
        outputs, stride_token, block * BLOCK_M, row_mask, out,
        HEAD_DIM, BLOCK_M, BLOCK_D, BLOCK_LOADS, first_column,
    )  # fmt: skip


def prefill_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    positions: Tensor | None = None,
    slopes: Tensor | None = None,
    scale: float | None = None,
    softcap: float | None = None,
    window: int | None = None,
    *,
    launch: LaunchConfig | None = None,
) -> Tensor:
    """q [b, h, t, d] over k, v [b, g, n, d], whose last t tokens are its own; see `tinyllm.check.references`.

    Returns [b, t, h * d]. Raises ValueError where shapes or strides do not fit.
    """
    _check(q, k, v, positions)
    check_vectors(q.shape[1], slopes=slopes)
    window = window_or_none(window)
    b, h, t, d = q.shape
    g, n = k.shape[1:3]
    launch = launch or launch_for("prefill", q.device.type)
    out = q.new_empty(b, t, h * d)
    block_loads = launch.block_loads and all(has_blocks(x) for x in (k, v, out))
    block_loads = block_loads and has_blocks_of_all_heads(q)
    constants = constants_of(t, d, q.element_size(), launch, block_loads=block_loads)
    scale = d**-0.5 if scale is None else scale
    stride_positions = 0 if positions is None else positions.stride(0)
    _prefill_attention[(cdiv(t, constants["BLOCK_M"]), h, b)](
        q, k, v, positions, slopes, out, t, n, scale * LOG2_E.value,
        Strides(*q.stride()[:3]), Strides(*k.stride()[:3]), stride_positions, h // g,
        SOFTCAP=softcap,
        WINDOW=window,
        **constants,
        **launch.options,
    )  # fmt: skip
    return out


def constants_of(
    t: int, d: int, element_size: int, launch: LaunchConfig, *, block_loads: bool
) -> dict[str, int]:
    """The tiles of a launch for t tokens and heads of d elements."""
    block_n = key_tile(d, element_size, launch)
    max_block_m = launch.blocks["block_m"]
    if not block_loads:  # rows shrink as keys do: large heads take both from shared memory
        max_block_m = max_block_m * block_n // launch.blocks["block_n"]
    return {
        "HEAD_DIM": d,
        "BLOCK_D": max(16, next_power_of_2(d)),
        "BLOCK_M": min(max_block_m, max(16, next_power_of_2(t))),
        "BLOCK_N": block_n,
        "NUM_STAGES": launch.num_stages,
        "BLOCK_LOADS": block_loads,
    }


def _check(q: Tensor, k: Tensor, v: Tensor, positions: Tensor | None) -> None:
    b, h, t, d = q.shape
    g, n = k.shape[1:3]
    alike = v.shape == k.shape and v.stride() == k.stride()
    if not alike or k.shape != (b, g, n, d) or h % g or n < t:
        raise ValueError(
            f"q {list(q.shape)}, k {list(k.shape)} and v {list(v.shape)} do not belong together"
        )
    if q.stride(-1) != 1 or k.stride(-1) != 1:
        raise ValueError("the last dimension of q, k and v must be dense (stride 1)")
    if positions is not None and (positions.shape != (b, n) or positions.stride(-1) != 1):
        given = f"{list(positions.shape)}, strides {positions.stride()}"
        raise ValueError(f"positions are {given}: expected dense rows of [{b}, {n}]")
