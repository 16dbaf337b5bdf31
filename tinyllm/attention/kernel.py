"""Attention over prompt and response by a kernel made for the segment cache: one operation, the beam index inside."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from tinyllm.attention import PLAIN, Scores
from tinyllm.attention.segment import KeysAndValuesInSegments
from tinyllm.attention.stock import stock_attention
from tinyllm.cache.fixed import PromptSight, Sight
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
