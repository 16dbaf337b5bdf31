"""What each operation moves, computes and launches, naive and fused."""

from __future__ import annotations

from tinyllm.config import DecoderConfig
from tinyllm.cost.int8 import store_quantized_cost
from tinyllm.cost.matmul import (
    activation_cost,
    add_cost,
    fused_matmul_cost,
    gate_cost,
    has_residual,
    matmul_and_add_cost,
    matmul_cost,
)
from tinyllm.cost.norm import norm_cost, rms_norm_cost, torch_rms_norm_cost
from tinyllm.cost.packed import is_unpacked_for_few_rows
from tinyllm.cost.workload import Cost, Workload, launch
from tinyllm.ops.matmul import MAX_GEMV_ROWS


def embed_cost(config: DecoderConfig, work: Workload) -> Cost:
    """What `embed` moves: the rows looked up, not the table."""
    x = work.size * work.rows * config.hidden_size
    row = work.size * config.hidden_size
    looked_up = sum(work.rows * part.row_bytes for part in work.parts("embed_tokens"))
    cost = launch(read=8 * work.rows, weights=looked_up or x, write=x)
    if config.part is not None and config.tie_word_embeddings:
        cost += own_rows_cost(work.rows, x)
    if config.embedding_scale != 1:
        cost += launch(read=x, write=x)
    if config.learned_positions:
        numbers = 8 * work.positions
        rows = work.positions * row
        cost += launch(read=numbers, write=numbers) + launch(read=numbers, weights=rows, write=rows)
        cost += launch(read=x + rows, write=x)
    return cost + (norm_cost(config, work.rows, work.size) if config.embedding_norm else Cost())


def own_rows_cost(rows: int, x: int) -> Cost:
    """What it moves to look up the tokens of this rank's rows alone: a mask, ids of the rows, zeros for the others."""
    ids = 8 * rows
    mask = rows
    return (
        launch(read=ids, write=mask) * 2  # >=, <
        + launch(read=2 * mask, write=mask)  # &
        + launch(read=ids, write=ids)  # -
        + launch(read=mask + ids, write=ids)  # *
        + launch(read=x + mask, write=x)  # *
    )


def naive_norm_head_cost(config: DecoderConfig, work: Workload) -> Cost:
    """What `norm_head` moves and computes for the last token of every sequence."""
    m = config.hidden_size
    rows = work.batch * work.copies
    v = config.head_rows
    return (
        norm_cost(config, rows, work.size)
        + matmul_cost(work, rows, m, v, config.head_bias, "lm_head")
        + softcap_logits_cost(config, rows, work.size)
    )


def fused_norm_head_cost(config: DecoderConfig, work: Workload) -> Cost:
    """What `fused_norm_head` moves and computes for the last token of every sequence."""
    rows = work.batch * work.copies
    sizes = (config.hidden_size, config.head_rows)
    matmul = fused_matmul_cost(
        config, work, "lm_head", rows, *sizes, bias=config.head_bias, normed=True
    )
    return matmul + softcap_logits_cost(config, rows, work.size)


def softcap_logits_cost(config: DecoderConfig, rows: int, size: int) -> Cost:
    """What `softcap_logits` moves."""
    logits = size * rows * config.head_rows
    return (
        Cost() if config.logit_softcap is None else launch(read=logits, write=logits) * 3
    )  # /, tanh, *


def naive_rotary_tables_cost(config: DecoderConfig, work: Workload) -> Cost:
    """What `naive_rotary_tables` moves: once per forward pass, not per layer."""
    if config.rotated == 0:
        return Cost()
    positions = work.positions
    pairs = config.rotated // 2
    kinds = len(config.kinds)
    half = 4 * kinds * positions * pairs
    table = 8 * kinds * positions * pairs
    cost = (
        launch(read=8 * positions, write=4 * positions)  # to float
        + launch(read=4 * positions + 4 * kinds * pairs, write=half)  # * frequencies
        + launch(read=2 * half, write=table)  # both elements of a pair
        + launch(read=table, write=table) * 2  # cos, sin
    )
    casts = launch(read=table, write=work.size * kinds * positions * 2 * pairs) * 2
    return cost if work.size == 4 else cost + casts


def apply_rope_cost(config: DecoderConfig, work: Workload, heads: int) -> Cost:
    """What `apply_partial_rope` moves for `heads` heads."""
    if config.rotated == 0:
        return Cost()
    full, x = (
        work.size * work.rows * heads * elements for elements in (config.head_dim, config.rotated)
    )
    table = work.size * work.positions * config.rotated
    joined = launch(read=full, write=full) if x < full else Cost()  # cat with what stays
    return joined + (
        launch(read=x // 2, write=x // 2)  # -second
        + launch(read=x, write=x)  # both elements side by side
        + launch(read=x + table, write=x) * 2  # * cos, * sin
        + launch(read=2 * x, write=x)  # +
    )


def naive_rope_cost(config: DecoderConfig, work: Workload) -> Cost:
    """What RoPE moves before the cache takes over."""
    heads = (config.num_attention_heads, config.num_key_value_heads)
    d = config.head_dim
    normed = (
        [rms_norm_cost(work.rows * n, d, work.size) for n in heads] if config.head_norms else []
    )
    return sum([apply_rope_cost(config, work, n) for n in heads] + normed, Cost())


def fused_rotary_tables_cost(config: DecoderConfig, work: Workload) -> Cost:
    """What `fused_rotary_tables` moves: once per forward pass, not per layer."""
    positions = work.positions
    pairs = max(2, config.rotated) // 2
    kinds = len(config.kinds)
    half = 4 * kinds * positions * pairs
    return (
        launch(read=8 * positions, write=4 * positions)  # to float
        + launch(read=4 * positions + 4 * kinds * pairs, write=half)  # * frequencies
        + launch(read=half, write=half) * 2  # cos, sin
    )


def fused_rope_and_store_cost(config: DecoderConfig, work: Workload) -> Cost:
    """What `rope_and_store` moves, the cache's growth aside: every element once, and the tables."""
    head = work.size * work.rows * config.head_dim
    heads = (config.num_attention_heads, config.num_key_value_heads)
    q = head * heads[0]
    k = head * heads[1]
    table = 4 * work.positions * max(2, config.rotated)
    weights = 2 * work.size * config.head_dim * config.head_norms
    if work.kernels != "torch":
        stored = 2 * work.rows * heads[1] * work.kv_row_bytes(config.head_dim)
        return launch(read=q + 2 * k + table, weights=weights, write=q, kv_written=stored)
    normed = [
        torch_rms_norm_cost(work.rows * n, config.head_dim, work.size) for n in heads
    ] * config.head_norms
    rotated_q = _torch_rope_cost(config, work, heads[0], Cost(activations_written=q))
    if work.int8:
        rotated_k = _torch_rope_cost(config, work, heads[1], Cost(activations_written=k))
        return sum(normed, rotated_q + rotated_k + store_quantized_cost(config, work) * 2)
    rotated_k = _torch_rope_cost(config, work, heads[1], Cost(kv_written=k))
    return sum(normed, rotated_q + rotated_k + launch(read=k, kv_written=k))


def _torch_rope_cost(config: DecoderConfig, work: Workload, heads: int, written: Cost) -> Cost:
    """Two multiplications in float32, each followed by a multiply-add into its half of the result, then a copy."""
    rotated = max(2, config.rotated)
    elements = work.rows * heads * rotated // 2
    kept = config.head_dim - rotated
    half = work.size * elements
    wide = 4 * elements
    table = 2 * work.positions * rotated
    matmul = launch(read=half + table, write=wide)
    multiply_add = launch(read=wide + half + table)
    copied = launch(read=work.size * work.rows * heads * kept) if kept else Cost()
    return (matmul + multiply_add) * 2 + copied + written


def naive_norm_qkv_cost(config: DecoderConfig, work: Workload) -> Cost:
    """What `naive_norm_qkv` moves and computes."""
    m = config.hidden_size
    d = config.head_dim
    rows = work.rows
    size = work.size
    heads = [config.num_attention_heads, config.num_key_value_heads, config.num_key_value_heads]
    parts = [sum(heads)] if config.qkv_per_head else heads
    products = [
        matmul_cost(work, rows, m, n * d, config.qkv_bias, "qkv_proj", first=d * sum(parts[:i]))
        for i, n in enumerate(parts)
    ]
    return sum(products, norm_cost(config, rows, size))


def naive_project_cost(config: DecoderConfig, work: Workload) -> Cost:
    """What `naive_project` moves and computes."""
    m = config.hidden_size
    inner = config.num_attention_heads * config.head_dim
    normed = norm_cost(config, work.rows, work.size) if config.post_norms else Cost()
    out = add_cost(work.rows, m, work.size) * has_residual(config, "o_proj")
    return matmul_cost(work, work.rows, inner, m, config.o_bias, "o_proj") + normed + out


def fused_norm_qkv_cost(config: DecoderConfig, work: Workload) -> Cost:
    """What norm and merged projection move and computes."""
    outputs = (config.num_attention_heads + 2 * config.num_key_value_heads) * config.head_dim
    return fused_matmul_cost(
        config,
        work,
        "qkv_proj",
        work.rows,
        config.hidden_size,
        outputs,
        config.qkv_bias,
        normed=True,
    )


def fused_norm_qkv_rope_cost(config: DecoderConfig, work: Workload) -> Cost:
    """What `fused_norm_qkv_rope` moves and computes, the cache's growth aside."""
    products = fused_norm_qkv_cost(config, work)
    rotation = fused_rope_and_store_cost(config, work)
    if not qkv_is_one_launch(config, work):
        return products + rotation
    made = (
        work.size
        * work.rows
        * (config.num_attention_heads + 2 * config.num_key_value_heads)
        * config.head_dim
    )
    saved = Cost(launches=-1, activations_written=-made, activations_read=-made)
    return products + rotation + saved


def qkv_is_one_launch(config: DecoderConfig, work: Workload) -> bool:
    """Whether our kernels make queries, keys and values in one launch."""
    fuses = work.kernels == "triton" and work.rows <= MAX_GEMV_ROWS
    fuses = fuses and not config.head_norms and not work.int8
    parts = work.parts("qkv_proj")
    return fuses and len(parts) < 2 and not is_unpacked_for_few_rows(work, parts)


def fused_project_cost(config: DecoderConfig, work: Workload) -> Cost:
    """What `fused_project` moves and computes."""
    return matmul_and_add_cost(
        config, work, "o_proj", config.num_attention_heads * config.head_dim, config.o_bias
    )


def naive_mlp_cost(config: DecoderConfig, work: Workload) -> Cost:
    """What `naive_mlp` moves and computes."""
    m = config.hidden_size
    f = config.intermediate_size
    bias = config.mlp_bias
    rows = work.rows
    size = work.size
    activated = gate_cost(rows, f, size) if config.gated else activation_cost(rows, f, size)
    gate_and_up = [
        matmul_cost(work, rows, m, f, bias, "gate_up_proj", first=i * f)
        for i in range(1 + config.gated)
    ]
    return (
        norm_cost(config, rows, size)
        + sum(gate_and_up, Cost())
        + activated
        + matmul_cost(work, rows, f, m, config.down_bias, "down_proj")
        + (norm_cost(config, rows, size) if config.post_norms else Cost())
        + add_cost(rows, m, size) * has_residual(config, "down_proj")
    )


def fused_mlp_cost(config: DecoderConfig, work: Workload) -> Cost:
    """What `fused_mlp` moves and computes."""
    m = config.hidden_size
    f = config.intermediate_size
    bias = config.mlp_bias
    up = ("gate_up_proj", work.rows, m, (1 + config.gated) * f, bias)
    gate_up = fused_matmul_cost(config, work, *up, normed=True, activated=True, gated=config.gated)
    return gate_up + matmul_and_add_cost(config, work, "down_proj", f, config.down_bias)


def naive_norm_qkv_rope_cost(config: DecoderConfig, work: Workload) -> Cost:
    """What `naive_norm_qkv_rope` moves and computes before the cache takes over."""
    return naive_norm_qkv_cost(config, work) + naive_rope_cost(config, work)
