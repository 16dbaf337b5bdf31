"""The prediction: what a forward pass of a stage moves, computes and launches, before anything runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from types import MappingProxyType

from tinyllm.attention.kernel import kernel_attention
from tinyllm.attention.stock import stock_attention
from tinyllm.cache.contiguous import ContiguousCache
from tinyllm.checkpoint.skeleton import skeleton
from tinyllm.config import DecoderConfig
from tinyllm.cost import attention as attention_costs
from tinyllm.cost import masks as mask_costs
from tinyllm.cost import ops as op_costs
from tinyllm.cost.cache import CostOf, costs_of
from tinyllm.cost.workload import Cost, Workload
from tinyllm.linear import storage_size
from tinyllm.ops import FUSED, NAIVE
from tinyllm.stages import Stage

# What each part of a stage costs. A new part needs a row here, and a test that holds it against the counters.
COSTS: Mapping[Callable, CostOf] = MappingProxyType(
    {
        NAIVE.embed: op_costs.embed_cost,
        NAIVE.rotary_tables: op_costs.naive_rotary_tables_cost,
        NAIVE.norm_qkv_rope: op_costs.naive_norm_qkv_rope_cost,
        NAIVE.project: op_costs.naive_project_cost,
        NAIVE.mlp: op_costs.naive_mlp_cost,
        NAIVE.norm_head: op_costs.naive_norm_head_cost,
        FUSED.rotary_tables: op_costs.fused_rotary_tables_cost,
        FUSED.norm_qkv_rope: op_costs.fused_norm_qkv_rope_cost,
        FUSED.project: op_costs.fused_project_cost,
        FUSED.mlp: op_costs.fused_mlp_cost,
        FUSED.norm_head: op_costs.fused_norm_head_cost,
        stock_attention: attention_costs.stock_attention_cost,
        kernel_attention: attention_costs.kernel_attention_cost,
    }
)
MASK_COSTS: Mapping[Callable, CostOf] = MappingProxyType(
    {
        stock_attention: mask_costs.stock_mask_cost,
        kernel_attention: mask_costs.kernel_mask_cost,
    }
)


def as_stored(stage: Stage, work: Workload) -> Workload:
    """The work as a stage's cache sees it: where prompts are not shared each sequence alone, else a prompt once."""
    if stage.cache is ContiguousCache:
        return replace(work.expanded, segments=1)
    return work if work.held else replace(work, copies=1)


def layer_cost(stage: Stage, config: DecoderConfig, work: Workload, kind: int = 0) -> Cost:
    """One layer of a forward pass, of one of the kinds that a model has; attention's masks are there already."""
    ops = stage.ops
    work = as_stored(stage, work)
    config = config.of_kind(kind)
    parts = (ops.norm_qkv_rope, stage.attention, ops.project, ops.mlp)
    store = costs_of(stage.cache).store(ops)
    return sum((COSTS[part](config, work) for part in parts), store(config, work))


def layers_cost(stage: Stage, config: DecoderConfig, work: Workload) -> Cost:
    """All layers, of which the first makes attention's masks for all."""
    counts = Counter(enumerate(config.kind_of_layer))
    if work.packed is None:  # layers of a kind are alike
        counts = Counter((0, kind) for kind in config.kind_of_layer)
    layers = [
        layer_cost(stage, config, replace(work, layer=layer), kind) * n
        for (layer, kind), n in counts.items()
    ]
    return sum(layers, MASK_COSTS[stage.attention](config, as_stored(stage, work)))


def pass_cost(stage: Stage, config: DecoderConfig, work: Workload) -> Cost:
    """A complete forward pass: from token ids to the logits of the next token."""
    stored = as_stored(stage, work)
    ends = (stage.ops.embed, stage.ops.rotary_tables, stage.ops.norm_head)
    cost = sum((COSTS[part](config, stored) for part in ends), layers_cost(stage, config, work))
    shared = stored if stage.cache is ContiguousCache else work
    return cost + costs_of(stage.cache).prepare(config, shared)


def reorder_cost(stage: Stage, config: DecoderConfig, work: Workload) -> Cost:
    """What one step of a beam search does to the cache of `work.held` tokens before the next pass."""
    return costs_of(stage.cache).reorder(config, as_stored(stage, work))


@cache
def weight_elements(config: DecoderConfig) -> int:
    """Elements of all weights, tied ones once."""
    return storage_size(skeleton(config)).elements


def least_bytes(config: DecoderConfig, work: Workload) -> int:
    """Bytes that no implementation of a decode step avoids: every weight once, every visible key and value once.

    A prompt's keys and values count once however many sequences continue it, what follows once per sequence.

    Of tables, an untied embedding and learned positions, only the rows looked up count.
    """
    token = 2 * config.num_key_value_heads * work.kv_row_bytes(config.head_dim)
    in_windows = (mask_costs.in_window(config.of_kind(kind), work) for kind in config.kind_of_layer)
    keys = work.batch * sum(x.held - x.steps + x.copies * (x.steps + x.tokens) for x in in_windows)
    row = work.size * config.hidden_size
    weights = work.size * weight_elements(config)
    table_row = row
    if work.packed is not None:
        weights = work.packed.nbytes
        table_row = sum(part.row_bytes for part in work.parts("embed_tokens"))
    if not config.tie_word_embeddings:
        weights += (work.rows - config.vocab_size) * table_row
    if config.learned_positions:
        weights += (work.positions - config.learned_positions) * row
    return weights + keys * token
