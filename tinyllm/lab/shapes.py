"""Shapes of well-known models, measured with random weights."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from zlib import crc32

import torch
from torch import Tensor

from tinyllm.checkpoint.skeleton import needed_tensors
from tinyllm.checkpoint.sources import Checkpoint, already_read
from tinyllm.checkpoint.weights import Weights
from tinyllm.config import DecoderConfig
from tinyllm.families import family_of

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

LLAMA = {"model_type": "llama", "rope_theta": 10000.0, "eos_token_id": 2, "pad_token_id": 2}
SHAPES: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "smollm2-135m": LLAMA
        | {
            "hidden_size": 576,
            "intermediate_size": 1536,
            "num_hidden_layers": 30,
            "num_attention_heads": 9,
        }
        | {"num_key_value_heads": 3, "vocab_size": 49152, "tie_word_embeddings": True},
        "tinyllama-1.1b": LLAMA
        | {
            "hidden_size": 2048,
            "intermediate_size": 5632,
            "num_hidden_layers": 22,
            "num_attention_heads": 32,
        }
        | {"num_key_value_heads": 4, "vocab_size": 32000},
        "llama-2-7b": LLAMA
        | {
            "hidden_size": 4096,
            "intermediate_size": 11008,
            "num_hidden_layers": 32,
            "num_attention_heads": 32,
        }
        | {"num_key_value_heads": 32, "vocab_size": 32000},
        "llama-2-13b": LLAMA
        | {
            "hidden_size": 5120,
            "intermediate_size": 13824,
            "num_hidden_layers": 40,
            "num_attention_heads": 40,
        }
        | {"num_key_value_heads": 40, "vocab_size": 32000},
        "llama-2-70b": LLAMA
        | {
            "hidden_size": 8192,
            "intermediate_size": 28672,
            "num_hidden_layers": 80,
            "num_attention_heads": 64,
        }
        | {"num_key_value_heads": 8, "vocab_size": 32000},
        "llama-3-8b": LLAMA
        | {
            "hidden_size": 4096,
            "intermediate_size": 14336,
            "num_hidden_layers": 32,
            "num_attention_heads": 32,
        }
        | {"num_key_value_heads": 8, "vocab_size": 128256},
        "llama-3.1-8b": LLAMA
        | {
            "hidden_size": 4096,
            "intermediate_size": 14336,
            "num_hidden_layers": 32,
            "num_attention_heads": 32,
        }
        | {"num_key_value_heads": 8, "vocab_size": 128256}
        | {"max_position_embeddings": 131072},
        "gpt-j-6b": {"model_type": "gptj", "n_embd": 4096, "n_layer": 28, "n_head": 16}
        | {"rotary_dim": 64, "vocab_size": 50400},
        "opt-6.7b": {
            "model_type": "opt",
            "hidden_size": 4096,
            "ffn_dim": 16384,
            "num_hidden_layers": 32,
        }
        | {"num_attention_heads": 32, "vocab_size": 50272},
        "opt-30b": {
            "model_type": "opt",
            "hidden_size": 7168,
            "ffn_dim": 28672,
            "num_hidden_layers": 48,
        }
        | {"num_attention_heads": 56, "vocab_size": 50272},
        "bloom-7b1": {
            "model_type": "bloom",
            "hidden_size": 4096,
            "n_layer": 30,
            "n_head": 32,
            "vocab_size": 250880,
        },
        "bloom-176b": {
            "model_type": "bloom",
            "hidden_size": 14336,
            "n_layer": 70,
            "n_head": 112,
            "vocab_size": 250880,
        },
    }
)


class RandomWeights(Weights):
    """Normal weights, sampled when they are read; their standard deviation keeps activations in range.

    A tensor's seed is made of its name: whatever else is read, and on whichever rank, it is the same.
    """

    def __init__(
        self, shapes: Mapping[str, tuple[int, ...]], device: torch.device, dtype: torch.dtype
    ) -> None:
        self.shapes, self._device, self._dtype = shapes, device, dtype
        self._generator = torch.Generator(device)

    def check(self, name: str) -> None:
        """Do nothing: random weights are always valid."""

    def read(self, name: str) -> Tensor:
        """Sample one tensor on the device: norms are one, biases zero, matrices have a standard deviation of 0.02."""
        shape = self.shapes[name]
        if len(shape) == 1:
            fill = float(not name.endswith(".bias"))
            return torch.full(shape, fill, device=self._device, dtype=self._dtype)
        self._generator.manual_seed(crc32(name.encode()))
        values = torch.empty(shape, device=self._device, dtype=self._dtype)
        return values.normal_(std=0.02, generator=self._generator)

    def file(self, name: str | None) -> str:
        """None: random weights have no file."""
        return "random weights"


def known_config(shape: str) -> DecoderConfig:
    """The configuration of a known shape. Raises ValueError for an unknown name."""
    config = _transformers_config(shape)
    return family_of(config).describe(config)


def _transformers_config(shape: str, layers: int | None = None) -> PreTrainedConfig:
    from transformers import AutoConfig

    if shape not in SHAPES:
        raise ValueError(f"shape {shape!r} is unknown: expected one of {list(SHAPES)}")
    values = {"max_position_embeddings": 8192} | SHAPES[shape]
    if layers is not None:
        values |= {"n_layer" if "n_layer" in values else "num_hidden_layers": layers}
    return AutoConfig.for_model(**values)


def random_checkpoint(
    shape: str, device: torch.device, dtype: torch.dtype, layers: int | None = None
) -> Checkpoint:
    """A model of a known shape with random weights and no tokenizer, or of its first `layers` alone.

    Raises ValueError for an unknown name.
    """
    from transformers import GenerationConfig

    config = _transformers_config(shape, layers)
    family = family_of(config)
    weights = RandomWeights(needed_tensors(family, config), device, dtype)
    generation = GenerationConfig.from_model_config(config)
    name = f"{shape} (random)" if layers is None else f"{shape} (random, {layers} layers)"
    return already_read(
        name, config, family, weights, dtype, tokenizer=None, generation_config=generation
    )
