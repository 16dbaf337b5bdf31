"""Every key of GGUF metadata under the name of an architecture: what is read, what may be ignored, what is refused."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

LARGEST_COUNT = 2**31 - 1


class Kind(NamedTuple):
    """What a value must be, and the test of it."""

    expected: str
    accepts: Callable[[Any], bool]


def is_number(value: Any) -> bool:
    """A finite number; True and False are none."""
    return type(value) in (int, float) and math.isfinite(value)


COUNT = Kind("an integer above 0", lambda v: type(v) is int and 0 < v <= LARGEST_COUNT)
COUNT_OR_NONE = Kind("an integer, 0 for none", lambda v: type(v) is int and 0 <= v <= LARGEST_COUNT)
POSITIVE = Kind("a number above 0", lambda v: is_number(v) and v > 0)
POSITIVE_OR_NONE = Kind("a number, 0 for none", lambda v: is_number(v) and v >= 0)
FLAG = Kind("true or false", lambda v: type(v) is bool)
TEXT = Kind("a string", lambda v: type(v) is str)
PERIOD = Kind(
    "a period, or true or false for each layer",
    lambda v: COUNT_OR_NONE.accepts(v) or (type(v) is list and all(type(x) is bool for x in v)),
)

# Read for at least one architecture: key -> what its value must be.
USED: Mapping[str, Kind] = {
    "vocab_size": COUNT,
    "context_length": COUNT,
    "embedding_length": COUNT,
    "block_count": COUNT,
    "feed_forward_length": COUNT,
    "attention.head_count": COUNT,
    "attention.head_count_kv": COUNT,
    "attention.key_length": COUNT,
    "attention.value_length": COUNT,
    "attention.layer_norm_epsilon": POSITIVE_OR_NONE,
    "attention.layer_norm_rms_epsilon": POSITIVE_OR_NONE,
    "attention.max_alibi_bias": POSITIVE_OR_NONE,
    "attention.scale": POSITIVE_OR_NONE,
    "attention.sliding_window": COUNT_OR_NONE,
    "attention.sliding_window_pattern": PERIOD,
    "attn_logit_softcapping": POSITIVE_OR_NONE,
    "final_logit_softcapping": POSITIVE_OR_NONE,
    "rope.dimension_count": COUNT,
    "rope.freq_base": POSITIVE,
    "rope.freq_base_swa": POSITIVE,
    "rope.scale_linear": POSITIVE_OR_NONE,
    "rope.scaling.factor": POSITIVE_OR_NONE,
    "rope.scaling.type": TEXT,
    "use_parallel_residual": FLAG,
}

# Of no weight for a decoder that runs as these do: how it was trained, how it was stored, what else it could serve for.
HARMLESS = {
    "pooling_type",
    "rope.scaling.finetuned",
    "rope.scaling.original_context_length",
    "tensor_data_layout",
}

# Part of the mathematics of other models: key -> the values at which it changes nothing. Any other one is refused.
NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    "activation_sparsity_scale": (0,),
    "attention.causal": (True,),
    "attention.clamp_kqv": (0,),
    "attention.gate_lora_rank": (0,),
    "attention.kv_lora_rank": (0,),
    "attention.max_alibi_bias": (0,),
    "attention.output_scale": (0, 1),
    "attention.q_lora_rank": (0,),
    "attention.scale": (0,),
    "attention.shared_kv_layers": (0,),
    "attention.sliding_window": (0,),
    "attention.sliding_window_pattern": (0,),
    "attention.temperature_length": (0,),
    "attention.temperature_scale": (0,),
    "attn_logit_softcapping": (0,),
    "embedding_length_per_layer_input": (0,),
    "embedding_scale": (0, 1),
    "expert_chunk_feed_forward_length": (0,),
    "expert_count": (0,),
    "expert_feed_forward_length": (0,),
    "expert_gating_func": (0,),
    "expert_group_count": (0,),
    "expert_group_scale": (0, 1),
    "expert_group_used_count": (0,),
    "expert_shared_count": (0,),
    "expert_shared_feed_forward_length": (0,),
    "expert_used_count": (0,),
    "expert_weights_norm": (False,),
    "expert_weights_scale": (0, 1),
    "experts_per_group": (0,),
    "final_logit_softcapping": (0,),
    "full_attention_interval": (0,),
    "interleave_moe_layer_step": (0,),
    "leading_dense_block_count": (0,),
    "logit_scale": (0, 1),
    "moe_every_n_layers": (0,),
    "moe_latent_size": (0,),
    "n_deepstack_layers": (0,),
    "nextn_predict_layers": (0,),
    "rescale_every_n_layers": (0,),
    "residual_scale": (0, 1),
    "rope.scale_linear": (0, 1),
    "rope.scaling.alpha": (0, 1),
    "rope.scaling.attn_factor": (1,),
    "rope.scaling.factor": (0, 1),
    "rope.scaling.type": ("none", "linear"),
    "router_logit_softcapping": (0,),
    "swin_norm": (False,),
    "use_parallel_residual": (False,),
}
# The same for groups of keys, by how they begin: whatever their value, the model is another one.
REFUSED = (
    "altup.",
    "attention.decay_lora_rank",
    "attention.group_norm_",
    "attention.iclr_lora_rank",
    "attention.indexer.",
    "attention.key_length_",
    "attention.relative_buckets_count",
    "attention.value_length_",
    "attention.value_residual_mix_lora_rank",
    "classifier.",
    "convnext.",
    "decoder_",
    "dense_",
    "embedding_length_out",
    "features_length",
    "kda.",
    "posnet.",
    "rope.dimension_count_",
    "rope.dimension_sections",
    "rope.scaling.yarn_",
    "shortconv.",
    "ssm.",
    "swiglu_clamp_",
    "time_",
    "token_shift_count",
    "wkv.",
)
