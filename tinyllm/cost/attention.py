"""What attention moves, computes and launches, and what its masks do."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from tinyllm.config import DecoderConfig, LayerKind
from tinyllm.cost.workload import Cost, Workload, launch


def bias_elements(config: DecoderConfig, work: Workload) -> int:
    """Elements of the bias that `attention_bias` makes for the first kind of layer; 0 where it makes none."""
    whole = config.score_softcap is None and (work.tokens == 1 or not work.held)
    near = hides_something(config.kinds[0].window, work)
    if not (work.padded or config.alibi or near) and (whole or work.tokens == 1):
        return 0
    heads, batch = config.num_attention_heads if config.alibi else 1, work.batch if work.padded else 1
    return batch * heads * work.tokens * work.total


def hides_something(window: int | None, work: Workload) -> bool:
    """Whether a window is shorter than what there is to see."""
    return window is not None and window < work.total


def position_cost(config: DecoderConfig, work: Workload) -> Cost:
    """What `grown_mask`, `token_positions` and every `attention_bias` move where only a prompt comes with a mask."""
    b, t, row = work.batch, work.tokens, 8 * work.batch * work.total
    cost = sum((bias_cost(config.of_kind(kind), work) for kind in kinds_of_windows(config)), Cost())
    if not work.padded:
        return cost + launch(write=8 * t)
    cost += launch(read=row, write=row) * 3  # cumsum, - 1, clamp
    grown = launch(write=8 * b * t) + launch(read=row, write=row)  # ones, cat
    return cost + grown if work.held else cost


def kinds_of_windows(config: DecoderConfig) -> list[int]:
    """A kind of layer for every window that there is."""
    return list({kind.window: number for number, kind in enumerate(config.kinds)}.values())


def bias_cost(config: DecoderConfig, work: Workload) -> Cost:
    """What `attention_bias` moves for the first kind of layer."""
    if not bias_elements(config, work):
        return Cost()
    b, t, total, size = work.batch if work.padded else 1, work.tokens, work.total, work.size
    square, scores = t * total, b * t * total
    compare = launch(read=8 * (total + t), write=square)
    cost = launch(write=8 * total) + compare  # arange, <=
    if hides_something(config.kinds[0].window, work):
        cost += launch(read=8 * t, write=8 * t) + compare + launch(read=2 * square, write=square)  # -, >, &
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
    b, h, size = work.batch if work.padded else 1, config.num_attention_heads, work.size
    row, scores = 8 * b * work.total, b * work.tokens * work.total
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
    """What `stock_attention` moves and computes; torch's kernel also writes a float32 log-sum-exp per row and head."""
    h, g, d, size = config.num_attention_heads, config.num_key_value_heads, config.head_dim, work.size
    q, bias = size * work.rows * h * d, size * bias_elements(config, work)
    kv, flops = size * work.batch * g * work.total * d, 4 * work.rows * h * work.total * d
    if config.score_softcap is not None:
        return bent_attention_cost(config, work, bias)
    log_sum_exp = 4 * work.rows * h
    return launch(read=q + bias, kv_read=2 * kv, write=q + log_sum_exp, flops=flops)


def bent_attention_cost(config: DecoderConfig, work: Workload, bias: int) -> Cost:
    """What `bent_attention` moves and computes, with so many bytes of bias."""
    h, g, d, size = config.num_attention_heads, config.num_key_value_heads, config.head_dim, work.size
    q, scores = size * work.rows * h * d, work.rows * h * work.total
    wide, kv, flops = 4 * scores, size * work.batch * g * work.total * d, 2 * scores * d
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


class InSight(NamedTuple):
    """What a step sees: tokens of the prompt, and steps after it; and how many tokens are hidden from it."""

    prompt: int
    steps: int
    hidden: int


def seen_of(config: DecoderConfig, work: Workload) -> InSight:
    """What a step in the first kind of layer sees."""
    prompt, steps, window = work.held - work.steps, work.steps + 1, config.kinds[0].window
    hidden = 0 if window is None else max(0, prompt + steps - window)
    return InSight(max(0, prompt - hidden), steps - max(0, hidden - prompt), hidden)


def segment_attention_cost(config: DecoderConfig, work: Workload) -> Cost:
    """What `segment_attention` moves and computes, the response in one block, on kernels that tell their sums."""
    if not work.held:
        return stock_attention_cost(config, work)
    sight = seen_of(config, work)
    prompt_bias, response_bias = biases_of(config, work, sight)
    parts = [part_cost(config, work, sight.prompt, prompt_bias, sight.hidden > 0)] if sight.prompt else []
    hidden = sight.steps <= work.steps
    parts.append(part_cost(config, work, sight.steps * work.copies, response_bias, hidden))
    side_by_side = work.copies > 1 and config.group > 1  # q grouped, heads side by side
    out = work.size * work.rows * config.num_attention_heads * config.head_dim
    copies = launch(read=out, write=out) * 2 if side_by_side else Cost()
    return sum(parts, copies) + (merge_cost(config, work) if len(parts) > 1 else Cost())


def biases_of(config: DecoderConfig, work: Workload, sight: InSight) -> tuple[int, int]:
    """Elements of the bias of each segment; 0 for none."""
    b, w, slots = work.batch, work.copies, sight.steps * work.copies
    if not config.alibi:
        return b * sight.prompt * work.padded, b * w * config.group * slots * (w > 1)
    rows = config.num_attention_heads * w
    return (b if work.padded else 1) * rows * sight.prompt, (b if w > 1 else 1) * rows * slots


def part_cost(config: DecoderConfig, work: Workload, keys: int, bias: int, cut: bool) -> Cost:
    """Attention over so many keys of every request; a bias that is `cut` is copied to where its rows are aligned."""
    h, g, d, size = config.num_attention_heads, config.num_key_value_heads, config.head_dim, work.size
    out, log_sum, kv = size * work.rows * h * d, 4 * work.rows * h, size * work.batch * g * keys * d
    copied = launch(read=size * bias, write=size * bias) if cut and bias else Cost()
    if config.score_softcap is not None:
        return copied + spelled_out_cost(config, work, keys, size * bias)
    flops = 4 * work.rows * h * keys * d
    return copied + launch(read=out + size * bias, kv_read=2 * kv, write=out + log_sum, flops=flops)


def spelled_out_cost(config: DecoderConfig, work: Workload, keys: int, bias: int) -> Cost:
    """The same without a kernel for it, with so many bytes of bias."""
    h, g, d, size = config.num_attention_heads, config.num_key_value_heads, config.head_dim, work.size
    scores, out, log_sum = work.rows * h * keys, size * work.rows * h * d, 4 * work.rows * h
    wide, kv, flops = 4 * scores, size * work.batch * g * keys * d, 2 * scores * d
    strided = work.copies > 1 and config.group == 1  # queries of a head lie apart, and are copied for the product
    cost = launch(read=out, write=out) if strided else Cost()
    cost += launch(read=out, kv_read=kv, write=size * scores, flops=flops)
    cost += launch(read=size * scores, write=wide) + launch(read=wide, write=size * scores) if size != 4 else Cost()
    cost += launch(read=wide, write=wide) * (1 if config.score_softcap is None else 3)  # * scale, tanh, * softcap
    cost += launch(read=wide + bias, write=wide) if bias else Cost()
    cost += launch(read=wide, write=log_sum) + launch(read=wide + log_sum, write=wide) + launch(read=wide, write=wide)
    return cost + launch(read=size * scores, kv_read=kv, write=out, flops=flops)


def merge_cost(config: DecoderConfig, work: Workload) -> Cost:
    """What putting two parts together moves."""
    h, size = config.num_attention_heads, work.size
    out, log_sum, share = size * work.rows * h * config.head_dim, 4 * work.rows * h, size * work.rows * h
    return (
        launch(read=2 * log_sum, write=log_sum)  # -
        + launch(read=log_sum, write=log_sum)  # sigmoid
        + (Cost() if size == 4 else launch(read=log_sum, write=share))
        + launch(read=2 * out + share, write=out)  # lerp
    )


def kernel_attention_cost(config: DecoderConfig, work: Workload) -> Cost:
    """What `kernel_attention` moves and computes; of the response every slot, as if none had lost its descendants."""
    if not work.held:
        return stock_attention_cost(config, work)
    h, g, d, size = config.num_attention_heads, config.num_key_value_heads, config.head_dim, work.size
    if work.kernels == "plain":
        return _torch_cost(config, work)
    sight, out = seen_of(config, work), size * work.rows * h * d
    prompt, slots = sight.prompt, sight.steps * work.copies
    paths = 4 * work.rows * sight.steps if work.kernels == "sycl" else work.batch * (4 + (4 + 8) * slots)
    tables = 8 + paths * (work.copies > 1) + 4 * work.batch * prompt * work.padded + 4 * h * config.alibi
    keys = size * work.batch * g * (prompt + slots) * d
    return launch(read=out + tables, kv_read=2 * keys, write=out, flops=4 * work.rows * h * (prompt + slots) * d)


def _torch_cost(config: DecoderConfig, work: Workload) -> Cost:
    """Torch's operations for it: two parts and their merger, and what they may see made anew in every layer."""
    b, w, size, sight = work.batch, work.copies, work.size, seen_of(config, work)
    slots, cost = sight.steps * w, Cost()
    if work.padded and sight.prompt:
        cost += launch(read=4 * b * sight.prompt, write=b * sight.prompt)  # >=
    if w > 1:
        one, seen = b * w * slots, b * config.group * w * slots
        cost += launch(write=8 * w) + launch(read=4 * b * w * sight.steps + 8 * w, write=one)  # arange, ==
        cost += launch(read=one, write=seen)  # for every head
    if config.alibi:
        return cost + _shifted_cost(config, work)
    if work.padded and sight.prompt:
        cost += launch(read=b * sight.prompt, write=size * b * sight.prompt)  # log
    if w > 1:
        cost += launch(read=seen, write=size * seen)  # log
    return cost + segment_attention_cost(replace(config, kinds=(LayerKind(None),)), in_window(config, work))


def in_window(config: DecoderConfig, work: Workload) -> Workload:
    """The same work in a cache that holds no more than is in sight."""
    sight = seen_of(config, work)
    return replace(work, held=sight.prompt + sight.steps - 1, steps=sight.steps - 1)


def _shifted_cost(config: DecoderConfig, work: Workload) -> Cost:
    """Torch's operations with ALiBi, whose bias is made anew in every layer and added in float32."""
    b, w, h, size = work.batch, work.copies, config.num_attention_heads, work.size
    many, prompt, slots = b if work.padded else 1, work.held - work.steps, (work.steps + 1) * work.copies
    place = 4 if work.padded else 8  # bytes of a position
    cost = Cost() if work.padded else launch(write=8 * prompt)
    cost += launch(write=8 * slots) + launch(read=8 * slots, write=8 * slots) * 2  # arange, //, + 1
    cost += launch(read=place * many + 8 * slots, write=8 * many * slots)  # + the last position
    cost += launch(read=4 * h + place * many * prompt, write=4 * many * h * w * prompt)  # * slope
    cost += launch(read=4 * h + 8 * many * slots, write=4 * many * h * w * slots)
    masks = [(many, prompt, b * prompt, work.padded), (many, slots, b * w * config.group * slots, w > 1)]
    for shifts, keys, seen, masked in masks:
        elements = (b if masked else shifts) * h * w * keys
        if masked:
            cost += launch(read=seen, write=seen) + launch(read=4 * shifts * h * w * keys + seen, write=4 * elements)
        cost += widened_cost(config, work, keys) + spelled_out_cost(config, replace(work, size=4), keys, 4 * elements)
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
