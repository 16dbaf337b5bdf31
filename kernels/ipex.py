"""The fused functional operations of Intel Extension for PyTorch as a kernel set, to compare ours with.

The extension is archived, and each release works with one release of torch alone. It is imported when the first of its
functions is called. What it has no function for is left to torch.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType

import torch
from torch import Tensor

from . import plain
from .plain import bias_and_activate

__all__ = [
    "activate_and_multiply",
    "add_layer_norm",
    "add_rms_norm",
    "bias_and_activate",
    "layer_norm",
    "linear",
    "norm_and_add",
    "rms_norm",
    "rope_and_store",
]


def unavailable() -> str | None:
    """Why the extension cannot be used, and what would help; None where it can."""
    try:
        found = version("intel-extension-for-pytorch")
    except PackageNotFoundError:
        return "intel-extension-for-pytorch is not installed: pip install 'tinyllm-xpu[ipex]', in its own environment"
    if found.split(".")[:2] != torch.__version__.split(".")[:2]:
        return f"intel-extension-for-pytorch {found} does not work with torch {torch.__version__}: versions must agree"
    return None


@cache
def _functions() -> ModuleType:
    from intel_extension_for_pytorch.llm import functional

    return functional


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """One launch."""
    return _functions().rms_norm(x, weight, eps)


def add_rms_norm(x: Tensor, residual: Tensor, weight: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """The sum, and its RMSNorm; the extension would add in place, to memory that is the caller's."""
    total = x + residual
    return total, rms_norm(total, weight, eps)


def norm_and_add(x: Tensor, residual: Tensor, weight: Tensor, eps: float) -> Tensor:
    """The norm, and the sum."""
    return residual + rms_norm(x, weight, eps)


def layer_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    """One launch."""
    return _functions().fast_layer_norm(x, tuple(weight.shape), weight, bias, eps)


def add_layer_norm(x: Tensor, residual: Tensor, weight: Tensor, bias: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """The sum, and its LayerNorm."""
    total = x + residual
    return total, layer_norm(total, weight, bias, eps)


def rope_and_store(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    cos: Tensor,
    sin: Tensor,
    k_slot: Tensor,
    v_slot: Tensor,
    interleaved: bool,
    start: Tensor | None = None,
    norms: object | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Rotated by the extension, heads behind tokens as it expects them; then copied to where the cache keeps them."""
    if norms is not None:
        q, k = rms_norm(q, norms.q, norms.eps), rms_norm(k, norms.k, norms.eps)
    (b, _, t, _), half = q.shape, cos.shape[-1]
    tables = (torch.cat([x, x], dim=-1).expand(b, t, 2 * half).reshape(b * t, 2 * half) for x in (sin, cos))
    heads_last = (x.transpose(1, 2).clone(memory_format=torch.contiguous_format) for x in (q, k))  # turned in place
    rows = torch.arange(b * t, device=q.device).view(b, t)  # of the tables
    turned = _functions().rotary_embedding(*heads_last, *tables, 2 * half, not interleaved, rows)
    rotated, k = (x.transpose(1, 2) for x in turned)
    first = 0 if start is None else int(start)
    k_slot[:, :, first : first + t] = k
    v_slot[:, :, first : first + t] = v
    return rotated, k_slot, v_slot


def activate_and_multiply(gate_up: Tensor, activation: str) -> Tensor:
    """One launch for SiLU and both kinds of GELU."""
    gate, up = (x.contiguous() for x in gate_up.chunk(2, dim=-1))
    if activation == "silu":
        return _functions().silu_mul(gate, up)
    if activation.startswith("gelu"):
        return _functions().gelu_mul(gate, up, approximate="none" if activation == "gelu" else "tanh")
    return plain.activate_and_multiply(gate_up, activation)


def linear(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    norm: object | None = None,
    activation: str | None = None,
    gated: bool = False,
    residuals: tuple[Tensor, ...] = (),
) -> Tensor:
    """Norm and gated activation of the extension beside torch's matrix product."""
    if norm is not None:
        x = rms_norm(x, norm.weight, norm.eps) if norm.bias is None else layer_norm(x, norm.weight, norm.bias, norm.eps)
    if not gated:
        return plain.linear(x, weight, bias, None, activation, gated, residuals)
    out = activate_and_multiply(plain.linear(x, weight, bias), activation)
    return sum(residuals, out)
