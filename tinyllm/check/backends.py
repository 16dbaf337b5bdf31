"""The implementations there are of each operation, under the names and arguments of the case tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType

import torch
from torch import Tensor, nn

from tinyllm.attention.stock import stock_attention
from tinyllm.cache.contiguous import ContiguousLayer
from tinyllm.check.references import HeadNorms, NormWeights
from tinyllm.check.tables import TABLES
from tinyllm.kernels import cpu, ipex, plain, sycl
from tinyllm.ops import linear, mlp, norm, rope


@dataclass(frozen=True)
class Backend:
    """A named set of implementations, and the formats it is held to."""

    name: str
    functions: Mapping[str, Callable]
    dtypes: tuple[torch.dtype, ...] = (torch.float32, torch.float16, torch.bfloat16)


def as_norm(weight: Tensor, eps: float, bias: Tensor | None = None) -> norm.Norm:
    """A norm with given weights."""
    module = norm.Norm(len(weight), eps)
    module.weight = nn.Parameter(weight, requires_grad=False)
    module.bias = None if bias is None else nn.Parameter(bias, requires_grad=False)
    return module


def naive_norm(x: Tensor, weight: Tensor, eps: float, bias: Tensor | None = None) -> Tensor:
    """`ops.norm` with the arguments of the table."""
    return norm.normalise(x, as_norm(weight, eps, bias))


def naive_add_norm(x: Tensor, residual: Tensor, **arguments) -> tuple[Tensor, Tensor]:
    """The residual added first, as the eager layer does."""
    return x + residual, naive_norm(x + residual, **arguments)


def naive_norm_and_add(x: Tensor, residual: Tensor, weight: Tensor, eps: float) -> Tensor:
    """The norm, and the sum."""
    return residual + naive_norm(x, weight, eps)


def naive_rope(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    cos: Tensor,
    sin: Tensor,
    k_slot: Tensor,
    v_slot: Tensor,
    interleaved: bool,
    start: Tensor | None = None,
    norms: HeadNorms | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """`ops.rope` with the half tables of the table spread out, and the slots written at the end."""
    if norms is not None:
        q, k = naive_norm(q, norms.q, norms.eps), naive_norm(k, norms.k, norms.eps)
    spread = (lambda x: x.repeat_interleave(2, -1)) if interleaved else (lambda x: torch.cat([x, x], -1))
    rotary = rope.RotaryTables(spread(cos).to(q.dtype), spread(sin).to(q.dtype), interleaved)
    q, k = (rope.rotate_first(x, rotary) for x in (q, k))
    first = 0 if start is None else int(start)
    for slot, x in ((k_slot, k), (v_slot, v)):
        slot[:, :, first : first + x.shape[2]] = x
    return q, k_slot, v_slot


def naive_activate_and_multiply(gate_up: Tensor, activation: str) -> Tensor:
    """The gate as the naive feed-forward block spells it out."""
    gate, up = gate_up.chunk(2, dim=-1)
    return mlp.ACTIVATIONS[activation](gate) * up


def naive_linear(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    norm: NormWeights | None = None,
    activation: str | None = None,
    gated: bool = False,
    residuals: tuple[Tensor, ...] = (),
) -> Tensor:
    """Every step on its own, a gated product as two."""
    x = x if norm is None else naive_norm(x, norm.weight, norm.eps, norm.bias)
    product = nn.Linear(*weight.shape[::-1], bias=bias is not None, device="meta")
    product.weight = nn.Parameter(weight, requires_grad=False)
    product.bias = None if bias is None else nn.Parameter(bias, requires_grad=False)
    parts = linear.split_linear(x, product, [len(weight) // 2] * 2 if gated else [len(weight)])
    out = parts[0] if activation is None else mlp.ACTIVATIONS[activation](parts[0])
    out = out * parts[1] if gated else out
    return out + sum(residuals) if residuals else out


def naive_attention(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None = None) -> Tensor:
    """`stock_attention` with the arguments of the table."""
    return stock_attention(q, ContiguousLayer(k, v), bias)


NAIVE = Backend(
    "naive",
    {
        "rms_norm": naive_norm,
        "add_rms_norm": naive_add_norm,
        "norm_and_add": naive_norm_and_add,
        "layer_norm": naive_norm,
        "add_layer_norm": naive_add_norm,
        "rope_and_store": naive_rope,
        "activate_and_multiply": naive_activate_and_multiply,
        "bias_and_activate": lambda x, bias, activation: mlp.ACTIVATIONS[activation](x + bias),
        "linear": naive_linear,
        "attention": naive_attention,
    },
)


# What a set of kernels has that a stage can run on; some have more.
MORE = ("attention", "segment_attention", "prompt_attention", "qkv_rope_and_store")
SHARED = tuple(name for name in TABLES if name not in MORE)


def of_module(name: str, module: ModuleType) -> Backend:
    """A set of kernels: the functions of a module that have a table of their name."""
    found = {operation: getattr(module, operation, None) for operation in TABLES}
    return Backend(name, {operation: function for operation, function in found.items() if callable(function)})


def backends(device: torch.device) -> list[Backend]:
    """Every set of kernels that can run on a device."""
    found = [NAIVE, of_module("plain", plain)]
    if device.type != "cpu":
        found.append(of_module("triton", import_module("tinyllm.kernels.triton")))
    if device.type != "cuda" and sycl.unavailable(device) is None:
        found.append(of_module("sycl", sycl))
    if device.type == "cpu" and cpu.unavailable() is None:
        found.append(of_module("cpu", cpu))
    if device.type != "cuda" and ipex.unavailable() is None:
        found.append(of_module("ipex", ipex))
    return found


def absent(device: torch.device) -> dict[str, str]:
    """The sets of kernels that a device could have and has not, and what would bring them."""
    reasons = {
        "sycl": None if device.type == "cuda" else sycl.unavailable(device),
        "cpu": cpu.unavailable() if device.type == "cpu" else None,
    }
    return {name: reason for name, reason in reasons.items() if reason is not None}
