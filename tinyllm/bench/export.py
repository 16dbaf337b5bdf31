"""The weights of a decoder, written for other engines: a folder as transformers saves it, and a GGUF file in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from tinyllm.checkpoint import Checkpoint
from tinyllm.checkpoint.loading import source_tensors
from tinyllm.decoder import Decoder
from tinyllm.linear import QKVLinear
from tinyllm.runtime.progress import progress

SHARD_BYTES = 4 << 30  # of one file: held in memory beside the model while it is written
GGUF_NAMES = {
    "embed_tokens": "token_embd",
    "norm": "output_norm",
    "lm_head": "output",
    "attention_norm": "attn_norm",
    "o_proj": "attn_output",
    "mlp_norm": "ffn_norm",
    "down_proj": "ffn_down",
}
GGUF_PARTS = {"qkv_proj": ("attn_q", "attn_k", "attn_v"), "gate_up_proj": ("ffn_gate", "ffn_up")}


def save_folder(decoder: Decoder, checkpoint: Checkpoint, folder: Path) -> None:
    """Write configuration, tokenizer and weights, in the decoder's own format, for any version of transformers."""
    index, shards = {}, list(_shards(decoder, checkpoint))
    for i, names in enumerate(
        progress(shards, desc="writing weights for other processes", unit="file")
    ):
        file = f"model-{i + 1:05}-of-{len(shards):05}.safetensors"
        _save_shard(
            {name: tensor.cpu().contiguous() for name, tensor in names.items()}, folder / file
        )
        index |= dict.fromkeys(names, file)
    (folder / "model.safetensors.index.json").write_text(
        json.dumps({"metadata": {}, "weight_map": index})
    )
    checkpoint.generation_config.save_pretrained(folder)
    if checkpoint.tokenizer is not None:
        checkpoint.tokenizer.save_pretrained(folder)
    (folder / "config.json").write_text(json.dumps(_config(decoder, checkpoint), indent=1))


def _save_shard(tensors: dict[str, Tensor], path: Path) -> None:
    from safetensors.torch import save_file

    save_file(tensors, path, metadata={"format": "pt"})


def _shards(decoder: Decoder, checkpoint: Checkpoint) -> Iterator[dict[str, Tensor]]:
    """The tensors of a checkpoint, as views of our parameters; one group per file."""
    group, size = {}, 0
    for name, parameter in decoder.named_parameters():
        if group and size + parameter.nbytes > SHARD_BYTES:
            yield group
            group, size = {}, 0
        group |= source_tensors(checkpoint, decoder, name, parameter.data)
        size += parameter.nbytes
    yield group


def _config(decoder: Decoder, checkpoint: Checkpoint) -> dict:
    """The configuration as transformers 5 writes it, with transformers 4's names beside it."""
    config = checkpoint.config.to_dict()
    rope = config.get("rope_parameters") or {}
    scaled = rope.get("rope_type", "default") != "default"
    dtype = str(decoder.dtype).removeprefix("torch.")
    older = {
        "torch_dtype": dtype,
        "rope_theta": rope.get("rope_theta", 10000.0),
        "rope_scaling": {key: value for key, value in rope.items() if key != "rope_theta"}
        if scaled
        else None,
    }
    own = {"dtype": dtype, "tie_word_embeddings": decoder.config.tie_word_embeddings}
    kind = checkpoint.family.architectures[checkpoint.config.model_type]
    return config | own | older | {"architectures": [kind]}


def save_gguf(decoder: Decoder, checkpoint: Checkpoint, path: Path) -> None:
    """Write a GGUF file without a vocabulary, for llama.cpp, in the decoder's own format; norms are float32 there.

    Raises ValueError for models that this conversion does not support: a scaled rotary embedding, another family than
    Llama.
    """
    import gguf

    config = decoder.config
    if config.family != "llama" or config.rope.scaling is not None:
        raise ValueError(
            f"{checkpoint.name} as GGUF: expected a Llama without scaling of its rotary embedding"
        )
    writer = gguf.GGUFWriter(path, "llama")
    _describe_gguf(writer, config)
    for name, parameter in progress(
        list(decoder.named_parameters()), desc="writing GGUF", unit="tensor"
    ):
        for target, rows in _gguf_tensors(decoder, name, parameter.data):
            raw, kind = _as_gguf(rows, gguf.GGMLQuantizationType)
            writer.add_tensor(target, raw, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _describe_gguf(writer, config) -> None:
    writer.add_vocab_size(config.vocab_size)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(config.head_dim)
    writer.add_value_length(config.head_dim)
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_rope_freq_base(config.rope.theta)
    writer.add_layer_norm_rms_eps(config.norm_eps)
    writer.add_tokenizer_model("no_vocab")


def _gguf_tensors(decoder: Decoder, parameter: str, merged: Tensor) -> Iterator[tuple[str, Tensor]]:
    """One of our parameters under llama.cpp's names; the halves of each head of q and k interleaved."""
    module, kind = parameter.rsplit(".", 1)
    last, config = module.rsplit(".", 1)[-1], decoder.config
    prefix = f"blk.{module.split('.')[1]}." if module.startswith("layers.") else ""
    names = GGUF_PARTS.get(last) or (GGUF_NAMES[last],)
    owner = decoder.get_submodule(module)
    sizes = [len(merged) // len(names)] * len(names)
    if isinstance(owner, QKVLinear):
        sizes = owner.row_sizes
    for name, rows in zip(names, merged.split(sizes), strict=True):
        if name in ("attn_q", "attn_k"):
            rows = rows.unflatten(0, (-1, 2, config.head_dim // 2)).transpose(1, 2).flatten(0, 2)
        yield f"{prefix}{name}.{kind}", rows


def _as_gguf(rows: Tensor, kinds):
    """The bytes of a tensor, and the name of their format."""
    rows = rows.cpu().contiguous()
    if rows.ndim == 1 or rows.dtype == torch.float32:
        return rows.float().numpy(), kinds.F32
    if rows.dtype == torch.float16:
        return rows.numpy(), kinds.F16
    return rows.view(torch.uint8).numpy(), kinds.BF16
