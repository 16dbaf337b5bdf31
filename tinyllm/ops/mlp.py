"""The gated feed-forward block: down(activation(gate(x)) * up(x))."""

from __future__ import annotations

from functools import partial

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from tinyllm.config import DecoderConfig
from tinyllm.ops.cost import Cost, Workload, launch
from tinyllm.ops.norm import Norm, rms_norm, rms_norm_cost
from tinyllm.ops.projection import add_cost, linear_cost, split_linear

ACTIVATIONS = {
    "silu": F.silu,
    "gelu": F.gelu,
    "gelu_pytorch_tanh": partial(F.gelu, approximate="tanh"),
    "relu": F.relu,
}


def mlp_and_add(
    x: Float[Tensor, "b t m"],
    norm: Norm,
    gate_up_proj: nn.Linear,
    down_proj: nn.Linear,
    activation: str,
    residual: Float[Tensor, "b t m"],
) -> Float[Tensor, "b t m"]:
    """Normalise, gate, project down, and add to the residual stream."""
    gate, up = split_linear(rms_norm(x, norm), gate_up_proj, [gate_up_proj.out_features // 2] * 2)
    return residual + F.linear(ACTIVATIONS[activation](gate) * up, down_proj.weight, down_proj.bias)


def mlp_and_add_cost(config: DecoderConfig, work: Workload) -> Cost:
    """What `mlp_and_add` moves and computes."""
    m, f, bias, rows, size = config.hidden_size, config.intermediate_size, config.mlp_bias, work.rows, work.size
    inner = size * rows * f
    return (
        rms_norm_cost(rows, m, size)
        + linear_cost(rows, m, f, bias, size) * 2  # gate, up
        + launch(read=inner, write=inner)  # activation
        + launch(read=2 * inner, write=inner)  # * up
        + linear_cost(rows, f, m, bias, size)  # down
        + add_cost(rows, m, size)
    )
