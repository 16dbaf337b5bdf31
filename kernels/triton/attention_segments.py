"""The two segments that attention of a decode step reads, tile by tile, and its queries.

No load of a loop has a mask where blocks are loaded: Intel's compiler makes a branch of a mask, and keeps its registers
full across branches. What lies past the end is clamped, and masked in the scores.
"""

from __future__ import annotations

import triton
import triton.language as tl

from .beam_mask import WORD_BITS
from .online_softmax import online_softmax_step
from .tiles import load_tile, make_matrix, next_tile


@triton.jit
def load_queries(
    q_ptr, queries, first_head, head, sequence, first_sequence, block, row_mask,
    GROUP_SIZE: tl.constexpr, WIDTH: tl.constexpr, TILE_WIDTH: tl.constexpr,
    HEAD_DIM: tl.constexpr, BLOCK_M: tl.constexpr, BLOCK_D: tl.constexpr,
    BLOCK_LOADS: tl.constexpr, KEEP: tl.constexpr,
):  # fmt: skip
    """Queries [BLOCK_M, BLOCK_D] of the heads of a group, those of a sequence side by side; KEEP as in `load_tile`.

    Blocks are of the matrix of all heads of a request: only its address is sure to be aligned.
    """
    if BLOCK_LOADS and GROUP_SIZE == 1:
        # A row for each sequence, in which the heads are side by side
        first_row = block * BLOCK_M
        first_column = first_head * queries.stride_head
        matrix = make_matrix(
            q_ptr, queries.stride_token, WIDTH, first_row, HEAD_DIM, BLOCK_M, BLOCK_D, True,
            first_column=first_column,
        )  # fmt: skip
        q = load_tile(
            matrix, queries.stride_token, first_row, row_mask, HEAD_DIM, BLOCK_M, BLOCK_D, True,
            KEEP=KEEP, first_column=first_column,
        )  # fmt: skip
    elif BLOCK_LOADS:
        # A row for each head of each sequence, and a block for each sequence
        num_heads = tl.num_programs(1) * GROUP_SIZE
        row = block * BLOCK_M + tl.arange(0, BLOCK_M)
        q = tl.zeros([BLOCK_M, BLOCK_D], q_ptr.dtype.element_ty)
        for i in tl.static_range(TILE_WIDTH):
            # Past the last sequence, the last one again
            j = tl.minimum(first_sequence + i, WIDTH - 1) if TILE_WIDTH < WIDTH else i
            first_row = j * num_heads + first_head + block * BLOCK_M - j * GROUP_SIZE
            matrix = make_matrix(
                q_ptr, queries.stride_head, j * num_heads + first_head + GROUP_SIZE, first_row,
                HEAD_DIM, BLOCK_M, BLOCK_D, True,
            )  # fmt: skip
            tile = load_tile(
                matrix, queries.stride_head, first_row, row_mask, HEAD_DIM, BLOCK_M, BLOCK_D, True,
                KEEP=KEEP,
            )  # fmt: skip
            q = tl.where((row >= j * GROUP_SIZE)[:, None], tile, q)
    else:
        q_ptr += first_head * queries.stride_head
        d = tl.arange(0, BLOCK_D)
        q_offsets = head * queries.stride_head + sequence * queries.stride_token
        q_mask = row_mask[:, None] & (d < HEAD_DIM)[None, :]
        q = tl.load(q_ptr + q_offsets[:, None] + d[None, :], mask=q_mask, other=0.0)
    return q


@triton.jit
def _load_scales(ptr, offsets, mask, BLOCK_LOADS: tl.constexpr):
    """Scales [n] of int8 keys or values; for those outside of `mask` zero, or beside blocks the first one."""
    if BLOCK_LOADS:  # noqa: SIM108
        scales = tl.load(ptr + tl.where(mask, offsets, 0))
    else:
        scales = tl.load(ptr + offsets, mask=mask, other=0.0)
    return scales


@triton.jit
def attend_to_prompt(
    q, prompt, batch, kv_head, num_tokens, first_step, first_tile, end_tile, slope, scale, state,
    HEAD_DIM: tl.constexpr, BLOCK_N: tl.constexpr, NUM_STAGES: tl.constexpr,
    BLOCK_LOADS: tl.constexpr, SOFTCAP: tl.constexpr, WINDOW: tl.constexpr,
):  # fmt: skip
    """Tiles of the prompt's keys; `state` is that of the online softmax, row_max, row_sum and acc.

    `first_step` is the first step of the response within the window; negative: the last -first_step tokens of the
    prompt are within it too.
    """
    BLOCK_D: tl.constexpr = q.shape[1]
    row_max, row_sum, acc = state
    segment_offset = batch * prompt.stride_batch + kv_head * prompt.stride_head
    if prompt.k_scale_ptr is not None:
        scale_offset = batch * prompt.stride_scale_batch + kv_head * prompt.stride_scale_head
    keys = make_matrix(
        prompt.k_ptr + segment_offset, prompt.stride_token, num_tokens, first_tile * BLOCK_N,
        HEAD_DIM, BLOCK_N, BLOCK_D, BLOCK_LOADS, TRANSPOSE=True,
    )  # fmt: skip
    values = make_matrix(
        prompt.v_ptr + segment_offset, prompt.stride_token, num_tokens, first_tile * BLOCK_N,
        HEAD_DIM, BLOCK_N, BLOCK_D, BLOCK_LOADS,
    )  # fmt: skip
    for tile in tl.range(first_tile, end_tile, num_stages=NUM_STAGES):
        # Mask
        key = tile * BLOCK_N + tl.arange(0, BLOCK_N)
        key_mask = key < num_tokens
        position = key
        if prompt.positions_ptr is not None:
            positions_row_ptr = prompt.positions_ptr + batch * prompt.stride_positions
            position = tl.load(positions_row_ptr + tl.minimum(key, num_tokens - 1))
            key_mask = key_mask & (position >= 0)  # negative for padding
        if WINDOW is not None:
            key_mask = key_mask & (key >= num_tokens + first_step)
        bias = 0.0 if slope is None else slope[:, None] * position.to(tl.float32)[None, :]

        # Load
        prompt_k = load_tile(
            keys, prompt.stride_token, tile * BLOCK_N, key_mask,
            HEAD_DIM, BLOCK_N, BLOCK_D, BLOCK_LOADS, TRANSPOSE=True,
        )  # fmt: skip
        prompt_v = load_tile(
            values, prompt.stride_token, tile * BLOCK_N, key_mask,
            HEAD_DIM, BLOCK_N, BLOCK_D, BLOCK_LOADS,
        )  # fmt: skip
        k_scale = scale
        v_scale = None
        if prompt.k_scale_ptr is not None:
            offsets = key * prompt.stride_scale_token
            k_scale = _load_scales(
                prompt.k_scale_ptr + scale_offset, offsets, key_mask, BLOCK_LOADS
            )
            v_scale = _load_scales(
                prompt.v_scale_ptr + scale_offset, offsets, key_mask, BLOCK_LOADS
            )
            k_scale = scale * k_scale[None, :]
            prompt_k = prompt_k.to(tl.float32).to(q.dtype)
            prompt_v = prompt_v.to(tl.float32).to(q.dtype)

        # Compute
        row_max, row_sum, acc = online_softmax_step(
            q, prompt_k, prompt_v, key_mask[None, :], bias, k_scale, row_max, row_sum, acc,
            SOFTCAP, BLOCK_LOADS, v_scale,
        )  # fmt: skip
        keys = next_tile(keys, BLOCK_N, BLOCK_LOADS, TRANSPOSE=True)
        values = next_tile(values, BLOCK_N, BLOCK_LOADS)
    return row_max, row_sum, acc


@triton.jit
def _row_of(slot, STEP_SLOTS: tl.constexpr, WIDTH: tl.constexpr):
    """Where a slot lies that is numbered among STEP_SLOTS of each step, counted from the first of them."""
    return slot // STEP_SLOTS * WIDTH + slot % STEP_SLOTS


@triton.jit
def attend_to_response(
    q, response, beam_mask, batch, kv_head, rows, num_slots, first_step,
    first_tile, end_tile, first_position, slope, scale, state,
    HEAD_DIM: tl.constexpr, BLOCK_N: tl.constexpr, NUM_STAGES: tl.constexpr,
    BLOCK_LOADS: tl.constexpr, WIDTH: tl.constexpr, STEP_SLOTS: tl.constexpr,
    SOFTCAP: tl.constexpr, WINDOW: tl.constexpr,
):  # fmt: skip
    """Tiles of the response's slots: of beams those of their word's list of live slots, or all where blocks are loaded,
    since steps lie side by side in memory and live slots do not; of independent sequences the STEP_SLOTS of every step
    that begin with the first sequence's. Only these are numbered then; where there are more, a block is of one step.
    """
    BLOCK_D: tl.constexpr = q.shape[1]
    HAS_BEAMS: tl.constexpr = beam_mask.mask_ptr is not None
    STEP_BLOCKS: tl.constexpr = BLOCK_LOADS and STEP_SLOTS != WIDTH
    TILE_SLOTS: tl.constexpr = STEP_SLOTS if STEP_BLOCKS and STEP_SLOTS < BLOCK_N else BLOCK_N
    sequence, row_mask, first_sequence, word = rows
    row_max, row_sum, acc = state
    segment_offset = batch * response.stride_batch + kv_head * response.stride_head
    if response.k_scale_ptr is not None:
        scale_offset = batch * response.stride_scale_batch + kv_head * response.stride_scale_head
    stride = response.stride_step if WIDTH == 1 else response.stride_slot
    num_rows = num_slots
    first_row = first_tile * TILE_SLOTS
    if STEP_BLOCKS:
        num_rows = num_slots // STEP_SLOTS * WIDTH
        first_tile *= BLOCK_N // TILE_SLOTS
        end_tile = tl.minimum(end_tile * (BLOCK_N // TILE_SLOTS), num_slots // TILE_SLOTS)
        first_row = first_sequence + _row_of(first_tile * TILE_SLOTS, STEP_SLOTS, WIDTH)
    keys = make_matrix(
        response.k_ptr + segment_offset, stride, num_rows, first_row,
        HEAD_DIM, TILE_SLOTS, BLOCK_D, BLOCK_LOADS, TRANSPOSE=True,
    )  # fmt: skip
    values = make_matrix(
        response.v_ptr + segment_offset, stride, num_rows, first_row,
        HEAD_DIM, TILE_SLOTS, BLOCK_D, BLOCK_LOADS,
    )  # fmt: skip
    for tile in tl.range(first_tile, end_tile, num_stages=NUM_STAGES):
        # Mask
        slot = tile * TILE_SLOTS + tl.arange(0, TILE_SLOTS)
        key_mask = slot < num_slots
        mask = row_mask[:, None] & key_mask[None, :]
        if HAS_BEAMS:
            slot = tl.minimum(slot, num_slots - 1)
            if beam_mask.live_slots_ptr is not None:
                live_slots_row_ptr = beam_mask.live_slots_ptr + word * beam_mask.stride_live_slots
                slot = tl.load(live_slots_row_ptr + slot)
            bits = tl.load(beam_mask.mask_ptr + word * beam_mask.stride_mask + slot)
            # Sequence j attends to the slots whose bit j is set: of one half of the word, since shifts of 64 bits take
            # twice the registers.
            half = bits.to(tl.int32)[None, :]
            if WIDTH > 32:
                is_high = sequence % WORD_BITS >= 32
                half = tl.where(is_high[:, None], (bits >> 32).to(tl.int32)[None, :], half)
            bit = sequence if WIDTH <= 32 else sequence % 32
            is_reachable = (half >> bit[:, None]) & 1 != 0
            mask = is_reachable & key_mask[None, :]
        # Without a sign: before a signed division Intel's compiler loads all of both tiles, and spills them.
        step = (slot.to(tl.uint32) // STEP_SLOTS).to(tl.int32)
        writer = (slot.to(tl.uint32) % STEP_SLOTS).to(tl.int32)
        if WIDTH > 1 and not HAS_BEAMS:
            # Every sequence attends to the slots that it wrote.
            writer += first_sequence
            key_mask = key_mask & (writer < WIDTH)
            mask = (sequence[:, None] == writer[None, :]) & key_mask[None, :]
        if WINDOW is not None:
            key_mask = key_mask & (slot >= first_step * STEP_SLOTS)
            mask = mask & key_mask[None, :]
        bias = 0.0
        if slope is not None:
            bias = slope[:, None] * (first_position + step).to(tl.float32)[None, :]

        # Load
        first_row = tile * TILE_SLOTS
        rows_to_next = TILE_SLOTS
        if STEP_BLOCKS:
            row = _row_of(first_row, STEP_SLOTS, WIDTH)
            rows_to_next = _row_of(first_row + TILE_SLOTS, STEP_SLOTS, WIDTH) - row
            first_row = first_sequence + row
        if BLOCK_LOADS:
            response_k = load_tile(
                keys, stride, first_row, key_mask,
                HEAD_DIM, TILE_SLOTS, BLOCK_D, True, TRANSPOSE=True,
            )  # fmt: skip
            response_v = load_tile(
                values, stride, first_row, key_mask, HEAD_DIM, TILE_SLOTS, BLOCK_D, True
            )
        else:
            d = tl.arange(0, BLOCK_D)
            load_mask = key_mask[:, None] & (d < HEAD_DIM)[None, :]
            slot_offsets = step.to(tl.int64) * response.stride_step + writer * response.stride_slot
            offsets = slot_offsets[:, None] + d[None, :]
            response_k = tl.trans(tl.load(keys + offsets, mask=load_mask, other=0.0))
            response_v = tl.load(values + offsets, mask=load_mask, other=0.0)
        k_scale = scale
        v_scale = None
        if response.k_scale_ptr is not None:
            offsets = step * response.stride_scale_step + writer * response.stride_scale_slot
            k_scale = _load_scales(
                response.k_scale_ptr + scale_offset, offsets, key_mask, BLOCK_LOADS
            )
            v_scale = _load_scales(
                response.v_scale_ptr + scale_offset, offsets, key_mask, BLOCK_LOADS
            )
            k_scale = scale * k_scale[None, :]
            response_k = response_k.to(tl.float32).to(q.dtype)
            response_v = response_v.to(tl.float32).to(q.dtype)

        # Compute
        row_max, row_sum, acc = online_softmax_step(
            q, response_k, response_v, mask, bias, k_scale, row_max, row_sum, acc,
            SOFTCAP, BLOCK_LOADS, v_scale,
        )  # fmt: skip
        keys = next_tile(keys, rows_to_next, BLOCK_LOADS, TRANSPOSE=True)
        values = next_tile(values, rows_to_next, BLOCK_LOADS)
    return row_max, row_sum, acc
