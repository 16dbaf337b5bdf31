"""The prediction: what a forward pass of a stage moves, computes and launches, before anything runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

from tinyllm.attention import kernel, stock
from tinyllm.attention import segment as segment_attention
from tinyllm.cache.contiguous import ContiguousCache
from tinyllm.checkpoint.skeleton import skeleton
from tinyllm.config import DecoderConfig
from tinyllm.cost import attention as attention_costs
from tinyllm.cost import ops as op_costs
from tinyllm.cost.cache import CACHE_COSTS, CostOf
from tinyllm.cost.workload import Cost, Workload
from tinyllm.ops import embedding, mlp, projection, rope
from tinyllm.stages import FASTEST, Stage, pick_stage

# What each part of a stage costs. A new part needs a row here, and a test that holds it against the counters.
COSTS: Mapping[Callable, CostOf] = MappingProxyType(
    {
        embedding.embed: op_costs.embed_cost,
        embedding.norm_head: op_costs.norm_head_cost,
        embedding.fused_norm_head: op_costs.fused_norm_head_cost,
        rope.rotary_tables: op_costs.rotary_tables_cost,
        rope.half_tables: op_costs.half_tables_cost,
        rope.rotate_and_store: op_costs.rotate_and_store_cost,
        rope.fused_rotate_and_store: op_costs.fused_rotate_and_store_cost,
        projection.norm_qkv: op_costs.norm_qkv_cost,
        projection.fused_norm_qkv: op_costs.fused_norm_qkv_cost,
        projection.fused_queries: op_costs.fused_queries_cost,
        projection.project_and_add: op_costs.project_and_add_cost,
        projection.fused_project_and_add: op_costs.fused_project_and_add_cost,
        mlp.mlp_and_add: op_costs.mlp_and_add_cost,
        mlp.fused_mlp_and_add: op_costs.fused_mlp_and_add_cost,
        stock.stock_attention: attention_costs.stock_attention_cost,
        segment_attention.segment_attention: attention_costs.segment_attention_cost,
        kernel.kernel_attention: attention_costs.kernel_attention_cost,
    }
)


def function_of(part: Callable) -> Callable:
    """The function of an operation, whatever kernels it is bound to."""
    return getattr(part, "func", part)


def as_stored(stage: Stage, work: Workload) -> Workload:
    """The work as a stage's cache sees it: where prompts are not shared each sequence apart, else a prompt once."""
    if stage.cache is ContiguousCache:
        return work.expanded
    return work if work.held else replace(work, copies=1)


def layer_cost(stage: Stage, config: DecoderConfig, work: Workload, kind: int = 0) -> Cost:
    """One layer of a forward pass, of one of the kinds that a model has."""
    ops, work, config = stage.ops, as_stored(stage, work), config.of_kind(kind)
    queries = (ops.norm_qkv, ops.rotate_and_store) if ops.at_once is None else (ops.at_once,)
    parts = (*queries, stage.attend, ops.project_and_add, ops.mlp_and_add)
    store = CACHE_COSTS[stage.cache].store[function_of(ops.rotate_and_store)]
    return sum((COSTS[function_of(part)](config, work) for part in parts), store(config, work))


def pass_cost(stage: Stage, config: DecoderConfig, work: Workload) -> Cost:
    """A whole forward pass: from token ids to the logits of the next token."""
    ops, shared, work = stage.ops, work, as_stored(stage, work)
    ends = (COSTS[function_of(part)](config, work) for part in (ops.embed, ops.rotary_tables, ops.norm_head))
    counts = Counter(config.kind_of_layer)
    layers = sum((layer_cost(stage, config, work, kind) * n for kind, n in counts.items()), Cost())
    admitted = work if stage.cache is ContiguousCache else shared
    return sum(ends, CACHE_COSTS[stage.cache].admit(config, admitted) + layers)


def reorder_cost(stage: Stage, config: DecoderConfig, work: Workload) -> Cost:
    """What one step of a beam search does to the cache of `work.held` tokens before the next pass."""
    return CACHE_COSTS[stage.cache].reorder(config, as_stored(stage, work))


def weight_elements(config: DecoderConfig) -> int:
    """Elements of all weights, tied ones once."""
    return sum(parameter.numel() for parameter in skeleton(config, pick_stage(FASTEST)).parameters())


def least_bytes(config: DecoderConfig, work: Workload) -> int:
    """Bytes that no implementation of a decode step avoids: every weight once, every key and value in sight once.

    A prompt's keys and values count once however many sequences continue it, what follows once per sequence.

    Of tables, an untied embedding and learned positions, only the rows looked up count.
    """
    tables = config.learned_positions + (0 if config.tie_word_embeddings else config.vocab_size)
    rows = work.positions * bool(config.learned_positions) + work.rows * (not config.tie_word_embeddings)
    token = 2 * config.num_key_value_heads * config.head_dim
    seen = (attention_costs.in_window(config.of_kind(kind), work) for kind in config.kind_of_layer)
    keys = work.batch * sum(x.held - x.steps + x.copies * (x.steps + x.tokens) for x in seen)
    return work.size * (weight_elements(config) + (rows - tables) * config.hidden_size + keys * token)
