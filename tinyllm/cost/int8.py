"""What rounding keys and values to int8 moves in torch's operations, and reading them again."""

from __future__ import annotations

from tinyllm.config import DecoderConfig
from tinyllm.cost.masks import visible_keys
from tinyllm.cost.workload import Cost, Workload, launch


def store_quantized_cost(config: DecoderConfig, work: Workload) -> Cost:
    """What torch's `store_quantized` moves for new keys, or for new values."""
    rows = work.rows * config.num_key_value_heads
    codes = rows * config.head_dim
    wide = 4 * codes
    scale = 4 * rows
    return (
        (Cost() if work.size == 4 else launch(read=work.size * codes, write=wide))
        + launch(read=wide, write=wide)  # abs
        + launch(read=wide, write=scale)  # max
        + launch(read=scale, write=scale) * 2  # / 127, clamp
        + launch(read=wide + scale, write=wide)  # /
        + launch(read=wide, write=wide)  # round
        + launch(read=wide, write=codes)
        + launch(read=codes, kv_written=codes)
        + launch(read=scale, kv_written=scale)
    )


def dequantize_cost(config: DecoderConfig, work: Workload) -> Cost:
    """What it costs to copy all visible keys and values from int8, those of each segment on their own."""
    segments = [work.total]
    if work.decodes:
        visible = visible_keys(config, work)
        segments = [visible.prompt, visible.steps * work.copies]
    heads = work.batch * config.num_key_value_heads
    cost = Cost()
    for keys in filter(None, segments):
        elements = heads * keys * config.head_dim
        stored = heads * keys * work.kv_row_bytes(config.head_dim)
        cost += launch(kv_read=stored, write=4 * elements) * 2
        if work.size != 4:
            cost += launch(read=4 * elements, write=work.size * elements) * 2
    return cost
