"""What `bench` measures: the model, the formats of its weights, and the prompts."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import torch

from tinyllm.cli.options import encode

if TYPE_CHECKING:
    from tinyllm.bench.presets import BenchCase
    from tinyllm.checkpoint import Checkpoint
    from tinyllm.checkpoint.weight_formats import WeightFormat

RANDOM_TOKENS = 32  # in a prompt for random weights


def open_model(options: argparse.Namespace, device: torch.device, dtype: torch.dtype | None):
    """The checkpoint to measure."""
    from tinyllm.checkpoint import open_checkpoint
    from tinyllm.lab.shapes import random_checkpoint

    if options.random:
        return random_checkpoint(options.random, device, dtype or torch.bfloat16)
    return open_checkpoint(options.model)


def pick_formats(
    names: list[str] | None, checkpoint: Checkpoint, dtype: torch.dtype
) -> list[WeightFormat]:
    """The formats of weights that are named; None is as stored, where a matrix is packed."""
    from tinyllm.checkpoint.weight_formats import STORED, pick_weights

    if names is not None:
        return [pick_weights(name, dtype) for name in names]
    found = (checkpoint.weights.packed(name, dtype) for name in checkpoint.weights.shapes)
    return [STORED] if any(rows is not None for rows in found) else []


def bench_prompt(checkpoint: Checkpoint, case: BenchCase, text: str) -> torch.Tensor:
    """Token ids `[batch, t]`: the prompt's text, or `case.prompt_tokens` tokens."""
    if checkpoint.tokenizer is not None and case.prompt_tokens is None:
        ids = encode(checkpoint.tokenizer, text, raw=False)["input_ids"]
    else:
        ids = different_prompts(checkpoint, case.prompt_tokens or RANDOM_TOKENS, 1)
    return ids.repeat(case.batch, 1)


def different_prompts(checkpoint: Checkpoint, tokens: int, many: int) -> torch.Tensor:
    """Token ids `[many, tokens]`: pieces of Python's documentation; random ids without a tokenizer."""
    if checkpoint.tokenizer is None:
        generator = torch.Generator("cpu").manual_seed(0)
        return torch.randint(
            checkpoint.fields.vocab_size,
            (many, tokens),
            generator=generator,
            dtype=torch.int64,
            device="cpu",
        )
    from pydoc_data.topics import topics

    text = "\n".join(topics[name] for name in sorted(topics))
    ids = checkpoint.tokenizer(text, verbose=False)["input_ids"]
    starts = [101 * i % max(1, len(ids) - tokens) for i in range(many)]
    pieces = [ids[start : start + tokens] for start in starts]
    return torch.tensor(pieces, dtype=torch.int64, device="cpu")
