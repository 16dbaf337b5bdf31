"""All implementations of each operation, with the names and arguments of the case tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps

import torch
import torch.nn.functional as F
from jaxtyping import Float, Float32, Int32, Real
from torch import Tensor

from tinyllm.attention.stock import NO_OPTIONS, one_token
from tinyllm.check.references import HeadNorms, NormWeights
from tinyllm.check.tables import TABLES
from tinyllm.kernels import KernelSet, by_name, cpu, ipex, sycl
from tinyllm.kernels.torch_kernels import ACTIVATIONS, TorchKernels, store_quantized
from tinyllm.kernels.weights import DenseWeight, PackedWeight, Weight
from tinyllm.ops.norm import naive_norm, rms_norm
from tinyllm.ops.rope import RotaryTables, apply_partial_rope


@dataclass(frozen=True)
class Backend:
    """A named set of implementations, and the dtypes it is checked in."""

    name: str
    functions: Mapping[str, Callable]
    dtypes: tuple[torch.dtype, ...] = (torch.float32, torch.float16, torch.bfloat16)


def naive_layer_norm(
    x: Float[Tensor, "*rows m"],
    weight: Float[Tensor, " m"],
    bias: Float[Tensor, " m"],
    eps: float,
) -> Float[Tensor, "*rows m"]:
    """`ops.norm` with the arguments of the table."""
    return naive_norm(x, NormWeights(weight, bias, eps))


def naive_norm_and_add(
    x: Float[Tensor, "*rows m"],
    residual: Float[Tensor, "*rows m"],
    weight: Float[Tensor, " m"],
    eps: float,
) -> Float[Tensor, "*rows m"]:
    """RMSNorm, then the residual, as two operations."""
    return residual + rms_norm(x, weight, eps)


def naive_rope(
    q: Float[Tensor, "b h t d"],
    k: Float[Tensor, "b g t d"],
    v: Float[Tensor, "b g t d"],
    cos: Float[Tensor, "#b t pairs"],
    sin: Float[Tensor, "#b t pairs"],
    k_slot: Real[Tensor, "b g n d"],
    v_slot: Real[Tensor, "b g n d"],
    interleaved: bool,
    start: Int32[Tensor, ""] | None = None,
    norms: HeadNorms | None = None,
    k_scale: Float32[Tensor, "b g n"] | None = None,
    v_scale: Float32[Tensor, "b g n"] | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """`ops.rope` with tables repeated from pairs to elements; the slots are written last."""
    if norms is not None:
        q = rms_norm(q, norms.q, norms.eps)
        k = rms_norm(k, norms.k, norms.eps)
    tables = [spread(x, interleaved).to(q.dtype) for x in (cos, sin)]
    rope = RotaryTables(*tables, interleaved)
    first = 0 if start is None else int(start)
    slots = slice(first, first + k.shape[2])
    k = apply_partial_rope(k, rope)
    if k_scale is not None:
        store_quantized(k, k_slot, k_scale, slots)
        store_quantized(v, v_slot, v_scale, slots)
    else:
        k_slot[:, :, slots] = k
        v_slot[:, :, slots] = v
    return apply_partial_rope(q, rope), k_slot, v_slot


def spread(x: Float[Tensor, "#b t pairs"], interleaved: bool) -> Float[Tensor, "#b t elements"]:
    """Repeat a value per pair to a value per element."""
    return x.repeat_interleave(2, -1) if interleaved else torch.cat([x, x], -1)


def naive_activate_and_multiply(
    gate_up: Float[Tensor, "r two_f"], activation: str
) -> Float[Tensor, "r f"]:
    """The gate as unfused operations."""
    gate, up = gate_up.chunk(2, dim=-1)
    return ACTIVATIONS[activation](gate) * up


def naive_linear(
    x: Float[Tensor, "r k"],
    weight: Weight,
    bias: Float[Tensor, " n"] | None = None,
    norm: NormWeights | None = None,
    activation: str | None = None,
    gated: bool = False,
    residuals: tuple[Float[Tensor, "r out"], ...] = (),
) -> Float[Tensor, "r out"]:
    """Unfused operations; a gated matmul as two."""
    if norm is not None:
        x = naive_norm(x, norm)
    blocks = 2 if gated else 1
    biases = [None] * blocks if bias is None else bias.chunk(blocks)
    matrix = weight.data if isinstance(weight, DenseWeight) else weight.unpack().to(x.dtype)
    parts = [
        F.linear(x, rows, each) for rows, each in zip(matrix.chunk(blocks), biases, strict=True)
    ]
    out = parts[0] if activation is None else ACTIVATIONS[activation](parts[0])
    if gated:
        out = out * parts[1]
    return out + sum(residuals) if residuals else out


def naive_attention(
    q: Float[Tensor, "b h t d"],
    k: Float[Tensor, "b g n d"],
    v: Float[Tensor, "b g n d"],
    bias: Float[Tensor, "#b 1 1 n"] | None = None,
) -> Float[Tensor, "b t hd"]:
    """One token's attention as the stages with torch's attention run it."""
    return one_token(q, k, v, bias, NO_OPTIONS)


NAIVE = Backend(
    "naive",
    {
        "rms_norm": rms_norm,
        "norm_and_add": naive_norm_and_add,
        "layer_norm": naive_layer_norm,
        "rope_and_store": naive_rope,
        "activate_and_multiply": naive_activate_and_multiply,
        "bias_and_activate": lambda x, bias, activation: ACTIVATIONS[activation](x + bias),
        "linear": naive_linear,
        "attention": naive_attention,
    },
)


# SHARED: operations that every kernel set is timed with. MORE: attention, and launches that only some sets have.
MORE = ("attention", "segment_attention", "prefill_attention", "qkv_rope_and_store", "unpack")
SHARED = tuple(name for name in TABLES if name not in MORE)


def of_module(name: str, kernels: KernelSet) -> Backend:
    """The functions with a table that a kernel set implements itself; inherited ones are checked as torch's."""
    own = [
        operation
        for operation in TABLES
        if operation != "attention" and _is_own(kernels, operation)
    ]
    planar = kernels.planar_blocks
    functions = {operation: arranging(getattr(kernels, operation), planar) for operation in own}
    return Backend(name, functions)


def arranging(function: Callable, planar: bool | None) -> Callable:
    """A function with a packed weight in the arrangement that it needs; None where either will do."""
    if planar is None:
        return function

    @wraps(function)
    def arranged(**arguments):
        weight = arguments.get("weight")
        if isinstance(weight, PackedWeight):
            parts = tuple(part.arranged(planar) for part in weight.parts)
            arguments["weight"] = weight._replace(parts=parts)
        return function(**arguments)

    return arranged


def _is_own(kernels: KernelSet, operation: str) -> bool:
    """Whether a kernel set implements an operation itself."""
    inherited = getattr(TorchKernels, operation)
    return type(kernels) is TorchKernels or getattr(type(kernels), operation) is not inherited


def backends(device: torch.device) -> list[Backend]:
    """The naive operations, and every kernel set that can run on a device."""
    names = ["torch"]
    if device.type != "cpu":
        names.append("triton")
    if device.type != "cuda" and sycl.unavailable(device) is None:
        names.append("sycl")
    if device.type == "xpu":
        names.append("onednn")
    if device.type == "cpu" and cpu.unavailable() is None:
        names.append("cpu")
    if device.type != "cuda" and ipex.unavailable() is None:
        names.append("ipex")
    return [NAIVE, *(of_module(name, by_name(name)) for name in names)]


def absent(device: torch.device) -> dict[str, str]:
    """Kernel sets that are not installed but would run on a device, with the reason."""
    reasons = {
        "sycl": None if device.type == "cuda" else sycl.unavailable(device),
        "cpu": cpu.unavailable() if device.type == "cpu" else None,
    }
    return {name: reason for name, reason in reasons.items() if reason is not None}
