"""Attention over prompt and response by a kernel made for the segment cache: one operation, the beam index inside."""

from __future__ import annotations

from dataclasses import replace

from jaxtyping import Float
from torch import Tensor

from tinyllm.attention import PLAIN, Scores
from tinyllm.attention.segment import (
    KeysAndValuesInSegments,
    merge_cost,
    seen_of,
    segment_attention_cost,
    spelled_out_cost,
)
from tinyllm.attention.stock import stock_attention, stock_attention_cost
from tinyllm.cache.fixed import PromptSight, Sight
from tinyllm.config import DecoderConfig, LayerKind
from tinyllm.ops.cost import Cost, Workload, launch
from tinyllm.ops.kernel_sets import KernelsFor, by_device


def kernel_attention(
    kernels_for: KernelsFor,
    q: Float[Tensor, "b h t d"],
    kv: KeysAndValuesInSegments,
    sight: object,
    scores: Scores = PLAIN,
) -> Float[Tensor, "b t n"]:
    """Softmax(q k^T / sqrt(d) + mask) v, the heads laid side by side: `n = h * d`.

    In the prompt, stock attention; or our own, where stock attention is slow or spelled out. After it, one launch for
    all sequences of all requests, in a workspace that stays with what they see.
    """
    kernels, how = kernels_for(q), {name: x for name, x in scores._asdict().items() if x is not None}
    if isinstance(sight, PromptSight):
        prompt = kernels if hasattr(kernels, "prompt_attention") else by_device(q)  # of the set that the cache asked
        return prompt.prompt_attention(q, *kv.prompt, sight.positions, sight.slopes, **how)
    if not isinstance(sight, Sight):
        return stock_attention(q, kv.prompt, sight, scores)
    memory = (*kv.memory, *kv.blocks[0])
    if sight.space is None and hasattr(kernels, "workspace"):
        sight.space = kernels.workspace(q, *memory)
    seen = sight.seen if hasattr(kernels, "seen_by") else None  # a list beside the ancestry, for those who keep one
    kept = {name: x for name, x in (("seen", seen), ("space", sight.space)) if x is not None}
    who = (sight.lengths, sight.ancestry, sight.positions, sight.slopes)
    return kernels.segment_attention(q, *memory, *who, **how, **kept)


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
