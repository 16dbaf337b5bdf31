"""The element-wise operations of an MLP: one launch each."""

from __future__ import annotations

from torch import Tensor

from .arguments import activation_code, as_matrix, check_alike, check_shape, work_items
from .runtime import runtime_of


def activate_and_multiply(gate_up: Tensor, activation: str) -> Tensor:
    """activation(first half) * second half of gate_up [..., 2f]: [..., f]; raises ValueError."""
    matrix = as_matrix(gate_up)
    code = activation_code(activation)
    f = gate_up.shape[-1] // 2
    check_shape("gate_up", matrix, matrix.shape[0], 2 * f)
    check_alike(matrix)
    y = gate_up.new_empty((*gate_up.shape[:-1], f))
    _launch("activate_and_multiply", matrix, f, matrix, matrix.stride(0), y, f, code)
    return y


def bias_and_activate(x: Tensor, bias: Tensor, activation: str) -> Tensor:
    """activation(x + bias) for x [..., f], bias [f]; raises ValueError."""
    matrix = as_matrix(x)
    code = activation_code(activation)
    f = x.shape[-1]
    check_shape("bias", bias, f)
    check_alike(matrix, bias=bias)
    y = x.new_empty(x.shape)
    _launch("bias_and_activate", matrix, f, matrix, matrix.stride(0), bias, y, f, code)
    return y


def _launch(name: str, x: Tensor, f: int, *arguments: Tensor | int) -> None:
    """Work-groups for each row of `x`, of which `f` elements are written."""
    device = runtime_of(x.device)
    kernel = device.kernel("activation", name, x.dtype)
    items = work_items(f, x, device.lanes)
    parts = -(-f * x.element_size() // (16 * items))
    if x.shape[0]:
        kernel((x.shape[0], parts), (1, items), *arguments)
