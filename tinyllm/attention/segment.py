"""Attention over separate memories: torch's own over each segment, merged by the logarithms of their sums."""

from __future__ import annotations

from typing import NamedTuple, Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from tinyllm.attention import PLAIN, Scores
from tinyllm.attention.stock import KeysAndValues, stock_attention, stock_attention_cost
from tinyllm.config import DecoderConfig
from tinyllm.kernels.partial import aligned, attend_partly, merged
from tinyllm.ops.cost import Cost, Workload, launch


@runtime_checkable
class KeysAndValuesInSegments(Protocol):
    """A layer's cache whose keys and values lie in a prompt and in the blocks of a response."""

    prompt: KeysAndValues

    @property
    def response(self) -> list[KeysAndValues]:
        """What has been written after the prompt, in order."""


def segment_attention(
    q: Float[Tensor, "b h t d"], kv: KeysAndValuesInSegments, bias: object, scores: Scores = PLAIN
) -> Float[Tensor, "b t n"]:
    """Softmax(q k^T / sqrt(d) + bias) v over prompt and response, the heads laid side by side: `n = h * d`.

    In the prompt, stock attention. After it, the `t` tokens of a row are sequences that share it: all query heads
    of all of them that use a key/value head are the rows of one product, so that every key is read once; those that
    a window leaves out of sight are not read.
    """
    if not kv.response:
        return stock_attention(q, kv.prompt, bias, scores)
    b, h, w, d = q.shape
    tokens, slots = kv.prompt.k.shape[2], sum(block.k.shape[2] for block in kv.response)
    hidden = 0 if scores.window is None else max(0, tokens + slots // w - scores.window)  # tokens out of sight
    grouped, how = q.reshape(b, kv.prompt.k.shape[1], -1, d), (scores.scale, scores.softcap)
    parts = [attend_partly(grouped, *in_sight(kv.prompt, bias.prompt, hidden), *how)] if hidden < tokens else []
    start, hidden = 0, max(0, hidden - tokens) * w
    for block in kv.response:
        end = start + block.k.shape[2]
        seen = None if bias.response is None else bias.response[..., start:end]
        if hidden < end:
            parts.append(attend_partly(grouped, *in_sight(block, seen, hidden - start), *how, growing=True))
        start = end
    out = merged(parts)
    return out.reshape(b, h, w, d).transpose(1, 2).reshape(b, w, h * d)


def in_sight(
    kv: KeysAndValues, bias: Float[Tensor, "#b #g #rows n"] | None, hidden: int
) -> tuple[tuple[Tensor, Tensor], Float[Tensor, "#b #g #rows seen"] | None]:
    """Keys and values without the first `hidden` of them, and what says who sees them."""
    if hidden <= 0:
        return (kv.k, kv.v), bias
    return (kv.k[:, :, hidden:], kv.v[:, :, hidden:]), None if bias is None else aligned(bias[..., hidden:])


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
