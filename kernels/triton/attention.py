"""Attention of a decode step over a prompt and a response segment, through the beam index: one launch.

The rows of a request are all its sequences times all query heads that share a key/value head, cut into tiles. The keys
and values of a prompt, 2*t*d*s bytes for t tokens, d elements a head and s bytes an element, or in int8 2*t*(d + 4),
are read once for all rows of a tile. Of the response, a tile of beams reads each slot reachable from any of 64, its
word of the beam mask, once; where keys are loaded as blocks, every slot. Sequences without a beam index are
independent: a tile reads the slots that its own sequences wrote, and no mask. Scores never leave the registers: one
softmax runs over both.

Where requests times key/value heads are too few to fill the device, the keys are split among programs (split-KV, as in
Flash-Decoding). Each stores its row maximum, its row sum and its weighted values, and the last to arrive reduces them:
still one launch. Nothing here depends on the lengths but what is read from memory, so that a captured graph can be
replayed while they grow. With a window, splits divide only the tiles within it; the others are not read.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from ..kernel_set import BeamMask, KeyValueScales, Workspace
from .arguments import (
    BeamMaskPointers,
    PromptSegment,
    Queries,
    ResponseSegment,
    check_int32,
    check_vectors,
    next_power_of_2,
    window_or_none,
)
from .attention_arguments import check_attention, prompt_scales, response_scales
from .attention_segments import attend_to_prompt, attend_to_response, load_queries
from .beam_mask import WORD_BITS, make_beam_mask
from .online_softmax import LOG2_E, SCALE_UNIT, reduce_partials, store_partial
from .split_plan import SplitPlan, response_layout, split_plan_of
from .tiles import has_blocks, has_blocks_of_all_heads
from .tuning import LaunchConfig, attention_launch


@triton.jit
def _segment_attention(
    queries, prompt, response, beam_mask, lengths_ptr, slopes_ptr, out_ptr, workspace,
    scale,
    GROUP_SIZE: tl.constexpr, WIDTH: tl.constexpr, HEAD_DIM: tl.constexpr, BLOCK_D: tl.constexpr,
    BLOCK_M: tl.constexpr, USED_M: tl.constexpr, BLOCK_N: tl.constexpr, SPLITS: tl.constexpr,
    PROMPT_STAGES: tl.constexpr, RESPONSE_STAGES: tl.constexpr, BLOCK_LOADS: tl.constexpr,
    SOFTCAP: tl.constexpr, WINDOW: tl.constexpr,
):  # fmt: skip
    """BLOCK_M rows of one request and key/value head over one of SPLITS parts of the keys.

    At most USED_M of the rows are real.

    A row is a query head of the group and a sequence: row = sequence * group_size + head.
    """
    # Offsets and masks of the queries
    split = tl.program_id(0) % SPLITS
    block = tl.program_id(0) // SPLITS
    kv_head = tl.program_id(1)
    batch = tl.program_id(2).to(tl.int64)
    row = block * BLOCK_M + tl.arange(0, BLOCK_M)
    row_mask = row < GROUP_SIZE * WIDTH
    # Rows past the last are the first again: without a mask, a load is no branch.
    real_row = tl.where(row_mask, row, 0)
    sequence = real_row // GROUP_SIZE
    head = real_row % GROUP_SIZE
    # Sequences of a tile, at most: where groups do not fill tiles, the heads of some are in two.
    REST: tl.constexpr = BLOCK_M % GROUP_SIZE
    MOST: tl.constexpr = BLOCK_M // GROUP_SIZE if REST == 0 else (BLOCK_M - 2) // GROUP_SIZE + 2
    TILE_WIDTH: tl.constexpr = WIDTH if GROUP_SIZE * WIDTH <= BLOCK_M or MOST > WIDTH else MOST
    first_sequence = block * BLOCK_M // GROUP_SIZE if TILE_WIDTH < WIDTH else 0
    d = tl.arange(0, BLOCK_D)

    # Load lengths and queries
    num_tokens = tl.load(lengths_ptr)
    num_steps = tl.load(lengths_ptr + 1)

    # The slots of the response that the tile reads, of those in a list one for each sequence of a word less the dead;
    # of independent sequences their own, or as blocks, which have powers of two, a few more
    HAS_BEAMS: tl.constexpr = beam_mask.mask_ptr is not None
    STEP_BLOCKS: tl.constexpr = BLOCK_LOADS and (TILE_WIDTH < WIDTH and not HAS_BEAMS)
    BLOCK_SLOTS: tl.constexpr = 16 if TILE_WIDTH <= 16 else (32 if TILE_WIDTH <= 32 else 64)
    OWN_SLOTS: tl.constexpr = BLOCK_SLOTS if STEP_BLOCKS else TILE_WIDTH
    STEP_SLOTS: tl.constexpr = WIDTH if HAS_BEAMS else OWN_SLOTS
    step_slots = STEP_SLOTS
    word = batch
    if HAS_BEAMS and WIDTH > WORD_BITS:
        # The rows of a word fill complete tiles: all rows of this one are of the same word.
        word_of_request = block * BLOCK_M // (GROUP_SIZE * WORD_BITS)
        word = batch * tl.cdiv(WIDTH, WORD_BITS) + word_of_request
        if beam_mask.live_slots_ptr is not None:
            step_slots = tl.minimum(WIDTH - word_of_request * WORD_BITS, WORD_BITS)
    num_slots = num_steps * step_slots
    if beam_mask.live_slots_ptr is not None:
        num_slots -= tl.load(beam_mask.num_dead_ptr + word * beam_mask.stride_num_dead)
    q_ptr = queries.q_ptr + batch * queries.stride_batch
    # Queries made of several blocks are loaded once more before the second loop: held over the first, their elements
    # take as many registers as the tile. KEEP differs, since a compiler merges equal loads.
    KEEP: tl.constexpr = BLOCK_LOADS and (GROUP_SIZE > 1 and WIDTH > 1)
    q = load_queries(
        q_ptr, queries, kv_head * GROUP_SIZE, head, sequence, first_sequence, block, row_mask,
        GROUP_SIZE, WIDTH, TILE_WIDTH, HEAD_DIM, BLOCK_M, BLOCK_D, BLOCK_LOADS, KEEP,
    )  # fmt: skip
    row_max = tl.full([BLOCK_M], float("-inf"), tl.float32)
    row_sum = tl.zeros([BLOCK_M], tl.float32)
    acc = tl.zeros([BLOCK_M, BLOCK_D], tl.float32)

    # ALiBi adds slope * position to a score; the response's positions follow the prompt's last.
    slope = None
    first_position = num_tokens
    if slopes_ptr is not None:
        slope = tl.load(slopes_ptr + kv_head * GROUP_SIZE + head) * LOG2_E
        if prompt.positions_ptr is not None:
            positions_row_ptr = prompt.positions_ptr + batch * prompt.stride_positions
            first_position = tl.load(positions_row_ptr + num_tokens - 1) + 1

    # The tiles of this split: first those of the prompt, then those of the response
    prompt_tiles = tl.cdiv(num_tokens, BLOCK_N)
    response_tiles = tl.cdiv(num_slots, BLOCK_N)
    first_step = 0
    skipped_prompt = 0  # tiles before the window
    skipped_response = 0
    if WINDOW is not None:
        first_step = num_steps - WINDOW
        first_token = tl.maximum(num_tokens + first_step, 0)
        skipped_prompt = tl.where(first_step < 0, first_token // BLOCK_N, prompt_tiles)
        # Of a list of live slots too: its last are the latest.
        skipped_response = tl.maximum(num_slots - WINDOW * step_slots, 0) // BLOCK_N
    tiles_in_window = prompt_tiles - skipped_prompt + response_tiles - skipped_response
    tiles_per_split = tl.cdiv(tiles_in_window, SPLITS)
    first_tile = skipped_prompt + split * tiles_per_split
    end_tile = first_tile + tiles_per_split

    state = attend_to_prompt(
        q, prompt, batch, kv_head, num_tokens, first_step,
        first_tile, tl.minimum(end_tile, prompt_tiles),
        slope, scale, (row_max, row_sum, acc),
        HEAD_DIM, BLOCK_N, PROMPT_STAGES, BLOCK_LOADS, SOFTCAP, WINDOW,
    )  # fmt: skip
    if KEEP:
        q = load_queries(
            q_ptr, queries, kv_head * GROUP_SIZE, head, sequence, first_sequence, block, row_mask,
            GROUP_SIZE, WIDTH, TILE_WIDTH, HEAD_DIM, BLOCK_M, BLOCK_D, BLOCK_LOADS, False,
        )  # fmt: skip
    row_max, row_sum, acc = attend_to_response(
        q, response, beam_mask, batch, kv_head,
        (sequence, row_mask, first_sequence if STEP_SLOTS != WIDTH else 0, word),
        num_slots, first_step,
        tl.maximum(first_tile, prompt_tiles) - prompt_tiles + skipped_response,
        tl.minimum(end_tile - prompt_tiles + skipped_response, response_tiles),
        first_position, slope, scale, state,
        HEAD_DIM, BLOCK_N, RESPONSE_STAGES, BLOCK_LOADS, WIDTH, STEP_SLOTS, SOFTCAP, WINDOW,
    )  # fmt: skip

    if prompt.k_scale_ptr is not None:
        acc *= 1 / SCALE_UNIT

    # Store, or leave it to the last of the splits
    if SPLITS > 1:
        row_blocks = tl.num_programs(0) // SPLITS
        place = (batch * tl.num_programs(1) + kv_head) * row_blocks + block
        partial_ptr = workspace.partials + place * SPLITS * BLOCK_M * (BLOCK_D + 2)
        counter_ptr = workspace.counters + place
        is_last = store_partial(
            partial_ptr, counter_ptr, split, row_max, row_sum, acc, row_mask, d,
            BLOCK_M, BLOCK_D, SPLITS,
        )  # fmt: skip
        if is_last:
            # The sums of more than 32 rows at a time would not stay in registers.
            REDUCED_M: tl.constexpr = USED_M if USED_M <= 32 else 16
            for first_row in range(0, USED_M, REDUCED_M):
                row_of_tile = first_row + tl.arange(0, REDUCED_M)
                used_row = block * BLOCK_M + row_of_tile
                used_mask = used_row < GROUP_SIZE * WIDTH
                total, values = reduce_partials(
                    partial_ptr, row_of_tile, used_mask, d, BLOCK_M, BLOCK_D, SPLITS
                )
                _store_output(
                    out_ptr, total, values, used_row, used_mask, d, batch, kv_head,
                    GROUP_SIZE, WIDTH, HEAD_DIM,
                )  # fmt: skip
            tl.store(counter_ptr, 0)  # ready for the next launch
    else:
        _store_output(
            out_ptr, row_sum, acc, row, row_mask, d, batch, kv_head, GROUP_SIZE, WIDTH, HEAD_DIM
        )


@triton.jit
def _store_output(
    out_ptr, row_sum, acc, row, row_mask, d, batch, kv_head,
    GROUP_SIZE: tl.constexpr, WIDTH: tl.constexpr, HEAD_DIM: tl.constexpr,
):  # fmt: skip
    """Normalise the weighted values by their sums and store them: out [batch, width, heads * head_dim]."""
    sequence = row // GROUP_SIZE
    head = kv_head * GROUP_SIZE + row % GROUP_SIZE
    stride_sequence = tl.num_programs(1) * GROUP_SIZE * HEAD_DIM
    out_row = (batch * WIDTH + sequence)[:, None]
    offsets = out_row * stride_sequence + head[:, None] * HEAD_DIM + d[None, :]
    out = acc / tl.where(row_mask, row_sum, 1.0)[:, None]
    tl.store(out_ptr + offsets, out, mask=row_mask[:, None] & (d < HEAD_DIM)[None, :])


def attention_workspace(
    q_shape: tuple[int, int, int, int], prompt_k: Tensor, response_k: Tensor
) -> Workspace | None:
    """Memory for the partial results of one launch, reusable by the next; None where nothing is split.

    q_shape is (b, h, w, d); format and device are those of the keys.
    """
    plan = split_plan_of(q_shape, prompt_k, response_k)
    return _workspace(q_shape, prompt_k, plan)


def _workspace(
    q_shape: tuple[int, int, int, int], prompt_k: Tensor, plan: SplitPlan
) -> Workspace | None:
    if plan.splits == 1:
        return None
    batch, _, _, head_dim = q_shape
    device = prompt_k.device
    places = batch * prompt_k.shape[1] * plan.row_blocks
    block_d = max(16, next_power_of_2(head_dim))
    size = places * plan.splits * plan.block_m * (block_d + 2)
    return Workspace(
        partials=torch.empty(size, dtype=torch.float32, device=device),
        counters=torch.zeros(places, dtype=torch.int32, device=device),
    )


def segment_attention(
    q: Tensor,
    prompt_k: Tensor,
    prompt_v: Tensor,
    response_k: Tensor,
    response_v: Tensor,
    lengths: Tensor,
    beam_index: Tensor | None = None,
    prompt_positions: Tensor | None = None,
    slopes: Tensor | None = None,
    scale: float | None = None,
    softcap: float | None = None,
    window: int | None = None,
    *,
    scales: KeyValueScales | None = None,
    beam_mask: BeamMask | None = None,
    workspace: Workspace | None = None,
    launch: LaunchConfig | None = None,
) -> Tensor:
    """q [b, h, w, d] over prompts [b, g, t, d] and responses [b, g, slots, d].

    Responses may be [b, g, steps, w, d] too, with any strides: a slot is a step and the sequence that wrote it. With
    `scales`, [b, g, t] and [b, g, slots] or [b, g, steps, w], keys and values are int8. The meaning of the other
    arguments is that of `tinyllm.check.references.segment_attention`. `beam_mask`: the result of `make_beam_mask` for
    this beam index, so that no call computes it again; `workspace`: that of an earlier call of the same shapes.
    Returns [b, w, h * d]. Raises ValueError where shapes, formats or strides do not fit.
    """
    check_attention(
        q, prompt_k, prompt_v, response_k, response_v, beam_index, prompt_positions, scales
    )
    check_vectors(2, lengths=lengths)
    check_int32(lengths=lengths)
    check_vectors(q.shape[1], slopes=slopes)
    window = window_or_none(window)
    launch = launch or attention_launch(prompt_k)
    b, h, w, d = q.shape
    kv_heads = prompt_k.shape[1]
    group_size = h // kv_heads
    plan = split_plan_of(q.shape, prompt_k, response_k, launch, window)
    num_slots, response_strides = response_layout(response_k, w)
    if workspace is None:
        workspace = _workspace(q.shape, prompt_k, plan) or Workspace(None, None)
    if beam_mask is None and beam_index is not None and w > 1:
        beam_mask = make_beam_mask(beam_index, lengths)

    stride_batch, stride_head, stride_token = prompt_k.stride()[:3]
    prompt = PromptSegment(
        k_ptr=prompt_k,
        v_ptr=prompt_v,
        positions_ptr=prompt_positions,
        stride_batch=stride_batch,
        stride_head=stride_head,
        stride_token=stride_token,
        stride_positions=_batch_stride(prompt_positions),
        **prompt_scales(scales),
    )
    stride_batch, stride_head, stride_step, stride_slot = response_strides
    response = ResponseSegment(
        k_ptr=response_k,
        v_ptr=response_v,
        stride_batch=stride_batch,
        stride_head=stride_head,
        stride_step=stride_step,
        stride_slot=stride_slot,
        **response_scales(scales, w),
    )
    block_loads = (
        launch.block_loads
        and (w == 1 or stride_step == w * stride_slot)
        and all(has_blocks(x) for x in (prompt_k, prompt_v))
        and all(has_blocks(x.reshape(b, kv_heads, -1, d)) for x in (response_k, response_v))
        and _has_query_blocks(q, group_size)
    )
    if block_loads and beam_mask is not None:
        beam_mask = beam_mask._replace(live_slots=None, num_dead=None)  # all slots are read
    out = q.new_empty(b, w, h * d)
    scale = d**-0.5 if scale is None else scale
    pipelined = num_slots > 2 * plan.block_n
    _segment_attention[(plan.splits * plan.row_blocks, kv_heads, b)](
        Queries(q, *q.stride()[:3]), prompt, response, _beam_mask_pointers(beam_mask),
        lengths, slopes, out, workspace,
        scale * LOG2_E.value,
        GROUP_SIZE=group_size,
        WIDTH=w,
        HEAD_DIM=d,
        BLOCK_D=max(16, next_power_of_2(d)),
        BLOCK_M=plan.block_m,
        USED_M=min(plan.block_m, next_power_of_2(group_size * w)),
        BLOCK_N=plan.block_n,
        SPLITS=plan.splits,
        PROMPT_STAGES=launch.num_stages,
        RESPONSE_STAGES=launch.num_stages if pipelined else 1,
        BLOCK_LOADS=block_loads,
        SOFTCAP=softcap,
        WINDOW=window,
        **launch.options,
    )  # fmt: skip
    return out


def _has_query_blocks(q: Tensor, group_size: int) -> bool:
    """Whether q [b, h, w, d] can be loaded as blocks, of the rows that `load_queries` makes."""
    if group_size == 1:
        return has_blocks_of_all_heads(q)
    _, h, w, _ = q.shape
    is_dense = w == 1 or q.stride(2) == h * q.stride(1)
    return is_dense and has_blocks(q.transpose(1, 2).flatten(1, 2))


def _beam_mask_pointers(beam_mask: BeamMask | None) -> BeamMaskPointers:
    if beam_mask is None:
        return BeamMaskPointers(None, None, None, 0, 0, 0)
    return BeamMaskPointers(
        mask_ptr=beam_mask.mask,
        live_slots_ptr=beam_mask.live_slots,
        num_dead_ptr=beam_mask.num_dead,
        stride_mask=_word_stride(beam_mask.mask),
        stride_live_slots=_word_stride(beam_mask.live_slots),
        stride_num_dead=_word_stride(beam_mask.num_dead),
    )


def _word_stride(x: Tensor | None) -> int:
    """The stride from one word of a beam mask to the next; 0 where there is one."""
    return 0 if x is None or x.shape[:2].numel() == 1 else x.stride(1)


def _batch_stride(x: Tensor | None) -> int:
    """The stride from one request to the next; 0 where there is one for all."""
    return 0 if x is None or len(x) == 1 else x.stride(0)
