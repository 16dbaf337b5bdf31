"""Activations with what stands beside them: the gate's product, or the bias. One launch.

For rows of f elements of s bytes, gated: 2*f*s read, f*s written; in torch the activation's result makes one more trip
through memory, f*s written and f*s read. With a bias: f*s read and written, half of torch's two launches.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from .norm import as_rows
from .tuning import Launch, launch_for

ACTIVATIONS = ("silu", "gelu", "gelu_pytorch_tanh", "relu")


@triton.jit
def activate(x, ACTIVATION: tl.constexpr):
    """One of ACTIVATIONS, in fp32."""
    if ACTIVATION == "silu":
        y = x * tl.sigmoid(x)
    elif ACTIVATION == "gelu":
        y = 0.5 * x * (1 + tl.erf(x * 0.7071067811865476))
    elif ACTIVATION == "gelu_pytorch_tanh":
        y = x * tl.sigmoid(1.5957691216057308 * (x + 0.044715 * x * x * x))  # (1 + tanh(u)) / 2 = sigmoid(2u)
    else:
        tl.static_assert(ACTIVATION == "relu")
        y = tl.where(x < 0, 0.0, x)
    return y


@triton.jit
def _activate_and_multiply(gate_up, out, width, tiles, stride, ACTIVATION: tl.constexpr, BLOCK: tl.constexpr):
    row = (tl.program_id(0) // tiles).to(tl.int64)
    column = tl.program_id(0) % tiles * BLOCK + tl.arange(0, BLOCK)
    gate = tl.load(gate_up + row * stride + column, mask=column < width, other=0.0).to(tl.float32)
    up = tl.load(gate_up + row * stride + width + column, mask=column < width, other=0.0).to(tl.float32)
    tl.store(out + row * width + column, activate(gate, ACTIVATION) * up, mask=column < width)


@triton.jit
def _bias_and_activate(x, bias, out, width, tiles, stride, ACTIVATION: tl.constexpr, BLOCK: tl.constexpr):
    row = (tl.program_id(0) // tiles).to(tl.int64)
    column = tl.program_id(0) % tiles * BLOCK + tl.arange(0, BLOCK)
    value = tl.load(x + row * stride + column, mask=column < width, other=0.0).to(tl.float32)
    value += tl.load(bias + column, mask=column < width, other=0.0).to(tl.float32)
    tl.store(out + row * width + column, activate(value, ACTIVATION), mask=column < width)


def activate_and_multiply(gate_up: Tensor, activation: str, *, launch: Launch | None = None) -> Tensor:
    """activation(first half) * second half of the rows of gate_up [..., 2f]; returns [..., f].

    Raises ValueError for an activation not in ACTIVATIONS, or rows that have no two halves.
    """
    if gate_up.shape[-1] % 2:
        raise ValueError(f"gate_up has {gate_up.shape[-1]} columns: expected a gate and an up of the same width")
    return _elementwise(_activate_and_multiply, gate_up, (), gate_up.shape[-1] // 2, activation, launch)


def bias_and_activate(x: Tensor, bias: Tensor, activation: str, *, launch: Launch | None = None) -> Tensor:
    """activation(x + bias) for x [..., f] and bias [f]; raises ValueError for an activation not in ACTIVATIONS."""
    return _elementwise(_bias_and_activate, x, (bias,), x.shape[-1], activation, launch)


def check_activation(name: str) -> None:
    """Raise ValueError unless `name` is one of ACTIVATIONS."""
    if name not in ACTIVATIONS:
        raise ValueError(f"activation {name!r} has no kernel: expected one of {list(ACTIVATIONS)}")


def _elementwise(
    kernel: triton.KernelInterface,
    x: Tensor,
    more: tuple[Tensor, ...],
    width: int,
    activation: str,
    launch: Launch | None,
) -> Tensor:
    check_activation(activation)
    launch = launch or launch_for("activation", x.device.type)
    out, lines = torch.empty((*x.shape[:-1], width), dtype=x.dtype, device=x.device), as_rows(x)
    block = min(launch.blocks["block"], triton.next_power_of_2(width))
    tiles = triton.cdiv(width, block)  # on one axis with the rows: the other axes end at 65535
    sizes = (width, tiles, lines.stride(0))
    kernel[(len(lines) * tiles,)](lines, *more, out, *sizes, ACTIVATION=activation, BLOCK=block, **launch.options)
    return out
