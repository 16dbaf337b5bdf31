"""The matrix products around attention: norm and QKV before it, output and residual after it."""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from tinyllm.config import DecoderConfig
from tinyllm.ops.cost import Cost, Workload
from tinyllm.ops.kernel_sets import KernelsFor
from tinyllm.ops.linear import (
    FEW_ROWS,
    add_cost,
    fused_linear,
    fused_linear_cost,
    linear_cost,
    norm_apart,
    split_linear,
)
from tinyllm.ops.norm import Norm, rms_norm, rms_norm_cost
from tinyllm.ops.rope import LayerCache, fused_rotate_and_store_cost

QKV = tuple[Float[Tensor, "b h t d"], Float[Tensor, "b g t d"], Float[Tensor, "b g t d"]]


class QKVProjection(nn.Linear):
    """The query, key and value projections, stacked along the rows of one matrix."""

    def __init__(self, config: DecoderConfig) -> None:
        heads = (config.num_attention_heads, config.num_key_value_heads, config.num_key_value_heads)
        self.row_sizes, self.head_dim = [n * config.head_dim for n in heads], config.head_dim
        super().__init__(config.hidden_size, sum(self.row_sizes), bias=config.qkv_bias)


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


def fused_norm_qkv(kernels_for: KernelsFor, x: Float[Tensor, "b t m"], norm: Norm, qkv_proj: QKVProjection) -> QKV:
    """One product for all three, the norm in front of it."""
    merged = fused_linear(kernels_for, x.flatten(0, 1), qkv_proj, norm)
    heads = [size // qkv_proj.head_dim for size in qkv_proj.row_sizes]
    q, k, v = merged.view(*x.shape[:2], -1, qkv_proj.head_dim).transpose(1, 2).split(heads, dim=1)
    return q, k, v


def fused_queries(
    kernels_for: KernelsFor,
    x: Float[Tensor, "b t m"],
    norm: Norm,
    qkv_proj: QKVProjection,
    rotary: tuple,
    kv: LayerCache,
) -> Float[Tensor, "b h t d"] | None:
    """Norm, products, rotation and the cache's update in one launch, where a set of kernels has that, for few rows."""
    kernels = kernels_for(x)
    if x.shape[0] * x.shape[1] > FEW_ROWS or not hasattr(kernels, "qkv_rope_and_store"):
        return None
    x, norm = norm_apart(kernels, x, norm)
    k_slot, v_slot, *start = kv.slots(x.shape[1])
    weights = (qkv_proj.weight, qkv_proj.bias, norm)
    return kernels.qkv_rope_and_store(x, *weights, *rotary, k_slot, v_slot, False, *start)[0]


def fused_project_and_add(
    kernels_for: KernelsFor, a: Float[Tensor, "b t n"], o_proj: nn.Linear, residual: Float[Tensor, "b t m"]
) -> Float[Tensor, "b t m"]:
    """The residual rides on the product."""
    out = fused_linear(kernels_for, a.flatten(0, 1), o_proj, residuals=(residual.flatten(0, 1),))
    return out.view_as(residual)


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


def fused_norm_qkv_cost(config: DecoderConfig, work: Workload) -> Cost:
    """What `fused_norm_qkv` moves and computes."""
    outputs = (config.num_attention_heads + 2 * config.num_key_value_heads) * config.head_dim
    return fused_linear_cost(work, work.rows, config.hidden_size, outputs, config.qkv_bias, normed=True)


def fused_queries_cost(config: DecoderConfig, work: Workload) -> Cost:
    """What `fused_queries` moves and computes, the cache's growth aside: queries, keys and values once, as results."""
    products, rotation = fused_norm_qkv_cost(config, work), fused_rotate_and_store_cost(config, work)
    if not queries_at_once(work):
        return products + rotation
    made = work.size * work.rows * (config.num_attention_heads + 2 * config.num_key_value_heads) * config.head_dim
    saved = Cost(launches=-1, activations_written=-made, activations_read=-made)
    return products + rotation + saved


def queries_at_once(work: Workload) -> bool:
    """Whether our kernels make queries, keys and values in one launch."""
    return work.kernels == "ours" and work.rows <= FEW_ROWS


def fused_project_and_add_cost(config: DecoderConfig, work: Workload) -> Cost:
    """What `fused_project_and_add` moves and computes."""
    inner = config.num_attention_heads * config.head_dim
    return fused_linear_cost(work, work.rows, inner, config.hidden_size, config.o_bias, residual=True)
