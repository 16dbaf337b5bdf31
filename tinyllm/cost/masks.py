"""What the masks of attention are and cost: positions, windows, biases of padding, of beams and of ALiBi."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from tinyllm.attention.metadata import visible_range
from tinyllm.config import DecoderConfig, LayerKind
from tinyllm.cost.workload import Cost, Workload, launch


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


def kinds_of_windows(config: DecoderConfig) -> list[int]:
    """A kind of layer for every window that there is."""
    return list({kind.window: number for number, kind in enumerate(config.kinds)}.values())


def stock_mask_cost(config: DecoderConfig, work: Workload) -> Cost:
    """What the first layer makes for all: the bias of every sliding window, or that of each segment."""
    if work.decodes:
        return decode_bias_cost(config, work)
    kinds = [config.of_kind(kind) for kind in kinds_of_windows(config)]
    return sum((bias_cost(kind, work) for kind in kinds), Cost())


def kernel_mask_cost(config: DecoderConfig, work: Workload) -> Cost:
    """Of a prefill the same, on a CPU; in a decode step the kernel masks by itself."""
    return Cost() if work.decodes else stock_mask_cost(config, work)


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


def beam_bias_elements(config: DecoderConfig, work: Workload) -> int:
    """Elements of the bias of the response's slots, which torch's attention needs for beams."""
    slots = (work.steps + 1) * work.copies
    return work.batch * work.copies * config.group * slots * work.has_beam_index


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


def in_window(config: DecoderConfig, work: Workload) -> Workload:
    """The same work in a cache that holds no more than the window."""
    visible = visible_keys(config, work)
    return replace(
        work,
        held=visible.prompt + visible.steps - 1,
        steps=visible.steps - 1,
        reserved_steps=work.reserved,
    )


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
    if work.has_beam_index and steps:
        visible = b * w * config.group * steps * w
        cost += launch(write=4 * w)  # arange
        cost += launch(read=4 * b * w * steps + 4 * w, write=visible)  # ==
        cost += launch(read=visible, write=size * visible)  # log
    return cost + (_decode_alibi_cost(config, work) if config.alibi else Cost())


def _decode_alibi_cost(config: DecoderConfig, work: Workload) -> Cost:
    """Distances, times slopes, added to the masks and copied to where rows are aligned."""
    many = work.batch if work.padded else 1
    prompt, steps = held_segments(work)
    response = work if work.has_beam_index else replace(work, copies=1)
    slots = steps * response.copies
    row = 8 * many * prompt
    positions = launch(read=row, write=row) * 3 if work.padded else launch(write=row)
    distances = launch(read=8 * many, write=8 * many) + launch(read=row + 8 * many, write=row)
    cost = positions + distances + _alibi_bias_cost(config, work, many, prompt)
    cost += _masked_alibi_cost(config, work, many, prompt, work.batch * prompt * work.padded)
    if not steps:
        return cost
    cost += launch(write=8 * slots) + launch(read=8 * slots, write=8 * slots) * 2  # arange, //, -
    return (
        cost
        + _alibi_bias_cost(config, response, 1, slots)
        + _masked_alibi_cost(config, response, 1, slots, beam_bias_elements(config, work))
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
    """Elements of the bias of each segment; 0 for none. Of independent sequences it is that of one, for its steps."""
    b = work.batch
    w = work.copies
    slots = visible.steps * w
    if not config.alibi:
        return b * visible.prompt * work.padded, b * w * config.group * slots * work.has_beam_index
    h = config.num_attention_heads
    response = b * w * slots if work.has_beam_index else visible.steps
    return (b if work.padded else 1) * h * w * visible.prompt, h * response


def align_cost(work: Workload, bias: int, cut: bool) -> Cost:
    """What `align_rows` moves for a bias of so many elements, where a window cuts it."""
    moved = work.size * bias
    return launch(read=moved, write=moved) if cut and bias else Cost()
