"""In front of attention: norm, the projections of q, k and v, RoPE, and the cache's new keys and values."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from tinyllm.cache import LayerCache
from tinyllm.kernels import KernelSet
from tinyllm.linear import QKV, Norm, QKVLinear
from tinyllm.ops.matmul import MAX_GEMV_ROWS, fused_matmul, prologue_is_free
from tinyllm.ops.norm import fused_norm, naive_norm, rms_norm
from tinyllm.ops.rope import RotaryTables, apply_partial_rope


def naive_norm_qkv_rope(
    x: Float[Tensor, "b t m"],
    norm: Norm,
    qkv_proj: QKVLinear,
    rope: RotaryTables | None,
    kv: LayerCache,
) -> Float[Tensor, "b h t d"]:
    """Queries of the normalised x, rotated; keys, rotated, and values are appended to the cache."""
    q, k, v = naive_norm_qkv(x, norm, qkv_proj)
    norms = qkv_proj.head_norms
    if norms is not None:
        q = rms_norm(q, norms.q, norms.eps)
        k = rms_norm(k, norms.k, norms.eps)
    if rope is not None:
        q = apply_partial_rope(q, rope)
        k = apply_partial_rope(k, rope)
    kv.append(k, v)
    return q


def naive_norm_qkv(x: Float[Tensor, "b t m"], norm: Norm, qkv_proj: QKVLinear) -> QKV:
    """Normalise, then three projections, each split into heads; or the one that a checkpoint keeps by heads."""
    x = naive_norm(x, norm)
    if qkv_proj.per_head:
        return qkv_proj.split_heads(qkv_proj.matmul(x))
    parts = qkv_proj.matmul_blocks(x, qkv_proj.row_sizes)
    q, k, v = (part.unflatten(-1, (-1, qkv_proj.head_dim)).transpose(1, 2) for part in parts)
    return q, k, v


def fused_norm_qkv_rope(
    kernels: KernelSet,
    x: Float[Tensor, "b t m"],
    norm: Norm,
    qkv_proj: QKVLinear,
    rope: RotaryTables,
    kv: LayerCache,
) -> Float[Tensor, "b h t d"]:
    """One launch for few rows, where a kernel set has it; else a matmul, and one launch that writes into the slots.

    Keys and values in int8 are rounded in that launch.
    """
    b, t, _ = x.shape
    is_fused = kernels.fuses_qkv_and_rope and not qkv_proj.has_head_norms
    if is_fused and b * t <= MAX_GEMV_ROWS and kv.segments[0].k_scale is None:
        return one_launch(kernels, x, norm, qkv_proj, rope, kv)
    merged = fused_matmul(kernels, x.flatten(0, 1), qkv_proj, norm=norm)
    q, k, v = qkv_proj.split_heads(merged.view(b, t, -1))
    slots = kv.slots(t)
    return kernels.rope_and_store(
        q,
        k,
        v,
        rope.cos,
        rope.sin,
        slots.k,
        slots.v,
        rope.interleaved,
        slots.start,
        norms=qkv_proj.head_norms,
        **slots.scales,
    )[0]


def one_launch(
    kernels: KernelSet,
    x: Float[Tensor, "b t m"],
    norm: Norm,
    qkv_proj: QKVLinear,
    rope: RotaryTables,
    kv: LayerCache,
) -> Float[Tensor, "b h t d"]:
    """q, k and v never lie in memory before they are rotated: saves 2*(h + 2g)*d*s bytes a token."""
    b, t, _ = x.shape
    prologue = norm
    if not prologue_is_free(kernels, b * t):
        x = fused_norm(kernels, x, norm)
        prologue = None
    slots = kv.slots(t)
    return kernels.qkv_rope_and_store(
        x,
        qkv_proj.storage,
        qkv_proj.bias,
        prologue,
        rope.cos,
        rope.sin,
        slots.k,
        slots.v,
        rope.interleaved,
        slots.start,
        per_head=qkv_proj.per_head,
    )[0]
