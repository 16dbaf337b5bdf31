"""What attention moves, computes and launches, and what its masks do."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from tinyllm.attention.metadata import visible_range
from tinyllm.config import DecoderConfig, LayerKind
from tinyllm.cost.workload import Cost, Workload, launch


def bias_elements(config: DecoderConfig, work: Workload) -> int:
    """Elements of the bias that `causal_bias` makes for the first kind of layer; 0 where it makes none."""
    full = config.score_softcap is None and (work.tokens == 1 or not work.held)
    windowed = window_masks(config.kinds[0], work)
    if not (work.padded or config.alibi or windowed) and (full or work.tokens == 1):
        return 0
    heads = config.num_attention_heads if config.alibi else 1
    batch = work.batch if work.padded else 1
    return batch * heads * work.tokens * work.total


def window_masks(kind: LayerKind, work: Workload) -> bool:
    """Whether a window is shorter than the keys of a prompt; that of a cache hides none of the same pass."""
    return kind.window is not None and kind.window < work.total and not kind.windowed_cache


def position_cost(config: DecoderConfig, work: Workload) -> Cost:
    """What `extend_mask` and `token_positions` move where only a prompt comes with a mask."""
    if not work.padded:
        return launch(write=8 * work.tokens)
    row = 8 * work.batch * work.total
    cost = launch(read=row, write=row) * 3  # cumsum, - 1, clamp
    if not work.held:
        return cost
    return (
        cost + launch(write=8 * work.batch * work.tokens) + launch(read=row, write=row)
    )  # ones, cat


def stock_mask_cost(config: DecoderConfig, work: Workload) -> Cost:
    """What the first layer makes for all: the bias of every sliding window, or that of each segment."""
    if work.decodes:
        return decode_bias_cost(config, work)
    kinds = [config.of_kind(kind) for kind in kinds_of_windows(config)]
    return sum((bias_cost(kind, work) for kind in kinds), Cost())


def kernel_mask_cost(config: DecoderConfig, work: Workload) -> Cost:
    """Of a prefill the same, on a CPU; in a decode step the kernel masks by itself."""
    return Cost() if work.decodes else stock_mask_cost(config, work)


def beam_bias_elements(config: DecoderConfig, work: Workload) -> int:
    """Elements of the bias of the response's slots, which torch's attention needs for several sequences."""
    slots = (work.steps + 1) * work.copies
    return work.batch * work.copies * config.group * slots * (work.copies > 1)


def kinds_of_windows(config: DecoderConfig) -> list[int]:
    """A kind of layer for every window that there is."""
    return list({kind.window: number for number, kind in enumerate(config.kinds)}.values())


def bias_cost(config: DecoderConfig, work: Workload) -> Cost:
    """What `causal_bias` moves for the first kind of layer."""
    if not bias_elements(config, work):
        return Cost()
    b = work.batch if work.padded else 1
    t = work.tokens
    total = work.total
    size = work.size
    square = t * total
    scores = b * t * total
    compare = launch(read=8 * (total + t), write=square)
    cost = launch(write=8 * total) + compare  # arange, <=
    if window_masks(config.kinds[0], work):
        cost += (
            launch(read=8 * t, write=8 * t) + compare + launch(read=2 * square, write=square)
        )  # -, >, &
    if work.padded:
        cost += (
            compare  # ==
            + launch(read=8 * b * total, write=b * total)  # to bool
            + launch(read=square + b * total, write=scores)  # &
            + launch(read=square + scores, write=scores)  # |
        )
    cost += (
        launch(read=scores, write=scores)  # ~
        + launch(write=size * scores)  # zeros
        + launch(read=(size + 1) * scores, write=size * scores)  # masked_fill_
    )
    return cost + (_alibi_cost(config, work) if config.alibi else Cost())


def _alibi_cost(config: DecoderConfig, work: Workload) -> Cost:
    b = work.batch if work.padded else 1
    h = config.num_attention_heads
    size = work.size
    row = 8 * b * work.total
    scores = b * work.tokens * work.total
    where = launch(read=row, write=row) * 3 if work.padded else launch(write=row)
    narrow = launch(read=4 * h * scores, write=size * h * scores) if size != 4 else Cost()
    return (
        where
        + launch(read=row + 8 * b * work.tokens, write=8 * scores)  # how many tokens lie in between
        + launch(read=4 * h + 8 * scores, write=4 * h * scores)  # * slope
        + narrow
        + launch(read=size * (scores + h * scores), write=size * h * scores)  # -
    )


def stock_attention_cost(config: DecoderConfig, work: Workload) -> Cost:
    """What `stock_attention` moves and computes."""
    if work.decodes:
        return stock_decode_cost(config, work)
    bias = work.size * bias_elements(config, work)
    return one_segment_cost(config, work, work.total, bias)


def one_segment_cost(config: DecoderConfig, work: Workload, keys: int, bias: int) -> Cost:
    """Torch's own attention over so many keys; it also writes a float32 log-sum-exp per row and head."""
    if config.score_softcap is not None:
        return softcapped_attention_cost(config, work, keys, bias)
    h = config.num_attention_heads
    d = config.head_dim
    q = work.size * work.rows * h * d
    kv = work.size * work.batch * config.num_key_value_heads * keys * d
    lse = 4 * work.rows * h
    flops = 4 * work.rows * h * keys * d
    return launch(read=q + bias, kv_read=2 * kv, write=q + lse, flops=flops)


def softcapped_attention_cost(config: DecoderConfig, work: Workload, keys: int, bias: int) -> Cost:
    """What `softcapped_attention` moves and computes, with so many bytes of bias."""
    size = work.size
    q = size * work.rows * config.num_attention_heads * config.head_dim
    scores = work.rows * config.num_attention_heads * keys
    wide = 4 * scores
    kv = size * work.batch * config.num_key_value_heads * keys * config.head_dim
    flops = 2 * scores * config.head_dim
    copied = launch(read=q, write=q) if work.tokens > 1 else Cost()
    narrow = launch(read=size * scores, write=wide) + launch(read=wide, write=size * scores)
    return (
        copied * 2  # rows of a head side by side, before and after
        + launch(read=q, kv_read=kv, write=size * scores, flops=flops)
        + (narrow if size != 4 else Cost())
        + launch(read=wide, write=wide) * 3  # * scale, tanh, * softcap
        + (launch(read=wide + bias, write=wide) if bias else Cost())
        + launch(read=wide, write=wide)  # softmax
        + launch(read=size * scores, kv_read=kv, write=q, flops=flops)
    )


class VisibleKeys(NamedTuple):
    """What a decode step sees: tokens of the prompt and steps after it, and from which on."""

    prompt: int
    steps: int
    first_token: int
    first_step: int


def visible_keys(config: DecoderConfig, work: Workload) -> VisibleKeys:
    """What a step in the first kind of layer sees; in a cache of one segment all of it is prompt."""
    prompt, steps = held_segments(work)
    first = visible_range(prompt, steps, config.kinds[0].window)
    return VisibleKeys(prompt - first.first_token, steps - first.first_step, *first)


def held_segments(work: Workload) -> tuple[int, int]:
    """Tokens of the prompt, and steps after it with the one in hand."""
    return (work.total, 0) if work.segments == 1 else (work.held - work.steps, work.steps + 1)


def stock_decode_cost(config: DecoderConfig, work: Workload) -> Cost:
    """A decode step on each segment by kernels that return their log-sum-exp, and the merge."""
    visible = visible_keys(config, work)
    prompt_bias, response_bias = biases_of(config, work, visible)
    if work.segments == 1:
        copied = align_cost(work, prompt_bias, visible.first_token > 0)
        bias = work.size * prompt_bias
        return copied + one_segment_cost(config, work, visible.prompt, bias)
    parts = []
    if visible.prompt:
        cut = visible.first_token > 0
        parts.append(part_cost(config, work, visible.prompt, prompt_bias, cut))
    slots = visible.steps * work.copies
    parts.append(part_cost(config, work, slots, response_bias, visible.first_step > 0))
    side_by_side = work.copies > 1 and config.group > 1  # q grouped, heads side by side
    out = work.size * work.rows * config.num_attention_heads * config.head_dim
    copies = launch(read=out, write=out) * 2 if side_by_side else Cost()
    return sum(parts, copies) + (merge_cost(config, work) if len(parts) > 1 else Cost())


def decode_bias_cost(config: DecoderConfig, work: Workload) -> Cost:
    """What `DecodeMetadata.bias` moves: padding of the prompt, slots of other sequences, ALiBi."""
    b = work.batch
    w = work.copies
    size = work.size
    prompt, steps = held_segments(work)
    cost = Cost()
    if work.padded:
        cost += launch(read=8 * b * prompt, write=b * prompt)  # to bool
        cost += launch(read=b * prompt, write=size * b * prompt)  # log
    if w > 1 and steps:
        visible = b * w * config.group * steps * w
        cost += launch(write=4 * w)  # arange
        cost += launch(read=4 * b * w * steps + 4 * w, write=visible)  # ==
        cost += launch(read=visible, write=size * visible)  # log
    return cost + (_decode_alibi_cost(config, work) if config.alibi else Cost())


def _decode_alibi_cost(config: DecoderConfig, work: Workload) -> Cost:
    """Distances, times slopes, added to the masks and copied to where rows are aligned."""
    many = work.batch if work.padded else 1
    prompt, steps = held_segments(work)
    slots = steps * work.copies
    row = 8 * many * prompt
    positions = launch(read=row, write=row) * 3 if work.padded else launch(write=row)
    distances = launch(read=8 * many, write=8 * many) + launch(read=row + 8 * many, write=row)
    cost = positions + distances + _alibi_bias_cost(config, work, many, prompt)
    cost += _masked_alibi_cost(config, work, many, prompt, work.batch * prompt * work.padded)
    if not steps:
        return cost
    cost += launch(write=8 * slots) + launch(read=8 * slots, write=8 * slots) * 2  # arange, //, -
    mask = work.batch * work.copies * config.group * slots * (work.copies > 1)
    return (
        cost
        + _alibi_bias_cost(config, work, 1, slots)
        + _masked_alibi_cost(config, work, 1, slots, mask)
    )


def _alibi_bias_cost(config: DecoderConfig, work: Workload, many: int, keys: int) -> Cost:
    """What `alibi_bias` moves."""
    heads = config.num_attention_heads
    w = work.copies
    spread = w > 1 and config.group > 1
    slopes = 4 * heads * (w if spread else 1)
    wide = 4 * many * heads * w * keys
    cost = launch(read=4 * heads, write=slopes) if spread else Cost()
    cost += launch(read=slopes + 8 * many * keys, write=wide)
    narrow = work.size * many * heads * w * keys
    return cost + (launch(read=wide, write=narrow) if work.size != 4 else Cost())


def _masked_alibi_cost(
    config: DecoderConfig, work: Workload, many: int, keys: int, mask: int
) -> Cost:
    """ALiBi's bias added to a mask of so many elements, if there is one, and copied to aligned rows."""
    rows = work.size * config.num_attention_heads * work.copies * keys
    if not mask:
        return launch(read=many * rows, write=many * rows)
    total = work.batch * rows
    return launch(read=work.size * mask + many * rows, write=total) + launch(
        read=total, write=total
    )


def biases_of(config: DecoderConfig, work: Workload, visible: VisibleKeys) -> tuple[int, int]:
    """Elements of the bias of each segment; 0 for none."""
    b = work.batch
    w = work.copies
    slots = visible.steps * work.copies
    if not config.alibi:
        return b * visible.prompt * work.padded, b * w * config.group * slots * (w > 1)
    rows = config.num_attention_heads * w
    return (b if work.padded else 1) * rows * visible.prompt, (b if w > 1 else 1) * rows * slots


def align_cost(work: Workload, bias: int, cut: bool) -> Cost:
    """What `align_rows` moves for a bias of so many elements, where a window cuts it."""
    moved = work.size * bias
    return launch(read=moved, write=moved) if cut and bias else Cost()


def part_cost(config: DecoderConfig, work: Workload, keys: int, bias: int, cut: bool) -> Cost:
    """Attention over so many keys of every request; a bias that is `cut` is copied to where its rows are aligned."""
    h = config.num_attention_heads
    g = config.num_key_value_heads
    d = config.head_dim
    size = work.size
    out = size * work.rows * h * d
    lse = 4 * work.rows * h
    kv = size * work.batch * g * keys * d
    copied = align_cost(work, bias, cut)
    if config.score_softcap is not None:
        return copied + unfused_attention_cost(config, work, keys, size * bias)
    flops = 4 * work.rows * h * keys * d
    return copied + launch(read=out + size * bias, kv_read=2 * kv, write=out + lse, flops=flops)


def unfused_attention_cost(config: DecoderConfig, work: Workload, keys: int, bias: int) -> Cost:
    """The same without a kernel for it, with so many bytes of bias."""
    h = config.num_attention_heads
    g = config.num_key_value_heads
    d = config.head_dim
    size = work.size
    scores = work.rows * h * keys
    out = size * work.rows * h * d
    lse = 4 * work.rows * h
    wide = 4 * scores
    kv = size * work.batch * g * keys * d
    flops = 2 * scores * d
    strided = (
        work.copies > 1 and config.group == 1
    )  # the queries of a head are not contiguous, and are copied for the matmul
    cost = launch(read=out, write=out) if strided else Cost()
    cost += launch(read=out, kv_read=kv, write=size * scores, flops=flops)
    cost += (
        launch(read=size * scores, write=wide) + launch(read=wide, write=size * scores)
        if size != 4
        else Cost()
    )
    cost += launch(read=wide, write=wide) * (
        1 if config.score_softcap is None else 3
    )  # * scale, tanh, * softcap
    cost += launch(read=wide + bias, write=wide) if bias else Cost()
    cost += (
        launch(read=wide, write=lse)
        + launch(read=wide + lse, write=wide)
        + launch(read=wide, write=wide)
    )
    return cost + launch(read=size * scores, kv_read=kv, write=out, flops=flops)


def merge_cost(config: DecoderConfig, work: Workload) -> Cost:
    """What putting two parts together moves."""
    h = config.num_attention_heads
    size = work.size
    out = size * work.rows * h * config.head_dim
    lse = 4 * work.rows * h
    share = size * work.rows * h
    return (
        launch(read=2 * lse, write=lse)  # -
        + launch(read=lse, write=lse)  # sigmoid
        + (Cost() if size == 4 else launch(read=lse, write=share))
        + launch(read=2 * out + share, write=out)  # lerp
    )


def kernel_attention_cost(config: DecoderConfig, work: Workload) -> Cost:
    """What `kernel_attention` moves and computes.

    The Triton kernels read the live slots of the response, from a list; on "xpu", where they load blocks, all slots.
    The SYCL kernels read a slot for each sequence and step.
    """
    if not work.decodes:
        return stock_attention_cost(config, work)
    h = config.num_attention_heads
    g = config.num_key_value_heads
    d = config.head_dim
    size = work.size
    if work.kernels == "torch":
        return _torch_cost(config, work)
    visible = visible_keys(config, work)
    out = size * work.rows * h * d
    prompt = visible.prompt
    slots = visible.steps * work.copies
    if work.kernels == "sycl":
        paths = 4 * work.rows * visible.steps
    elif work.device == "xpu":
        paths = work.batch * 8 * slots  # the beam mask
    else:
        slots -= work.dead_slots
        paths = work.batch * (4 + (4 + 8) * slots)  # the number of dead slots, the list, the mask
    tables = (
        8 + paths * (work.copies > 1) + 4 * work.batch * prompt * work.padded + 4 * h * config.alibi
    )
    keys = size * work.batch * g * (prompt + slots) * d
    return launch(
        read=out + tables,
        kv_read=2 * keys,
        write=out,
        flops=4 * work.rows * h * (prompt + slots) * d,
    )


def _torch_cost(config: DecoderConfig, work: Workload) -> Cost:
    """Torch's operations for it: two parts and their merger, and what they may see made anew in every layer."""
    b = work.batch
    w = work.copies
    size = work.size
    visible = visible_keys(config, work)
    slots = visible.steps * w
    cost = Cost()
    if work.padded and visible.prompt:
        cost += launch(read=4 * b * visible.prompt, write=b * visible.prompt)  # >=
    if w > 1:
        one = b * w * slots
        visible_slots = b * config.group * w * slots
        cost += launch(write=8 * w) + launch(
            read=4 * b * w * visible.steps + 8 * w, write=one
        )  # arange, ==
        cost += launch(read=one, write=visible_slots)  # for every head
    if config.alibi:
        return cost + _torch_alibi_cost(config, work)
    if work.padded and visible.prompt:
        cost += launch(read=b * visible.prompt, write=size * b * visible.prompt)  # log
    if w > 1:
        cost += launch(read=visible_slots, write=size * visible_slots)  # log
    return cost + stock_decode_cost(
        replace(config, kinds=(LayerKind(None),)), in_window(config, work)
    )


def in_window(config: DecoderConfig, work: Workload) -> Workload:
    """The same work in a cache that holds no more than is in sight."""
    visible = visible_keys(config, work)
    return replace(work, held=visible.prompt + visible.steps - 1, steps=visible.steps - 1)


def _torch_alibi_cost(config: DecoderConfig, work: Workload) -> Cost:
    """Torch's operations with ALiBi, whose bias is made anew in every layer and added in float32."""
    b = work.batch
    w = work.copies
    h = config.num_attention_heads
    size = work.size
    many = b if work.padded else 1
    prompt = work.held - work.steps
    slots = (work.steps + 1) * work.copies
    place = 4 if work.padded else 8  # bytes of a position
    cost = Cost() if work.padded else launch(write=8 * prompt)
    cost += launch(write=8 * slots) + launch(read=8 * slots, write=8 * slots) * 2  # arange, //, + 1
    cost += launch(read=place * many + 8 * slots, write=8 * many * slots)  # + the last position
    cost += launch(read=4 * h + place * many * prompt, write=4 * many * h * w * prompt)  # * slope
    cost += launch(read=4 * h + 8 * many * slots, write=4 * many * h * w * slots)
    masks = [
        (many, prompt, b * prompt, work.padded),
        (many, slots, b * w * config.group * slots, w > 1),
    ]
    for biases, keys, visible_slots, masked in masks:
        elements = (b if masked else biases) * h * w * keys
        if masked:
            cost += launch(read=visible_slots, write=visible_slots) + launch(
                read=4 * biases * h * w * keys + visible_slots, write=4 * elements
            )
        cost += widened_cost(config, work, keys) + unfused_attention_cost(
            config, replace(work, size=4), keys, 4 * elements
        )
    out = size * work.rows * h * config.head_dim
    return cost + merge_cost(config, work) + (launch(read=out, write=out) if w > 1 else Cost())


def widened_cost(config: DecoderConfig, work: Workload, keys: int) -> Cost:
    """What it costs in 16 bits to compute one part in float32."""
    if work.size == 4:
        return Cost()
    out = work.rows * config.num_attention_heads * config.head_dim
    kv = work.batch * config.num_key_value_heads * keys * config.head_dim
    cast = launch(read=work.size * out, write=4 * out) + launch(read=4 * out, write=work.size * out)
    return cast + launch(kv_read=work.size * kv, write=4 * kv) * 2
