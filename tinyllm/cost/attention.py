"""What attention moves, computes and launches."""

from __future__ import annotations

from dataclasses import replace

from tinyllm.cache.segment_layer import aligned_slots
from tinyllm.config import DecoderConfig, LayerKind
from tinyllm.cost.int8 import dequantize_cost
from tinyllm.cost.masks import (
    align_cost,
    bias_elements,
    biases_of,
    in_window,
    visible_keys,
)
from tinyllm.cost.workload import Cost, Workload, launch


def stock_attention_cost(config: DecoderConfig, work: Workload) -> Cost:
    """What `stock_attention` moves and computes; keys and values in int8 are read from a copy."""
    if work.int8:
        return dequantize_cost(config, work) + as_activations(stock_float_cost(config, work))
    return stock_float_cost(config, work)


def stock_float_cost(config: DecoderConfig, work: Workload) -> Cost:
    """The same on keys and values in the number format of activations."""
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
        parts.append(part_cost(config, work, visible.prompt, prompt_bias, cut=cut))
    parts.append(response_cost(config, work, response_bias))
    return merged_cost(config, work, parts, by_sequence=not work.has_beam_index)


def merged_cost(
    config: DecoderConfig, work: Workload, parts: list[Cost], *, by_sequence: bool
) -> Cost:
    """Parts of attention, what puts them together, and the heads side by side before and after.

    `by_sequence`: each sequence attends to slots of its own in the response.
    """
    out = work.size * work.rows * config.num_attention_heads * config.head_dim
    copy = launch(read=out, write=out)
    cost = sum(parts, Cost())
    if work.copies > 1 and config.group > 1:
        cost += copy * 2
    elif work.copies > 1 and config.num_attention_heads > 1:
        # A kernel of torch returns its result in the layout of the queries: heads are side by side already.
        in_layout_of_q = config.score_softcap is None and (
            len(parts) > 1 or not (by_sequence and are_queries_copied(config, work))
        )
        cost += Cost() if in_layout_of_q else copy
    return cost + (merge_cost(config, work) if len(parts) > 1 else Cost())


def are_queries_copied(config: DecoderConfig, work: Workload) -> bool:
    """Whether queries that are no groups, of several requests, are copied to lie sequence by sequence."""
    is_group = config.group > 1 or config.num_key_value_heads == 1
    return work.copies > 1 and work.batch > 1 and not is_group


def response_cost(config: DecoderConfig, work: Workload, bias: int) -> Cost:
    """The response's part in a decode step: all slots of a request for every beam, else every sequence's own."""
    visible = visible_keys(config, work)
    cut = visible.first_step > 0
    if work.copies == 1 or work.has_beam_index:
        return part_cost(config, work, visible.steps * work.copies, bias, cut=cut)
    cost = align_cost(work, bias, cut)
    if bias and work.batch > 1:
        cost += launch(read=work.size * bias, write=work.size * bias * work.batch)
    contiguous = is_one_step(config, work)
    return cost + path_cost(config, work, visible.steps, bias * work.batch, contiguous=contiguous)


def is_one_step(config: DecoderConfig, work: Workload) -> bool:
    """Whether there is memory for one step alone, so that all slots of a request lie side by side.

    A copy of keys and values in int8 is of visible steps.
    """
    if work.int8:
        return visible_keys(config, work).steps == 1
    row_bytes = work.size * config.head_dim
    return aligned_slots(work.reserved * work.copies, row_bytes) == work.copies


def path_cost(
    config: DecoderConfig,
    work: Workload,
    steps: int,
    bias: int,
    *,
    contiguous: bool,
    unfused: bool = False,
) -> Cost:
    """Attention of every sequence to `steps` keys of its own, with so many elements of bias.

    `unfused`: operation by operation also where scores are not soft-capped. Torch's matmul then copies queries, and
    keys and values that are not `contiguous`.
    """
    unfused = unfused or config.score_softcap is not None
    cost = part_cost(config, work.expanded, steps, bias, unfused=unfused)
    if work.copies == 1:
        return cost
    heads = work.batch * config.num_key_value_heads
    rows = work.rows * config.num_attention_heads
    out = work.size * rows * config.head_dim
    copy = launch(read=out, write=out)
    if not unfused:
        return cost + copy if are_queries_copied(config, work) else cost
    if config.group > 1:  # rows of a sequence, then sequences of a row
        cost += copy + launch(read=4 * rows, write=4 * rows)
    if heads == 1:
        return cost
    if contiguous:
        return cost + copy
    kv = cost.kv_read // 2
    return as_activations(cost) + copy + launch(kv_read=kv, write=kv) * 2


def as_activations(cost: Cost) -> Cost:
    """The same where keys and values are read from copies outside the cache."""
    read = cost.activations_read + cost.kv_read
    return replace(cost, kv_read=0, activations_read=read)


def part_cost(
    config: DecoderConfig,
    work: Workload,
    keys: int,
    bias: int,
    *,
    cut: bool = False,
    unfused: bool = False,
) -> Cost:
    """Attention over so many keys of every request; a bias that is `cut` is copied to where its rows are aligned."""
    h = config.num_attention_heads
    g = config.num_key_value_heads
    d = config.head_dim
    size = work.size
    out = size * work.rows * h * d
    lse = 4 * work.rows * h
    kv = size * work.batch * g * keys * d
    copied = align_cost(work, bias, cut)
    if unfused or config.score_softcap is not None:
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
    is_copied = are_queries_copied(config, work)  # for the matmul
    cost = launch(read=out, write=out) if is_copied else Cost()
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
        cost = _torch_cost(config, work)
        return dequantize_cost(config, work) + as_activations(cost) if work.int8 else cost
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
        8
        + paths * work.has_beam_index
        + 4 * work.batch * prompt * work.padded
        + 4 * h * config.alibi
    )
    keys = work.batch * g * (prompt + slots) * work.kv_row_bytes(d)
    visible_keys_of_row = prompt + (slots if work.has_beam_index else visible.steps)
    return launch(
        read=out + tables,
        kv_read=2 * keys,
        write=out,
        flops=4 * work.rows * h * visible_keys_of_row * d,
    )


def _torch_cost(config: DecoderConfig, work: Workload) -> Cost:
    """Torch's operations for it: two parts and their merger; what they may see is made anew in every layer."""
    b = work.batch
    visible = visible_keys(config, work)
    windowed = in_window(config, work)
    config = replace(config, kinds=(LayerKind(None),))
    cost = Cost()
    if work.padded and visible.prompt:
        cost += launch(read=4 * b * visible.prompt, write=b * visible.prompt)  # >=
    if config.alibi:
        return cost + _torch_alibi_cost(config, work)
    if work.padded and visible.prompt:
        cost += launch(read=b * visible.prompt, write=work.size * b * visible.prompt)  # log
    if work.segments == 1:
        return cost + stock_decode_cost(config, windowed)
    parts = [torch_path_cost(config, windowed, bias=0)]
    if visible.prompt:
        parts.append(part_cost(config, work, visible.prompt, b * visible.prompt * work.padded))
    return cost + merged_cost(config, work, parts, by_sequence=True)


def copied_elements(config: DecoderConfig, work: Workload) -> int:
    """Elements of keys and values that torch's operations copy in a layer, side by side on the path of every beam."""
    keys = work.rows * (work.steps + 1) * work.has_beam_index
    return 2 * keys * config.num_key_value_heads * config.head_dim


def torch_path_cost(
    config: DecoderConfig, work: Workload, bias: int, *, unfused: bool = False
) -> Cost:
    """The response's part: slots of a sequence's own are read in place, those on the paths of beams are copied."""
    steps = work.steps + 1
    if not work.has_beam_index:
        contiguous = is_one_step(config, work)
        return path_cost(config, work, steps, bias, contiguous=contiguous, unfused=unfused)
    attention = path_cost(config, work, steps, bias, contiguous=steps == 1, unfused=unfused)
    slots = 4 * work.rows * steps
    kv = work.size * copied_elements(config, work)
    selected = Cost(
        launches=2 * work.batch,
        kv_read=kv,
        activations_read=2 * slots,
        activations_written=kv,
    )
    return (
        as_activations(attention)
        + launch(write=4 * steps)  # arange
        + launch(read=slots + 4 * steps, write=slots)  # +
        + (launch(read=slots, write=slots) if steps > 1 else Cost())  # step by step
        + selected
    )


def _torch_alibi_cost(config: DecoderConfig, work: Workload) -> Cost:
    """Torch's operations with ALiBi, whose bias is made anew in every layer and added in float32."""
    b = work.batch
    w = work.copies
    h = config.num_attention_heads
    many = b if work.padded else 1
    prompt = work.held - work.steps
    steps = work.steps + 1
    place = 4 if work.padded else 8  # bytes of a position
    cost = Cost() if work.padded else launch(write=8 * prompt)
    cost += launch(write=8 * steps)  # arange
    cost += launch(read=place * many + 8 * steps, write=8 * many * steps)  # + the last position
    cost += launch(read=4 * h + place * many * prompt, write=4 * many * h * w * prompt)  # * slope
    cost += launch(read=4 * h + 8 * many * steps, write=4 * many * h * steps)
    if many < b:  # every request has the bias of the steps
        cost += launch(read=4 * h * steps, write=4 * b * h * steps)
    elements = b * h * w * prompt if work.padded else h * w * prompt
    if work.padded:
        visible = b * prompt
        cost += launch(read=visible, write=visible)
        cost += launch(read=4 * elements + visible, write=4 * elements)
    in_float32 = replace(work, size=4)
    cost += unfused_attention_cost(config, in_float32, prompt, 4 * elements)
    cost += torch_path_cost(config, in_float32, b * h * steps, unfused=True)
    for keys in (prompt, steps * w):
        cost += widened_cost(config, work, keys)
    out = work.size * work.rows * h * config.head_dim
    return cost + merge_cost(config, work) + (launch(read=out, write=out) if w > 1 else Cost())


def widened_cost(config: DecoderConfig, work: Workload, keys: int) -> Cost:
    """What it costs in 16 bits to compute one part in float32."""
    if work.size == 4:
        return Cost()
    out = work.rows * config.num_attention_heads * config.head_dim
    kv = work.batch * config.num_key_value_heads * keys * config.head_dim
    cast = launch(read=work.size * out, write=4 * out) + launch(read=4 * out, write=work.size * out)
    return cast + launch(kv_read=work.size * kv, write=4 * kv) * 2
