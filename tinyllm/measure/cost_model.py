"""The prediction: what a forward pass of a stage moves, computes and launches, before anything runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from tinyllm.attention import mask, stock
from tinyllm.cache import contiguous
from tinyllm.config import DecoderConfig
from tinyllm.ops import embedding, mlp, projection, rope
from tinyllm.ops.cost import Cost, Workload
from tinyllm.stages import Stage

CostOf = Callable[[DecoderConfig, Workload], Cost]
# What each part of a stage costs. A new part needs a row here, and a test that holds it against the counters.
COSTS: Mapping[Callable, CostOf] = MappingProxyType(
    {
        embedding.embed: embedding.embed_cost,
        embedding.norm_head: embedding.norm_head_cost,
        embedding.fused_norm_head: embedding.fused_norm_head_cost,
        rope.rotary_tables: rope.rotary_tables_cost,
        rope.half_tables: rope.half_tables_cost,
        rope.rotate_and_store: rope.rotate_and_store_cost,
        rope.fused_rotate_and_store: rope.fused_rotate_and_store_cost,
        projection.norm_qkv: projection.norm_qkv_cost,
        projection.fused_norm_qkv: projection.fused_norm_qkv_cost,
        projection.project_and_add: projection.project_and_add_cost,
        projection.fused_project_and_add: projection.fused_project_and_add_cost,
        mlp.mlp_and_add: mlp.mlp_and_add_cost,
        mlp.fused_mlp_and_add: mlp.fused_mlp_and_add_cost,
        stock.stock_attention: stock.stock_attention_cost,
    }
)
# What a cache costs depends on how keys and values are handed to it.
CACHE_COSTS: Mapping[tuple[Callable, Callable], CostOf] = MappingProxyType(
    {
        (contiguous.ContiguousCache, rope.rotate_and_store): contiguous.append_cost,
        (contiguous.ContiguousCache, rope.fused_rotate_and_store): contiguous.slots_cost,
    }
)


def function_of(part: Callable) -> Callable:
    """The function of an operation, whatever kernels it is bound to."""
    return getattr(part, "func", part)


def layer_cost(stage: Stage, config: DecoderConfig, work: Workload) -> Cost:
    """One layer of a forward pass."""
    ops = stage.ops
    parts = (ops.norm_qkv, ops.rotate_and_store, stage.attend, ops.project_and_add, ops.mlp_and_add)
    cache = CACHE_COSTS[stage.cache, function_of(ops.rotate_and_store)]
    return sum((COSTS[function_of(part)](config, work) for part in parts), cache(config, work))


def pass_cost(stage: Stage, config: DecoderConfig, work: Workload) -> Cost:
    """A whole forward pass: from token ids to the logits of the next token."""
    ops = stage.ops
    ends = (COSTS[function_of(part)](config, work) for part in (ops.embed, ops.rotary_tables, ops.norm_head))
    layers = layer_cost(stage, config, work) * config.num_hidden_layers
    return sum(ends, mask.position_cost(config, work) + layers)


def weight_elements(config: DecoderConfig) -> int:
    """Elements of all weights, tied ones once."""
    m, f, d = config.hidden_size, config.intermediate_size, config.head_dim
    qkv = (config.num_attention_heads + 2 * config.num_key_value_heads) * d
    layer = qkv * (m + config.qkv_bias) + m * (config.num_attention_heads * d + config.o_bias) + 2 * m
    layer += 2 * f * (m + config.mlp_bias) + m * (f + config.mlp_bias)
    tables = config.vocab_size * m * (1 if config.tie_word_embeddings else 2)
    return tables + config.num_hidden_layers * layer + m


def least_bytes(config: DecoderConfig, work: Workload) -> int:
    """Bytes that no implementation of a decode step avoids: every weight once, every key and value once.

    Of an untied embedding table only the rows looked up count.
    """
    unread = 0 if config.tie_word_embeddings else config.vocab_size * config.hidden_size
    rows = 0 if config.tie_word_embeddings else work.rows * config.hidden_size
    token = 2 * config.num_hidden_layers * config.num_key_value_heads * config.head_dim
    return work.size * (weight_elements(config) - unread + rows + work.batch * work.total * token)
