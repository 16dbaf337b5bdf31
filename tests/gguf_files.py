"""GGUF files as llama.cpp's converter writes them, from tiny transformers models."""

import gguf
import numpy as np
import torch

from packed_models import encoded

F32 = gguf.GGMLQuantizationType.F32
# Model type of a configuration -> llama.cpp's name.
ARCHITECTURES = {
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
    "lfm2": "lfm2",
}


def write(path, hf, *, kind=F32, without=(), extra=(), parts=0, **metadata):
    """Store a model, matrices as `kind`, which `hf` takes over; returns the path of the file, the first of `parts`.

    `kind` may be a function of a tensor's name. `metadata` are further values under the architecture's name (or, of
    the tokenizer, under their own), or others of those that are there; `without` names keys that are left out;
    `extra` are further tensors.
    """
    architecture = ARCHITECTURES[hf.config.model_type]
    names = list(dict(hf.named_parameters()))
    size = {"split_max_tensors": -(-(len(names) + len(extra)) // parts)} if parts else {}
    writer = gguf.GGUFWriter(path, architecture, **size)
    for key, value in (keys_of(hf.config) | metadata).items():
        if key not in without:
            add(writer, key if key.startswith("tokenizer.") else f"{architecture}.{key}", value)
    table = gguf.get_tensor_name_map(arch_of(architecture), hf.config.num_hidden_layers)
    for name, parameter in hf.named_parameters():
        values = parameter.numpy()
        encoding = kind(name) if callable(kind) else kind
        encoding = encoding if values.ndim == 2 else F32
        blocks = encoded(values, encoding)
        stored = np.ascontiguousarray(stored_values(hf.config, name, blocks))
        name = name.removeprefix("transformer.")
        there = table.get_name(name, try_suffixes=(".weight", ".bias"))
        writer.add_tensor(there, stored, raw_dtype=encoding)
        decoded = gguf.quants.dequantize(blocks, encoding)
        parameter.data = torch.from_numpy(np.array(decoded)).reshape(parameter.shape)
    for name, values in extra:
        writer.add_tensor(name, values)
    finish(writer)
    return sorted(path.parent.glob(f"{path.stem}*.gguf"))[0]


def vocabulary(size):
    """Metadata of a vocabulary of a few letters, and one merge."""
    tokens = [*"abcdefgh", "ab", *(f"<{i}>" for i in range(9, size))]
    return {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.merges": ["a b"],
        "tokenizer.ggml.token_type": [1] * size,
        "tokenizer.ggml.eos_token_id": size - 1,
    }


def finish(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def arch_of(name):
    return next(arch for arch, value in gguf.MODEL_ARCH_NAMES.items() if value == name)


def add(writer, key, value):
    """A value of metadata in the type that llama.cpp gives it."""
    match value:
        case bool():
            writer.add_bool(key, value)
        case int():
            writer.add_uint32(key, value)
        case float():
            writer.add_float32(key, value)
        case str():
            writer.add_string(key, value)
        case _:
            writer.add_array(key, value)


def keys_of(config):
    """The keys that the converter writes for a configuration."""
    heads, kind = config.num_attention_heads, config.model_type
    keys = {
        "block_count": config.num_hidden_layers,
        "embedding_length": config.hidden_size,
        "attention.head_count": heads,
    }
    if kind == "lfm2":
        attends = [one == "full_attention" for one in config.layer_types]
        return keys | {
            "context_length": config.max_position_embeddings,
            "feed_forward_length": config.intermediate_size,
            "attention.head_count_kv": [config.num_key_value_heads * one for one in attends],
            "attention.layer_norm_rms_epsilon": config.norm_eps,
            "shortconv.l_cache": config.conv_L_cache,
            "rope.freq_base": float(config.rope_parameters["rope_theta"]),
        }
    if kind == "bloom":
        return keys | {
            "context_length": config.hidden_size,
            "feed_forward_length": 4 * config.hidden_size,
            "attention.head_count_kv": heads,
            "attention.layer_norm_epsilon": config.layer_norm_epsilon,
        }
    keys["context_length"] = config.max_position_embeddings
    keys["feed_forward_length"] = config.intermediate_size
    if kind == "gpt_neox":
        share = config.rope_parameters["partial_rotary_factor"]
        return keys | {
            "rope.dimension_count": int(share * (config.hidden_size // heads)),
            "attention.layer_norm_epsilon": config.layer_norm_eps,
            "use_parallel_residual": config.use_parallel_residual,
        }
    return keys | keys_like_llama(config) | windows_of(config)


def keys_like_llama(config):
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    rope = config.rope_parameters
    rope = rope.get("full_attention", rope)
    keys = {
        "attention.head_count_kv": config.num_key_value_heads,
        "attention.layer_norm_rms_epsilon": config.rms_norm_eps,
        "attention.key_length": size,
        "attention.value_length": size,
        "rope.freq_base": float(rope["rope_theta"]),
    }
    if config.model_type in ("llama", "mistral", "smollm3", "phi3"):
        keys["vocab_size"] = config.vocab_size
        keys["rope.dimension_count"] = int(size * rope.get("partial_rotary_factor", 1.0))
    if config.model_type == "phi3":
        keys["rope.scaling.original_context_length"] = config.original_max_position_embeddings
    if rope["rope_type"] == "linear":
        keys |= {"rope.scaling.type": "linear", "rope.scaling.factor": float(rope["factor"])}
    for name in ("attn_logit_softcapping", "final_logit_softcapping"):
        if getattr(config, name, None):
            keys[name] = float(getattr(config, name))
    return keys


def windows_of(config):
    """Sliding windows; of Gemma 3 also the base of their rotation, and the pattern where it is not its own."""
    if config.model_type == "phi3":
        return {"attention.sliding_window": config.sliding_window or 0}
    if not getattr(config, "sliding_window", None):
        return {}
    keys = {"attention.sliding_window": config.sliding_window}
    kinds = getattr(config, "layer_types", None)
    if config.model_type == "gemma3_text":
        base = config.rope_parameters["sliding_attention"]["rope_theta"]
        keys["rope.freq_base_swa"] = float(base)
    if kinds:
        keys["attention.sliding_window_pattern"] = [kind == "sliding_attention" for kind in kinds]
    return keys


def stored_values(config, name, values):
    """What the converter makes of a tensor."""
    architecture, part = ARCHITECTURES[config.model_type], name.split(".")[-2]
    if architecture in ("llama", "smollm3") and part in ("q_proj", "k_proj"):
        queries = part == "q_proj"
        return interleaved(
            values, config.num_attention_heads if queries else config.num_key_value_heads
        )
    if architecture in ("gemma2", "gemma3") and part.endswith("norm"):
        return values + 1
    if name.endswith("conv.conv.weight"):
        return values[:, 0]
    if part == "query_key_value":
        per_head = values.reshape(config.num_attention_heads, 3, -1, *values.shape[1:])
        return np.concatenate(list(per_head.swapaxes(0, 1))).reshape(values.shape)
    return values


def interleaved(rows, heads):
    """Rows of a projection in the order llama.cpp keeps them: the two halves of each head in turns."""
    return rows.reshape(heads, 2, -1, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)
