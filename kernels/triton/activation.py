"""Activations fused with the multiplication by the up projection, or with the bias: one launch.

For rows of f elements of s bytes, gated: 2*f*s read, f*s written; in torch the activation's result makes one more trip
through memory, f*s written and f*s read. With a bias: f*s read and written, half of torch's two launches.
"""

from __future__ import annotations

import triton
import triton.language as tl
from torch import Tensor

from .arguments import cdiv, check_vectors, next_power_of_2
from .norm import as_rows
from .tuning import LaunchConfig, launch_for

ACTIVATIONS = ("silu", "gelu", "gelu_pytorch_tanh", "relu")


@triton.jit
def activate(x, ACTIVATION: tl.constexpr):
    """One of ACTIVATIONS, in fp32."""
    if ACTIVATION == "silu":
        y = x * tl.sigmoid(x)
    elif ACTIVATION == "gelu":
        y = 0.5 * x * (1 + tl.erf(x * 0.7071067811865476))
    elif ACTIVATION == "gelu_pytorch_tanh":
        # (1 + tanh(u)) / 2 = sigmoid(2u)
        y = x * tl.sigmoid(1.5957691216057308 * (x + 0.044715 * x * x * x))
    else:
        tl.static_assert(ACTIVATION == "relu")
        y = tl.where(x < 0, 0.0, x)
    return y


@triton.jit
def _activate_and_multiply(
    gate_up_ptr, out_ptr, num_columns, num_blocks, stride_gate_up,
    ACTIVATION: tl.constexpr, BLOCK_SIZE: tl.constexpr,
):  # fmt: skip
    """BLOCK_SIZE columns of a row of the result, which has `num_columns` in `num_blocks` blocks."""
    row = (tl.program_id(0) // num_blocks).to(tl.int64)
    columns = tl.program_id(0) % num_blocks * BLOCK_SIZE + tl.arange(0, BLOCK_SIZE)
    mask = columns < num_columns

    gate_offsets = gate_up_ptr + row * stride_gate_up + columns
    up_offsets = gate_up_ptr + row * stride_gate_up + num_columns + columns
    gate = tl.load(gate_offsets, mask=mask, other=0.0).to(tl.float32)
    up = tl.load(up_offsets, mask=mask, other=0.0).to(tl.float32)

    y = activate(gate, ACTIVATION) * up
    tl.store(out_ptr + row * num_columns + columns, y, mask=mask)


@triton.jit
def _bias_and_activate(
    x_ptr, bias_ptr, out_ptr, num_columns, num_blocks, stride_x,
    ACTIVATION: tl.constexpr, BLOCK_SIZE: tl.constexpr,
):  # fmt: skip
    """BLOCK_SIZE columns of a row, which has `num_columns` in `num_blocks` blocks."""
    row = (tl.program_id(0) // num_blocks).to(tl.int64)
    columns = tl.program_id(0) % num_blocks * BLOCK_SIZE + tl.arange(0, BLOCK_SIZE)
    mask = columns < num_columns

    x = tl.load(x_ptr + row * stride_x + columns, mask=mask, other=0.0).to(tl.float32)
    x += tl.load(bias_ptr + columns, mask=mask, other=0.0).to(tl.float32)

    y = activate(x, ACTIVATION)
    tl.store(out_ptr + row * num_columns + columns, y, mask=mask)


def activate_and_multiply(
    gate_up: Tensor, activation: str, *, launch: LaunchConfig | None = None
) -> Tensor:
    """activation(first half) * second half of the rows of gate_up [..., 2f]; returns [..., f].

    Raises ValueError for an activation not in ACTIVATIONS, or rows that have no two halves.
    """
    if gate_up.shape[-1] % 2:
        raise ValueError(
            f"gate_up has {gate_up.shape[-1]} columns: expected a gate and an up of the same width"
        )
    check_activation(activation)
    launch = launch or launch_for("activation", gate_up.device.type)
    gate_up_rows = as_rows(gate_up)
    num_columns = gate_up.shape[-1] // 2
    block_size, num_blocks = _blocks(num_columns, launch)
    out_shape = (*gate_up.shape[:-1], num_columns)
    out = gate_up.new_empty(out_shape)
    _activate_and_multiply[(gate_up_rows.shape[0] * num_blocks,)](
        gate_up_rows, out, num_columns, num_blocks, gate_up_rows.stride(0),
        ACTIVATION=activation, BLOCK_SIZE=block_size, **launch.options,
    )  # fmt: skip
    return out


def bias_and_activate(
    x: Tensor, bias: Tensor, activation: str, *, launch: LaunchConfig | None = None
) -> Tensor:
    """activation(x + bias) for x [..., f] and bias [f].

    Raises ValueError for an activation not in ACTIVATIONS.
    """
    check_activation(activation)
    check_vectors(x.shape[-1], bias=bias)
    launch = launch or launch_for("activation", x.device.type)
    x_rows = as_rows(x)
    num_columns = x.shape[-1]
    block_size, num_blocks = _blocks(num_columns, launch)
    out = x.new_empty(x.shape)
    _bias_and_activate[(x_rows.shape[0] * num_blocks,)](
        x_rows, bias, out, num_columns, num_blocks, x_rows.stride(0),
        ACTIVATION=activation, BLOCK_SIZE=block_size, **launch.options,
    )  # fmt: skip
    return out


def check_activation(name: str) -> None:
    """Raise ValueError unless `name` is one of ACTIVATIONS."""
    if name not in ACTIVATIONS:
        raise ValueError(f"activation {name!r} has no kernel: expected one of {list(ACTIVATIONS)}")


def _blocks(num_columns: int, launch: LaunchConfig) -> tuple[int, int]:
    """The columns of a block, and the blocks of a row.

    Rows and blocks share the first axis of the grid: the other axes end at 65535.
    """
    block_size = min(launch.blocks["block"], next_power_of_2(num_columns))
    return block_size, cdiv(num_columns, block_size)
