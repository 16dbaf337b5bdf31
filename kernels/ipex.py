"""The fused functions of Intel Extension for PyTorch as a kernel set, to compare ours with.

The extension is archived, and each release works with one release of torch only. It is imported
when the first of its functions is called. Operations that it lacks are torch's.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType

import torch
from torch import Tensor

from .kernel_set import HeadNorms
from .torch_kernels import TorchKernels, store_quantized


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


class IpexKernels(TorchKernels):
    """The set of these kernels; the signatures are those of `KernelSet`."""

    name = "ipex"

    def rms_norm(self, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        """One launch."""
        return _functions().rms_norm(x, weight, eps)

    def layer_norm(self, x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
        """One launch."""
        return _functions().fast_layer_norm(x, tuple(weight.shape), weight, bias, eps)

    def rope_and_store(
        self,
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
        k_scale: Tensor | None = None,
        v_scale: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Rotated by the extension, which takes [b, t, heads, d]; then copied into the slots."""
        if norms is not None:
            q = self._norm_of_heads(q, norms.q, norms.eps)
            k = self._norm_of_heads(k, norms.k, norms.eps)
        b, _, t, _ = q.shape
        rotary_dim = 2 * cos.shape[-1]
        rows = torch.arange(b * t, dtype=torch.int64, device=q.device).view(b, t)  # of the tables
        rotated_q, rotated_k = _functions().rotary_embedding(
            _heads_last(q),
            _heads_last(k),
            _full_table(sin, b, t),
            _full_table(cos, b, t),
            rotary_dim,
            not interleaved,
            rows,
        )
        first = 0 if start is None else int(start)
        slots = slice(first, first + t)
        if k_scale is not None:
            store_quantized(rotated_k.transpose(1, 2), k_slot, k_scale, slots)
            store_quantized(v, v_slot, v_scale, slots)
        else:
            k_slot[:, :, slots] = rotated_k.transpose(1, 2)
            v_slot[:, :, slots] = v
        return rotated_q.transpose(1, 2), k_slot, v_slot

    def activate_and_multiply(self, gate_up: Tensor, activation: str) -> Tensor:
        """One launch for SiLU and both kinds of GELU."""
        gate, up = (x.contiguous() for x in gate_up.chunk(2, dim=-1))
        if activation == "silu":
            return _functions().silu_mul(gate, up)
        if activation.startswith("gelu"):
            return _functions().gelu_mul(
                gate, up, approximate="none" if activation == "gelu" else "tanh"
            )
        return super().activate_and_multiply(gate_up, activation)


def _heads_last(x: Tensor) -> Tensor:
    """A copy [b, t, heads, d], which the extension rotates in place."""
    return x.transpose(1, 2).clone(memory_format=torch.contiguous_format)


def _full_table(half: Tensor, b: int, t: int) -> Tensor:
    """Half a table [b or 1, t, r / 2] as the extension reads it, [b * t, r]."""
    table = torch.cat([half, half], dim=-1)
    return table.expand(b, t, -1).reshape(b * t, -1)


IPEX = IpexKernels()
