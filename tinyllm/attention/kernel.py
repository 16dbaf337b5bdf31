"""Attention over prompt and response by a kernel made for the segment cache: one operation, the beam index inside."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from tinyllm.attention import PLAIN, Scores
from tinyllm.attention.segment import KeysAndValuesInSegments, segment_attention_cost
from tinyllm.attention.stock import stock_attention, stock_attention_cost
from tinyllm.cache.fixed import PromptSight, Sight
from tinyllm.config import DecoderConfig
from tinyllm.ops.cost import Cost, Workload, launch
from tinyllm.ops.kernel_sets import KernelsFor


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
        return kernels.prompt_attention(q, *kv.prompt, sight.positions, sight.slopes, **how)
    if not isinstance(sight, Sight):
        return stock_attention(q, kv.prompt, sight, scores)
    memory = (*kv.memory, *kv.blocks[0])
    if sight.space is None and hasattr(kernels, "workspace"):
        sight.space = kernels.workspace(q, *memory)
    kept = {name: x for name, x in (("seen", sight.seen), ("space", sight.space)) if x is not None}
    who = (sight.lengths, sight.ancestry, sight.positions, sight.slopes)
    return kernels.segment_attention(q, *memory, *who, **how, **kept)


def kernel_attention_cost(config: DecoderConfig, work: Workload) -> Cost:
    """What `kernel_attention` moves and computes; of the response every slot, as if none had lost its descendants."""
    if not work.held:
        return stock_attention_cost(config, work)
    h, g, d, size = config.num_attention_heads, config.num_key_value_heads, config.head_dim, work.size
    if work.kernels == "plain":
        return _torch_cost(config, work)
    prompt, slots, out = work.held - work.steps, (work.steps + 1) * work.copies, size * work.rows * h * d
    paths = 4 * work.rows * (work.steps + 1) if work.kernels == "sycl" else work.batch * (4 + (4 + 8) * slots)
    tables = 8 + paths * (work.copies > 1) + 4 * work.batch * prompt * work.padded
    keys = size * work.batch * g * (prompt + slots) * d
    return launch(read=out + tables, kv_read=2 * keys, write=out, flops=4 * work.rows * h * (prompt + slots) * d)


def _torch_cost(config: DecoderConfig, work: Workload) -> Cost:
    """Torch's operations for it: two parts and their merger, and what they may see made anew in every layer."""
    b, w, group = work.batch, work.copies, config.num_attention_heads // config.num_key_value_heads
    prompt, steps = work.held - work.steps, work.steps + 1
    cost = segment_attention_cost(config, work)
    if work.padded:
        cost += launch(read=4 * b * prompt, write=b * prompt) + launch(read=b * prompt, write=work.size * b * prompt)
    if w > 1:
        one, seen = b * w * steps * w, b * group * w * steps * w
        cost += launch(write=8 * w) + launch(read=4 * b * w * steps + 8 * w, write=one)  # arange, ==
        cost += launch(read=one, write=seen) + launch(read=seen, write=work.size * seen)  # for every head, log
    return cost
