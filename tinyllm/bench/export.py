"""The weights of a decoder, written for other engines: a folder as transformers saves it, and a GGUF file in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from tinyllm.checkpoint import Checkpoint
from tinyllm.checkpoint.lazy import LazyTokenizer
from tinyllm.checkpoint.loading import source_tensors
from tinyllm.checkpoint.weight_formats import pick_weights
from tinyllm.checkpoint.weights import Weights
from tinyllm.decoder import Decoder
from tinyllm.runtime.progress import progress

SHARD_BYTES = 4 << 30  # of one file: held in memory beside the model while it is written


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

    Raises ValueError for models that a GGUF file does not hold.
    """
    from tinyllm.checkpoint.gguf_writer import write_gguf

    weights = DecoderWeights(decoder, checkpoint)
    alone = replace(checkpoint, weights=weights, lazy_tokenizer=LazyTokenizer.of(None))
    write_gguf(alone, path, pick_weights(decoder.dtype, None))


class DecoderWeights(Weights):
    """The weights of a decoder under the checkpoint's names, as views of its parameters."""

    def __init__(self, decoder: Decoder, checkpoint: Checkpoint) -> None:
        self.tensors = {
            name: tensor
            for parameter, merged in decoder.named_parameters()
            for name, tensor in source_tensors(checkpoint, decoder, parameter, merged.data)
        }
        self.shapes = {name: tuple(tensor.shape) for name, tensor in self.tensors.items()}
        self._name = checkpoint.name

    def read(self, name: str) -> Tensor:
        return self.tensors[name]

    def file(self, name: str | None) -> str:
        return self._name
