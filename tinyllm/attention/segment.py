"""Attention over separate memories: torch's own over each segment, merged by the logarithms of their sums."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from tinyllm.attention.stock import KeysAndValues, stock_attention, stock_attention_cost
from tinyllm.config import DecoderConfig
from tinyllm.ops.cost import Cost, Workload, launch

aten = torch.ops.aten
MANY = 512  # requests times key/value heads, from where on a faster kernel pays for its planning
Bias = Float[Tensor, "b 1 #rows n"] | None


@runtime_checkable
class KeysAndValuesInSegments(Protocol):
    """A layer's cache whose keys and values lie in a prompt and in the blocks of a response."""

    prompt: KeysAndValues

    @property
    def response(self) -> list[KeysAndValues]:
        """What has been written after the prompt, in order."""


class Partial(NamedTuple):
    """Attention over some of the keys: its result, and the logarithm of the sum of exponentials it was divided by."""

    out: Float[Tensor, "b g rows d"]
    log_sum: Float[Tensor, "b g rows"]


def segment_attention(q: Float[Tensor, "b h t d"], kv: KeysAndValuesInSegments, bias: object) -> Float[Tensor, "b t n"]:
    """Softmax(q k^T / sqrt(d) + bias) v over prompt and response, the heads laid side by side: `n = h * d`.

    In the prompt, stock attention. After it, the `t` tokens of a row are sequences that share it: all query heads
    of all of them that use a key/value head are the rows of one product, so that every key is read once.
    """
    if not kv.response:
        return stock_attention(q, kv.prompt, bias)
    b, h, w, d = q.shape
    g = kv.prompt.k.shape[1]
    grouped = q.reshape(b, g, -1, d)
    parts = [attend_partly(grouped, kv.prompt, bias.prompt)]
    start = 0
    for block in kv.response:
        end = start + block.k.shape[2]
        seen = None if bias.response is None else bias.response[..., start:end]
        parts.append(attend_partly(grouped, block, seen, growing=True))
        start = end
    out = merged(parts)
    return out.reshape(b, h, w, d).transpose(1, 2).reshape(b, w, h * d)


def merged(parts: list[Partial]) -> Float[Tensor, "b g rows d"]:
    """Attention over all keys, from attention over some and over the others: exact, whatever the order."""
    *first, last = parts
    return _weighted(reduce(merge, first), last) if first else last.out


def merge(a: Partial, b: Partial) -> Partial:
    """Attention over the keys of both, as a part of still more."""
    return Partial(_weighted(a, b), torch.logaddexp(a.log_sum, b.log_sum))


def _weighted(a: Partial, b: Partial) -> Float[Tensor, "b g rows d"]:
    share = (a.log_sum - b.log_sum).sigmoid()[..., None]  # e^a / (e^a + e^b)
    return torch.lerp(b.out, a.out, share.to(a.out.dtype))


def attend_partly(q: Float[Tensor, "b g rows d"], kv: KeysAndValues, bias: Bias, growing: bool = False) -> Partial:
    """Attention over one segment, by the kernel of torch that tells the logarithm of its sum on this device.

    `growing`: the next step will ask the same of more keys.
    """
    return KERNELS.get(q.device.type, spelled_out)(q, kv.k, kv.v, bias, growing)


def spelled_out(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None, growing: bool = False) -> Partial:
    """For devices whose attention kernel keeps the logarithm to itself."""
    scores = (q @ k.mT).float() / q.shape[-1] ** 0.5
    scores = scores if bias is None else scores + bias
    log_sum = scores.logsumexp(dim=-1)
    return Partial((scores - log_sum[..., None]).exp().to(v.dtype) @ v, log_sum)


def on_cpu(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None, growing: bool = False) -> Partial:
    """Flash attention, in C++."""
    return Partial(*aten._scaled_dot_product_flash_attention_for_cpu(q, k, v, attn_mask=bias))


def on_cuda(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None, growing: bool = False) -> Partial:
    """In 16 bits flash attention, or cuDNN's where there is much to do; with a bias or in 32 bits, memory-efficient.

    cuDNN reads fastest, but plans for 60 ms whenever a shape is new (H200): not for keys that grow with every step.
    """
    b, g, rows, d = q.shape
    if d % 8:
        return spelled_out(q, k, v, bias)
    bias = None if bias is None else bias.expand(b, g, rows, k.shape[2])
    planned = b * g >= MANY and d <= 128 and not growing and q.dtype != torch.float32
    if planned:
        out, log_sum = aten._scaled_dot_product_cudnn_attention(q, k, v, bias, compute_log_sumexp=True)[:2]
        return Partial(out, log_sum[..., 0])
    if bias is not None or q.dtype == torch.float32:
        out, log_sum = aten._scaled_dot_product_efficient_attention(q, k, v, bias, compute_log_sumexp=True)[:2]
        return Partial(out, log_sum[..., :rows])  # the kernel pads the rows
    return Partial(*aten._scaled_dot_product_flash_attention(q, k, v)[:2])


KERNELS: dict[str, Callable[[Tensor, Tensor, Tensor, Tensor | None, bool], Partial]] = {"cpu": on_cpu, "cuda": on_cuda}


def segment_attention_cost(config: DecoderConfig, work: Workload) -> Cost:
    """What `segment_attention` moves and computes, the response in one block, on kernels that tell their sums."""
    if not work.held:
        return stock_attention_cost(config, work)
    h, g, d, size = config.num_attention_heads, config.num_key_value_heads, config.head_dim, work.size
    prompt, slots = work.held - work.steps, (work.steps + 1) * work.copies
    out, log_sum, token = size * work.rows * h * d, 4 * work.rows * h, size * work.batch * g * d

    def part(keys: int, bias: int) -> Cost:
        flops = 4 * work.rows * h * keys * d
        return launch(read=out + size * bias, kv_read=2 * keys * token, write=out + log_sum, flops=flops)

    prompt_bias = work.batch * prompt * work.padded
    response_bias = work.rows * h // g * slots if work.copies > 1 else 0
    share = size * work.rows * h
    return (
        part(prompt, prompt_bias)
        + part(slots, response_bias)
        + launch(read=2 * log_sum, write=log_sum)  # -
        + launch(read=log_sum, write=log_sum)  # sigmoid
        + (Cost() if size == 4 else launch(read=log_sum, write=share))
        + launch(read=2 * out + share, write=out)  # lerp
        + (launch(read=out, write=out) * 2 if work.copies > 1 and h > g else Cost())  # q grouped, heads side by side
    )
