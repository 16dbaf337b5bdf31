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

# What each part of a stage costs. A new part needs a row here, and a test that holds it against the counters.
COSTS: Mapping[Callable, Callable[[DecoderConfig, Workload], Cost]] = MappingProxyType(
    {
        embedding.embed: embedding.embed_cost,
        embedding.norm_head: embedding.norm_head_cost,
        rope.rotary_tables: rope.rotary_tables_cost,
        rope.rotate_and_store: rope.rotate_and_store_cost,
        projection.norm_qkv: projection.norm_qkv_cost,
        projection.project_and_add: projection.project_and_add_cost,
        mlp.mlp_and_add: mlp.mlp_and_add_cost,
        contiguous.ContiguousCache: contiguous.append_cost,
        stock.stock_attention: stock.stock_attention_cost,
    }
)


def layer_cost(stage: Stage, config: DecoderConfig, work: Workload) -> Cost:
    """One layer of a forward pass."""
    ops = stage.ops
    parts = (ops.norm_qkv, ops.rotate_and_store, stage.cache, stage.attend, ops.project_and_add, ops.mlp_and_add)
    return sum((COSTS[part](config, work) for part in parts), Cost())


def pass_cost(stage: Stage, config: DecoderConfig, work: Workload) -> Cost:
    """A whole forward pass: from token ids to the logits of the next token."""
    ops = stage.ops
    ends = sum((COSTS[part](config, work) for part in (ops.embed, ops.rotary_tables, ops.norm_head)), Cost())
    return ends + mask.position_cost(config, work) + layer_cost(stage, config, work) * config.num_hidden_layers


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
