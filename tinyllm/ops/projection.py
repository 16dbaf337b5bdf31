"""The matrix products around attention: norm and QKV before it, output and residual after it."""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from tinyllm.config import DecoderConfig
from tinyllm.ops.cost import Cost, Workload, launch
from tinyllm.ops.norm import Norm, rms_norm, rms_norm_cost

QKV = tuple[Float[Tensor, "b h t d"], Float[Tensor, "b g t d"], Float[Tensor, "b g t d"]]


class QKVProjection(nn.Linear):
    """The query, key and value projections, stacked along the rows of one matrix."""

    def __init__(self, config: DecoderConfig) -> None:
        heads = (config.num_attention_heads, config.num_key_value_heads, config.num_key_value_heads)
        self.row_sizes, self.head_dim = [n * config.head_dim for n in heads], config.head_dim
        super().__init__(config.hidden_size, sum(self.row_sizes), bias=config.qkv_bias)


def split_linear(x: Float[Tensor, "*rows m"], linear: nn.Linear, sizes: list[int]) -> list[Tensor]:
    """One product for each block of rows of a merged matrix, as if they had never been merged."""
    weights = linear.weight.split(sizes)
    biases = [None] * len(sizes) if linear.bias is None else linear.bias.split(sizes)
    return [F.linear(x, weight, bias) for weight, bias in zip(weights, biases, strict=True)]


def norm_qkv(x: Float[Tensor, "b t m"], norm: Norm, qkv_proj: QKVProjection) -> QKV:
    """Normalise, then three projections, each split into heads."""
    parts = split_linear(rms_norm(x, norm), qkv_proj, qkv_proj.row_sizes)
    q, k, v = (part.unflatten(-1, (-1, qkv_proj.head_dim)).transpose(1, 2) for part in parts)
    return q, k, v


def project_and_add(
    a: Float[Tensor, "b t n"], o_proj: nn.Linear, residual: Float[Tensor, "b t m"]
) -> Float[Tensor, "b t m"]:
    """The output projection of attention, added to the residual stream."""
    return residual + F.linear(a, o_proj.weight, o_proj.bias)


def linear_cost(rows: int, inputs: int, outputs: int, bias: bool, size: int) -> Cost:
    """What one matrix product moves and computes."""
    weights = size * outputs * (inputs + bias)
    flops = 2 * rows * inputs * outputs
    return launch(read=size * rows * inputs, weights=weights, write=size * rows * outputs, flops=flops)


def add_cost(rows: int, m: int, size: int) -> Cost:
    """What adding the residual moves."""
    return launch(read=2 * size * rows * m, write=size * rows * m)


def norm_qkv_cost(config: DecoderConfig, work: Workload) -> Cost:
    """What `norm_qkv` moves and computes."""
    m, d, rows, size = config.hidden_size, config.head_dim, work.rows, work.size
    query = linear_cost(rows, m, config.num_attention_heads * d, config.qkv_bias, size)
    key = linear_cost(rows, m, config.num_key_value_heads * d, config.qkv_bias, size)
    return rms_norm_cost(rows, m, size) + query + key * 2


def project_and_add_cost(config: DecoderConfig, work: Workload) -> Cost:
    """What `project_and_add` moves and computes."""
    m, inner = config.hidden_size, config.num_attention_heads * config.head_dim
    return linear_cost(work.rows, inner, m, config.o_bias, work.size) + add_cost(work.rows, m, work.size)
