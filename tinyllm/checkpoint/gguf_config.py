"""From the metadata of a GGUF file to transformers' configuration: what llama.cpp's converter wrote, read back.

transformers reads GGUF files too, but without the scaling of RoPE, soft caps and head sizes that are in them.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinyllm.checkpoint.gguf_file import ROPE_FACTORS, GGUFFile
from tinyllm.checkpoint.gguf_metadata import Metadata

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

Fields = dict[str, Any]
ROPE_BASE = 10000.0  # llama.cpp's, where a file has none
GEMMA_SCORE_SIZE = 256  # scores are divided by its square root, in all sizes but the largest
GEMMA_LARGEST = {"gemma2": 46, "gemma3": 62}  # layers of the 27B models


def config_of_gguf(file: GGUFFile) -> PreTrainedConfig:
    """transformers' configuration of a GGUF file. Raises ValueError naming the file and the key that is wrong."""
    return as_transformers_config(file.path, fields_of_gguf(file))


def fields_of_gguf(file: GGUFFile) -> Fields:
    """The fields of transformers' configuration that the metadata name, or the architecture implies.

    They are all that a family reads. Raises ValueError naming the file and the key that is wrong.
    """
    architecture = ARCHITECTURES.get(file.architecture)
    if architecture is None:
        raise ValueError(
            f"{file.path}: architecture {file.architecture!r} is not supported: "
            f"expected one of {sorted(ARCHITECTURES)}"
        )
    metadata = Metadata(file)
    fields = architecture(metadata)
    metadata.finish()
    return fields


def as_transformers_config(path: Path, fields: Fields) -> PreTrainedConfig:
    """The configuration with these fields. Raises ValueError naming the file where they do not go together."""
    from transformers import AutoConfig

    try:
        return AutoConfig.for_model(**fields)
    except Exception as error:  # it raises what it likes where values do not go together
        raise ValueError(
            f"{path}: transformers has no {fields['model_type']} with its metadata ({error!r})"
        ) from error


# Architectures


def llama(m: Metadata) -> Fields:
    """Llama; a file with a window is a Mistral, which has nothing else of its own."""
    window = m.get("attention.sliding_window", 0)
    kind = {"model_type": "mistral", "sliding_window": window} if window else LLAMA
    return like_llama(m) | biases(m) | kind


def qwen2(m: Metadata) -> Fields:
    """Qwen2: its biases on q, k and v go without saying."""
    return like_llama(m) | windows(m) | {"model_type": "qwen2"}


def qwen3(m: Metadata) -> Fields:
    """Qwen3 without experts."""
    return like_llama(m) | windows(m) | biases(m) | {"model_type": "qwen3"}


def smollm3(m: Metadata) -> Fields:
    """SmolLM3: every fourth layer rotates nothing, for which there is no key."""
    rotated = [int((i + 1) % 4 != 0) for i in range(m.layers())]
    own = {"model_type": "smollm3", "no_rope_layers": rotated}
    return like_llama(m) | windows(m) | biases(m) | own


def phi3(m: Metadata) -> Fields:
    """Phi-3 and Phi-4, with 0 for no window."""
    for name in ("rope_factors_long.weight", "rope_factors_short.weight"):
        if m.has(name):
            raise ValueError(
                f"{m.file.path}: it has the tensor {name!r}: expected a phi3 without LongRoPE scaling"
            )
    fields = like_llama(m, rotates_all=False)
    parameters = fields["rope_parameters"]
    if parameters["rope_type"] == "linear":  # which transformers' Phi-3 does not have
        pairs = m.get("rope.dimension_count", fields["head_dim"]) // 2
        parameters |= longrope(m, [parameters["factor"]] * pairs)
    window = m.get("attention.sliding_window", 0) or None
    return fields | {"model_type": "phi3", "sliding_window": window}


def gemma2(m: Metadata) -> Fields:
    """Gemma 2: a window in every other layer, the first among them."""
    window = m.get("attention.sliding_window", 4096) or None
    own = {
        "model_type": "gemma2",
        "sliding_window": window,
        "layer_types": layer_types(m, window, default=2),
        "attn_logit_softcapping": m.get("attn_logit_softcapping", 50.0) or None,
        "final_logit_softcapping": m.get("final_logit_softcapping", 30.0) or None,
    }
    return like_llama(m) | score_size(m) | biases(m) | GEMMA | own


def gemma3(m: Metadata) -> Fields:
    """Gemma 3, text: a window in five layers of six, which rotate by a base of their own and are never scaled."""
    window = m.get("attention.sliding_window", 0) or None
    of_windows = {"rope_type": "default", "rope_theta": m.get("rope.freq_base_swa", ROPE_BASE)}
    common = like_llama(m)
    own = {
        "model_type": "gemma3_text",
        "sliding_window": window,
        "layer_types": layer_types(m, window, default=6),
        "rope_parameters": {
            "sliding_attention": of_windows,
            "full_attention": common["rope_parameters"],
        },
        "final_logit_softcapping": m.get("final_logit_softcapping", 0) or None,
    }
    return common | score_size(m) | biases(m) | GEMMA | own


def gptneox(m: Metadata) -> Fields:
    """GPT-NeoX and Pythia, whose heads share no keys and rotate a part."""
    m.expect(
        "attention.head_count_kv", m.require("attention.head_count"), "as many as there are heads"
    )
    own = {
        "model_type": "gpt_neox",
        "hidden_act": "gelu",
        "layer_norm_eps": m.require("attention.layer_norm_epsilon"),
        "use_parallel_residual": m.get("use_parallel_residual", True),
        "attention_bias": m.has("attn_qkv.bias"),
    }
    return sizes(m) | {"rope_parameters": rope(m, head_dim(m), rotates_all=False)} | own


def bloom(m: Metadata) -> Fields:
    """Bloom: ALiBi, so nothing rotates and no context is too long."""
    m.ignore("context_length", "rope.freq_base", "rope.dimension_count")
    heads, width = m.size("attention.head_count"), m.size("embedding_length")
    m.expect("attention.head_count_kv", heads, "as many as there are heads")
    m.expect("feed_forward_length", 4 * width, "four times embedding_length")
    m.expect("attention.max_alibi_bias", 8.0, "as Bloom has it")
    head_dim(m)
    return {
        "model_type": "bloom",
        "vocab_size": vocab_size(m),
        "hidden_size": width,
        "num_hidden_layers": m.layers(),
        "num_attention_heads": heads,
        "tie_word_embeddings": True,
        "layer_norm_epsilon": m.require("attention.layer_norm_epsilon"),
        **m.token_ids(),
    }


LLAMA = {"model_type": "llama"}
GEMMA = {
    "hidden_act": "gelu_pytorch_tanh",
    "hidden_activation": "gelu_pytorch_tanh",  # the name that transformers reads
    "use_bidirectional_attention": False,
}
# llama.cpp's name of an architecture -> the fields of transformers' configuration.
ARCHITECTURES: Mapping[str, Callable[[Metadata], Fields]] = {
    "llama": llama,
    "qwen2": qwen2,
    "qwen3": qwen3,
    "smollm3": smollm3,
    "phi3": phi3,
    "gemma2": gemma2,
    "gemma3": gemma3,
    "gptneox": gptneox,
    "bloom": bloom,
}

# What several have in common


def sizes(m: Metadata) -> Fields:
    """Sizes, special tokens, and whether the head is the embedding."""
    return {
        "vocab_size": vocab_size(m),
        "hidden_size": m.size("embedding_length"),
        "intermediate_size": m.size("feed_forward_length"),
        "num_hidden_layers": m.layers(),
        "num_attention_heads": m.size("attention.head_count"),
        "max_position_embeddings": m.require("context_length"),
        "tie_word_embeddings": not m.has("output.weight"),
        **m.token_ids(),
    }


def like_llama(m: Metadata, *, rotates_all: bool = True) -> Fields:
    """What Llama and those after it say; `rotates_all`: of each head, every element is rotated."""
    heads = m.size("attention.head_count")
    size = head_dim(m)
    own = {
        "num_key_value_heads": m.size("attention.head_count_kv", heads),
        "head_dim": size,
        "rms_norm_eps": m.require("attention.layer_norm_rms_epsilon"),
        "hidden_act": "silu",
        "rope_parameters": rope(m, size, rotates_all=rotates_all),
    }
    return sizes(m) | own


def vocab_size(m: Metadata) -> int:
    """The rows of the embedding, which the key repeats."""
    table = m.file.tensors.get("token_embd.weight")
    if table is None:
        raise ValueError(
            f"{m.file.path} has no tensor 'token_embd.weight'; copy or convert it again"
        )
    m.expect("vocab_size", table.shape[0], "the rows of token_embd.weight")
    return table.shape[0]


def head_dim(m: Metadata) -> int:
    """Elements of a head, alike for keys and values."""
    heads, width = m.size("attention.head_count"), m.size("embedding_length")
    size = m.size("attention.key_length", max(1, width // heads))
    if m.get("attention.key_length") is None and width % heads:
        raise m.error("attention.head_count", f"a divisor of the embedding length {width}")
    m.expect("attention.value_length", size, "as long as the keys")
    return size


def biases(m: Metadata) -> Fields:
    """Biases are there where their tensors are."""
    return {"attention_bias": m.has("attn_q.bias"), "mlp_bias": m.has("ffn_up.bias")}


def windows(m: Metadata) -> Fields:
    """A window in all layers, or in those of a pattern; by default in none."""
    window = m.get("attention.sliding_window", 0)
    if not window:
        return {}
    kinds = layer_types(m, window, default=0)
    return {"use_sliding_window": True, "sliding_window": window, "layer_types": kinds}


def layer_types(m: Metadata, window: int | None, *, default: int) -> list[str]:
    """Which layers have the window: all but the last of every period, all where the period is 0."""
    layers = m.layers()
    pattern = m.get("attention.sliding_window_pattern", default)
    if type(pattern) is int:
        pattern = [pattern == 0 or (i + 1) % pattern != 0 for i in range(layers)]
    if len(pattern) != layers:
        raise m.error("attention.sliding_window_pattern", f"a value for each of {layers} layers")
    return ["sliding_attention" if s and window else "full_attention" for s in pattern]


def score_size(m: Metadata) -> Fields:
    """Scores of Gemma are divided by the square root of `query_pre_attn_scalar`, which the converter does not write.

    Nor does it need to for the models that there are: 256, but the width of a head in the largest of them.
    """
    scale = m.get("attention.scale", 0)
    if scale:
        size = round(scale**-2)
        if not math.isclose(size**-0.5, scale, rel_tol=1e-6):
            raise m.error("attention.scale", "one over the square root of an integer")
        return {"query_pre_attn_scalar": size}
    if m.layers() == GEMMA_LARGEST[m.architecture]:
        width = m.size("embedding_length")
        return {"query_pre_attn_scalar": width // m.size("attention.head_count")}
    if head_dim(m) != GEMMA_SCORE_SIZE:
        warnings.warn(
            f"{m.file.path}: it does not say by what its scores are divided: taken as the square "
            f"root of query_pre_attn_scalar={GEMMA_SCORE_SIZE}, as in transformers",
            UserWarning,
            stacklevel=2,
        )
    return {"query_pre_attn_scalar": GEMMA_SCORE_SIZE}


def rope(m: Metadata, size: int, *, rotates_all: bool) -> Fields:
    """transformers' parameters of RoPE for heads of `size` elements, with the scaling of the file.

    A factor without a type scales linearly, as in llama.cpp; `rope.scale_linear` is its older name.
    """
    kind = m.get("rope.scaling.type", "linear")
    if kind not in ("none", "linear"):
        raise m.error("rope.scaling.type", "'none' or 'linear'")
    older = m.get("rope.scale_linear", 0)
    factor = m.get("rope.scaling.factor", older) if kind == "linear" else 0
    m.ignore("rope.scaling.factor")
    parameters = scaling(m, size, factor or 1.0)
    parameters["rope_theta"] = m.get("rope.freq_base", ROPE_BASE)
    rotated = m.get("rope.dimension_count", size)
    if rotates_all and rotated != size:
        raise m.error("rope.dimension_count", f"{size}, as heads are rotated whole")
    if rotated > size:
        raise m.error("rope.dimension_count", f"at most {size}, the elements of a head")
    if not rotates_all:
        parameters["partial_rotary_factor"] = share(rotated, size)
    return parameters


def scaling(m: Metadata, size: int, factor: float) -> Fields:
    """How RoPE is scaled: every frequency divided by `factor`, and each by its own of the file's factors.

    Those are what a GGUF file has of Llama 3.1's scaling.
    """
    if ROPE_FACTORS not in m.file.tensors:
        if factor == 1:
            return {"rope_type": "default"}
        return {"rope_type": "linear", "factor": factor}
    own = m.file.read_stored(ROPE_FACTORS).flatten()
    pairs = m.get("rope.dimension_count", size) // 2
    if len(own) != pairs or not bool((own > 0).all() and own.isfinite().all()):
        raise ValueError(
            f"{m.file.path}: tensor {ROPE_FACTORS!r} has {len(own)} values: expected {pairs} above 0"
        )
    return longrope(m, [factor * value for value in own.tolist()])


def longrope(m: Metadata, factors: list[float]) -> Fields:
    """Every frequency divided by its own factor: transformers' LongRoPE, alike for short and for long prompts."""
    return {
        "rope_type": "longrope",
        "short_factor": factors,
        "long_factor": factors,
        "factor": 1.0,
        "attention_factor": 1.0,
        "original_max_position_embeddings": m.require("context_length"),
    }


def share(part: int, total: int) -> float:
    """The fraction that, times `total` and cut to an integer, is `part`."""
    fraction = part / total
    return fraction if int(total * fraction) == part else math.nextafter(fraction, 2.0)
