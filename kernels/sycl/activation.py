"""The element-wise work of a feed-forward block: one launch each."""

from __future__ import annotations

from torch import Tensor

from .arguments import activation_code, alike, rows, sized, work_items
from .runtime import runtime_of


def activate_and_multiply(gate_up: Tensor, activation: str) -> Tensor:
    """activation(first half) * second half of gate_up [..., 2f]: [..., f]; raises ValueError."""
    flat, code, f = rows(gate_up), activation_code(activation), gate_up.shape[-1] // 2
    sized("gate_up", flat, flat.shape[0], 2 * f)
    alike(flat)
    y = gate_up.new_empty((*gate_up.shape[:-1], f))
    _launch("activate_and_multiply", flat, f, flat, flat.stride(0), y, f, code)
    return y


def bias_and_activate(x: Tensor, bias: Tensor, activation: str) -> Tensor:
    """activation(x + bias) for x [..., f], bias [f]; raises ValueError."""
    flat, code, f = rows(x), activation_code(activation), x.shape[-1]
    sized("bias", bias, f)
    alike(flat, bias=bias)
    y = x.new_empty(x.shape)
    _launch("bias_and_activate", flat, f, flat, flat.stride(0), bias, y, f, code)
    return y


def _launch(name: str, x: Tensor, f: int, *arguments: Tensor | int) -> None:
    device = runtime_of(x.device)
    kernel, items = device.kernel("activation", name, x.dtype), work_items(f, x, device.lanes)
    pieces = -(-f * x.element_size() // (16 * items))
    if x.shape[0]:
        kernel((x.shape[0], pieces), (1, items), *arguments)
