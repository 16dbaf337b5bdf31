"""The matrix products around attention: norm and QKV before it, output and residual after it."""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from tinyllm.config import DecoderConfig
from tinyllm.ops.kernel_sets import KernelsFor
from tinyllm.ops.linear import FEW_ROWS, fused_linear, linear_and_add, norm_apart, split_linear
from tinyllm.ops.norm import HeadNorms, Norm, normalise
from tinyllm.ops.rope import HalfTables, LayerCache

QKV = tuple[Float[Tensor, "b h t d"], Float[Tensor, "b g t d"], Float[Tensor, "b g t d"]]


class QKVProjection(nn.Linear):
    """The query, key and value projections as one matrix, and the norms of what comes out, where a model has them.

    The rows are those of all query heads, of all key heads, of all value heads; or, where `per_head`, query, key and
    value of the first head, then of the next.
    """

    def __init__(self, config: DecoderConfig) -> None:
        heads = (config.num_attention_heads, config.num_key_value_heads, config.num_key_value_heads)
        self.row_sizes, self.head_dim = [n * config.head_dim for n in heads], config.head_dim
        super().__init__(config.hidden_size, sum(self.row_sizes), bias=config.qkv_bias)
        self.per_head, self.head_norms = config.qkv_per_head, config.head_norms
        if self.head_norms:
            self.q_norm, self.k_norm = (Norm(config.head_dim, config.norm_eps) for _ in range(2))

    @property
    def norms(self) -> HeadNorms | None:
        """Those of q and k."""
        return HeadNorms(self.q_norm.weight, self.k_norm.weight, self.q_norm.eps) if self.head_norms else None

    def heads(self, merged: Float[Tensor, "b t n"]) -> QKV:
        """What the rows of the matrix gave, as heads of queries, keys and values: views."""
        heads = merged.unflatten(-1, (-1, self.head_dim)).transpose(1, 2)
        if self.per_head:
            q, k, v = heads.unflatten(1, (-1, 3)).unbind(2)
        else:
            q, k, v = heads.split([size // self.head_dim for size in self.row_sizes], dim=1)
        return q, k, v


def norm_qkv(x: Float[Tensor, "b t m"], norm: Norm, qkv_proj: QKVProjection) -> QKV:
    """Normalise, then three projections, each split into heads; or the one that a checkpoint keeps by heads."""
    x = normalise(x, norm)
    if qkv_proj.per_head:
        return qkv_proj.heads(F.linear(x, qkv_proj.weight, qkv_proj.bias))
    parts = split_linear(x, qkv_proj, qkv_proj.row_sizes)
    q, k, v = (part.unflatten(-1, (-1, qkv_proj.head_dim)).transpose(1, 2) for part in parts)
    return q, k, v


def project_and_add(
    a: Float[Tensor, "b t n"], o_proj: nn.Linear, residual: Float[Tensor, "b t m"], post_norm: Norm | None = None
) -> Float[Tensor, "b t m"]:
    """The output projection of attention, normalised where a model does that, added to the residual stream."""
    out = F.linear(a, o_proj.weight, o_proj.bias)
    return residual + (out if post_norm is None else normalise(out, post_norm))


def fused_norm_qkv(kernels_for: KernelsFor, x: Float[Tensor, "b t m"], norm: Norm, qkv_proj: QKVProjection) -> QKV:
    """One product for all three, the norm in front of it."""
    merged = fused_linear(kernels_for, x.flatten(0, 1), qkv_proj, norm)
    return qkv_proj.heads(merged.view(*x.shape[:2], -1))


def fused_queries(
    kernels_for: KernelsFor,
    x: Float[Tensor, "b t m"],
    norm: Norm,
    qkv_proj: QKVProjection,
    rotary: HalfTables,
    kv: LayerCache,
) -> Float[Tensor, "b h t d"] | None:
    """Norm, products, rotation and the cache's update in one launch, where a set of kernels has that, for few rows."""
    kernels = kernels_for(x)
    few = x.shape[0] * x.shape[1] <= FEW_ROWS
    if not few or qkv_proj.head_norms or not hasattr(kernels, "qkv_rope_and_store"):
        return None
    x, norm = norm_apart(kernels, x, norm)
    k_slot, v_slot, *start = kv.slots(x.shape[1])
    weights = (qkv_proj.weight, qkv_proj.bias, norm)
    cos, sin, interleaved = rotary
    first = start[0] if start else None
    return kernels.qkv_rope_and_store(
        x, *weights, cos, sin, k_slot, v_slot, interleaved, first, per_head=qkv_proj.per_head
    )[0]


def fused_project_and_add(
    kernels_for: KernelsFor,
    a: Float[Tensor, "b t n"],
    o_proj: nn.Linear,
    residual: Float[Tensor, "b t m"],
    post_norm: Norm | None = None,
) -> Float[Tensor, "b t m"]:
    """The residual rides on the product, or on the norm behind it."""
    return linear_and_add(kernels_for, a.flatten(0, 1), o_proj, residual, post_norm)
