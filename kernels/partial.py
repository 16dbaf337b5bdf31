"""Attention over some of the keys, by the kernel of torch that tells the logarithm of its sum; and parts merged."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import NamedTuple

import torch
from torch import Tensor

aten = torch.ops.aten
ALIGNMENT = 8  # elements; CUDA's attention kernels refuse a bias whose rows start anywhere else
MANY = 512  # requests times key/value heads, from where on a faster kernel pays for its planning


class Partial(NamedTuple):
    """Attention over some of the keys, [b, g, rows, d], and the logarithm of the sum it was divided by."""

    out: Tensor
    log_sum: Tensor


def visible_bias(visible: Tensor, dtype: torch.dtype) -> Tensor:
    """The logarithm: 0 where visible, minus infinity where not. Rows start on a multiple of `ALIGNMENT` elements."""
    return torch.log(visible, out=_aligned(visible.shape, dtype, visible.device))


def aligned(bias: Tensor) -> Tensor:
    """A copy whose rows start on a multiple of `ALIGNMENT` elements."""
    return _aligned(bias.shape, bias.dtype, bias.device).copy_(bias)


def _aligned(shape: torch.Size, dtype: torch.dtype, device: torch.device) -> Tensor:
    *leading, n = shape
    return torch.empty(*leading, -(-n // ALIGNMENT) * ALIGNMENT, dtype=dtype, device=device)[..., :n]


def merged(parts: list[Partial]) -> Tensor:
    """Attention over all keys, from attention over some and over the others: exact, whatever the order."""
    *first, last = parts
    return _weighted(reduce(merge, first), last) if first else last.out


def merge(a: Partial, b: Partial) -> Partial:
    """Attention over the keys of both, as a part of still more."""
    return Partial(_weighted(a, b), torch.logaddexp(a.log_sum, b.log_sum))


def _weighted(a: Partial, b: Partial) -> Tensor:
    share = (b.log_sum - a.log_sum).sigmoid()[..., None]  # e^b / (e^a + e^b): small, so that 16 bits say it well
    return torch.lerp(a.out, b.out, share.to(a.out.dtype))


def attend_partly(
    q: Tensor,
    kv: tuple[Tensor, Tensor],
    bias: Tensor | None,
    scale: float | None = None,
    softcap: float | None = None,
    growing: bool = False,
) -> Partial:
    """q [b, g, rows, d] over the keys and values of one segment, each [b, g, n, d]; bias [b, 1, 1 or rows, n].

    `scale` and `softcap` as in `tinyllm.check.references`. `growing`: the next step will ask the same of more keys.
    """
    if softcap is not None:  # no kernel of torch's has it
        return spelled_out(q, *kv, bias, scale, softcap)
    return KERNELS.get(q.device.type, spelled_out)(q, *kv, bias, scale, growing=growing)


def spelled_out(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    bias: Tensor | None,
    scale: float | None = None,
    softcap: float | None = None,
    growing: bool = False,
) -> Partial:
    """For devices whose attention kernel keeps the logarithm to itself, and for scores no kernel of torch's makes."""
    scale = q.shape[-1] ** -0.5 if scale is None else scale
    products = (q @ k.mT).float()
    scores = products * scale if softcap is None else torch.tanh(products * (scale / softcap)) * softcap
    scores = scores if bias is None else scores + bias
    log_sum = scores.logsumexp(dim=-1)
    return Partial((scores - log_sum[..., None]).exp().to(v.dtype) @ v, log_sum)


def on_cpu(
    q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None, scale: float | None = None, growing: bool = False
) -> Partial:
    """Flash attention, in C++."""
    return Partial(*aten._scaled_dot_product_flash_attention_for_cpu(q, k, v, attn_mask=bias, scale=scale))


def on_cuda(
    q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None, scale: float | None = None, growing: bool = False
) -> Partial:
    """In 16 bits flash attention, or cuDNN's where there is much to do; with a bias or in 32 bits, memory-efficient.

    cuDNN reads fastest, but plans for 60 ms whenever a shape is new (H200): not for keys that grow with every step.
    """
    b, g, rows, d = q.shape
    if d % 8:
        return spelled_out(q, k, v, bias, scale)
    bias, asked = None if bias is None else bias.expand(b, g, rows, k.shape[2]), {"scale": scale}
    planned = b * g >= MANY and d <= 128 and not growing and q.dtype != torch.float32
    if planned:
        out, log_sum = aten._scaled_dot_product_cudnn_attention(q, k, v, bias, compute_log_sumexp=True, **asked)[:2]
        return Partial(out, log_sum[..., 0])
    if bias is not None or q.dtype == torch.float32:
        made = aten._scaled_dot_product_efficient_attention(q, k, v, bias, compute_log_sumexp=True, **asked)
        return Partial(made[0], made[1][..., :rows])  # the kernel pads the rows
    return Partial(*aten._scaled_dot_product_flash_attention(q, k, v, **asked)[:2])


KERNELS: dict[str, Callable[..., Partial]] = {"cpu": on_cpu, "cuda": on_cuda}
