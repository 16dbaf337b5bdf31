"""From transformers' configuration to the metadata of a GGUF file: the inverse of `gguf_config`.

Keys are those that llama.cpp's converter writes. `attention.scale` is written beside them where Gemma divides its
scores by another number than readers take for granted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from math import isclose
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor

from tinyllm.checkpoint.gguf_config import GEMMA_LARGEST, GEMMA_SCORE_SIZE
from tinyllm.config import DecoderConfig, FrequencyScaling, Llama3Scaling
from tinyllm.families.reading import head_dim
from tinyllm.ops.rope import RotaryEmbedding, rope_frequencies

if TYPE_CHECKING:
    from gguf import GGUFWriter
    from transformers import PreTrainedConfig

# Model type of a configuration -> llama.cpp's name of the architecture.
ARCHITECTURE_NAMES = {
    "llama": "llama",
    "mistral": "llama",
    "qwen2": "qwen2",
    "qwen3": "qwen3",
    "smollm3": "smollm3",
    "phi3": "phi3",
    "gemma2": "gemma2",
    "gemma3_text": "gemma3",
    "gpt_neox": "gptneox",
    "bloom": "bloom",
}
WITH_ROPE_FACTORS = ("llama", "smollm3")  # whose files may have a factor for each frequency
# Fields of a decoder that are names, that tensors decide, or whose members are compared one by one.
COMPARED_OTHERWISE = ("family", "tie_word_embeddings", "kinds")
TOLERANCE = 1e-6  # relative, of numbers that a file holds in float32


def architecture_of(config: PreTrainedConfig) -> str:
    """llama.cpp's name of a model type. Raises ValueError for one that cannot be written."""
    if config.model_type not in ARCHITECTURE_NAMES:
        raise ValueError(
            f"model type {config.model_type!r} cannot be written as GGUF: expected one of {sorted(ARCHITECTURE_NAMES)}"
        )
    return ARCHITECTURE_NAMES[config.model_type]


def add_config(writer: GGUFWriter, config: PreTrainedConfig) -> None:
    """Add the keys of a configuration, whose type is one of `ARCHITECTURE_NAMES`."""
    writer.add_block_count(config.num_hidden_layers)
    writer.add_embedding_length(config.hidden_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_vocab_size(config.vocab_size)
    ADD[config.model_type](writer, config)


# Architectures


def add_llama(writer: GGUFWriter, config: PreTrainedConfig) -> None:
    """Llama."""
    add_like_llama(writer, config)
    writer.add_rope_dimension_count(head_dim(config))


def add_mistral(writer: GGUFWriter, config: PreTrainedConfig) -> None:
    """Mistral: a Llama that may have a window in all layers."""
    add_llama(writer, config)
    if config.sliding_window is not None:
        writer.add_sliding_window(config.sliding_window)


def add_qwen(writer: GGUFWriter, config: PreTrainedConfig) -> None:
    """Qwen2 and Qwen3."""
    add_like_llama(writer, config)
    add_windows(writer, config, default=0)


def add_smollm3(writer: GGUFWriter, config: PreTrainedConfig) -> None:
    """SmolLM3; for its layers without RoPE there is no key."""
    add_llama(writer, config)
    add_windows(writer, config, default=0)


def add_phi3(writer: GGUFWriter, config: PreTrainedConfig) -> None:
    """Phi-3 and Phi-4, with 0 for no window."""
    add_like_llama(writer, config)
    share = config.rope_parameters.get("partial_rotary_factor", 1.0)
    writer.add_rope_dimension_count(int(share * head_dim(config)))
    writer.add_rope_scaling_orig_ctx_len(config.original_max_position_embeddings)
    writer.add_sliding_window(config.sliding_window or 0)


def add_gemma2(writer: GGUFWriter, config: PreTrainedConfig) -> None:
    """Gemma 2, with 0 for no soft cap."""
    add_like_llama(writer, config)
    add_windows(writer, config, default=2)
    add_score_size(writer, config)
    writer.add_attn_logit_softcapping(config.attn_logit_softcapping or 0.0)
    writer.add_final_logit_softcapping(config.final_logit_softcapping or 0.0)


def add_gemma3(writer: GGUFWriter, config: PreTrainedConfig) -> None:
    """Gemma 3, text: the layers with a window have a RoPE base of their own."""
    add_like_llama(writer, config)
    add_windows(writer, config, default=6)
    add_score_size(writer, config)
    writer.add_rope_freq_base_swa(config.rope_parameters["sliding_attention"]["rope_theta"])
    if config.final_logit_softcapping:
        writer.add_final_logit_softcapping(config.final_logit_softcapping)


def add_gpt_neox(writer: GGUFWriter, config: PreTrainedConfig) -> None:
    """GPT-NeoX and Pythia, which rotate a part of each head."""
    parameters = config.rope_parameters
    add_lengths(writer, config)
    writer.add_rope_dimension_count(int(parameters["partial_rotary_factor"] * head_dim(config)))
    writer.add_layer_norm_eps(config.layer_norm_eps)
    writer.add_parallel_residual(config.use_parallel_residual)
    add_rope(writer, parameters)


def add_bloom(writer: GGUFWriter, config: PreTrainedConfig) -> None:
    """Bloom, whose context has no end: the key has the model size."""
    writer.add_context_length(config.hidden_size)
    writer.add_feed_forward_length(4 * config.hidden_size)
    writer.add_head_count_kv(config.num_attention_heads)
    writer.add_layer_norm_eps(config.layer_norm_epsilon)


ADD: Mapping[str, Callable[[GGUFWriter, PreTrainedConfig], None]] = {
    "llama": add_llama,
    "mistral": add_mistral,
    "qwen2": add_qwen,
    "qwen3": add_qwen,
    "smollm3": add_smollm3,
    "phi3": add_phi3,
    "gemma2": add_gemma2,
    "gemma3_text": add_gemma3,
    "gpt_neox": add_gpt_neox,
    "bloom": add_bloom,
}

# What several have in common


def add_lengths(writer: GGUFWriter, config: PreTrainedConfig) -> None:
    """Tokens of the context, and the feed-forward size."""
    writer.add_context_length(config.max_position_embeddings)
    writer.add_feed_forward_length(config.intermediate_size)


def add_like_llama(writer: GGUFWriter, config: PreTrainedConfig) -> None:
    """The keys of Llama and of those after it."""
    add_lengths(writer, config)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(head_dim(config))
    writer.add_value_length(head_dim(config))
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    add_rope(writer, full_attention_rope(config))


def add_rope(writer: GGUFWriter, parameters: Mapping[str, Any]) -> None:
    """The base of RoPE, and a factor by which all positions are divided."""
    import gguf

    writer.add_rope_freq_base(parameters["rope_theta"])
    if parameters.get("rope_type") == "linear":
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(parameters["factor"])


def add_windows(writer: GGUFWriter, config: PreTrainedConfig, *, default: int) -> None:
    """A sliding window, and the layers that have it where they are not all but the last of `default` layers."""
    windows = [kind == "sliding_attention" for kind in config.layer_types]
    if not any(windows):
        return
    writer.add_sliding_window(config.sliding_window)
    usual = [default == 0 or (i + 1) % default != 0 for i in range(len(windows))]
    if windows != usual:
        writer.add_sliding_window_pattern(windows)


def add_score_size(writer: GGUFWriter, config: PreTrainedConfig) -> None:
    """The factor of Gemma's scores, unless it is the one that readers take for granted."""
    size = GEMMA_SCORE_SIZE
    if config.num_hidden_layers == GEMMA_LARGEST[ARCHITECTURE_NAMES[config.model_type]]:
        size = config.hidden_size // config.num_attention_heads
    elif head_dim(config) != size:
        size = None
    if config.query_pre_attn_scalar != size:
        writer.add_attention_scale(config.query_pre_attn_scalar**-0.5)


def full_attention_rope(config: PreTrainedConfig) -> Mapping[str, Any]:
    """transformers' parameters of RoPE in the layers without a window."""
    return config.rope_parameters.get("full_attention", config.rope_parameters)


def rope_factors(architecture: str, decoder: DecoderConfig) -> Float[Tensor, " pairs"] | None:
    """The divisor of each frequency, as Llama 3.1 has it; None where all have the same or the file has no place."""
    rope = decoder.rope
    scaled = rope is not None and isinstance(rope.scaling, Llama3Scaling | FrequencyScaling)
    if architecture not in WITH_ROPE_FACTORS or not scaled:
        return None
    return rope_frequencies(replace(rope, scaling=None)) / rope_frequencies(rope)


# What a file has no keys for


def differences(one: DecoderConfig, other: DecoderConfig) -> list[str]:
    """The fields in which two decoders differ by more than rounding, with their values."""
    names = [field.name for field in fields(one) if field.name not in COMPARED_OTHERWISE]
    found = [name for name in names if not alike(getattr(one, name), getattr(other, name))]
    shown = [f"{name} {getattr(one, name)!r} as {getattr(other, name)!r}" for name in found]
    if windows_of(one) != windows_of(other):
        return [*shown, f"windows of layers {windows_of(one)} as {windows_of(other)}"]
    ropes = [RotaryEmbedding(config).frequencies for config in (one, other)]
    if ropes[0].shape != ropes[1].shape or not torch.allclose(*ropes, rtol=TOLERANCE, atol=0):
        return [*shown, f"RoPE {one.rope} as {other.rope}"]
    return shown


def alike(one: Any, other: Any) -> bool:
    """Whether two values of a field are equal, numbers up to rounding."""
    if isinstance(one, float) and isinstance(other, float):
        return isclose(one, other, rel_tol=TOLERANCE)
    return one == other


def windows_of(config: DecoderConfig) -> list[tuple[int | None, bool, bool]]:
    """Of each kind of layer its window, whether the cache has it, and whether q and k are rotated."""
    return [(kind.window, kind.windowed_cache, kind.rope is not None) for kind in config.kinds]
