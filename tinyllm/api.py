"""The two ways to a model: from a checkpoint, or from a transformers model in memory."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, no_type_check

import torch

from tinyllm.decoder import Decoder
from tinyllm.runtime.device import pick_device, pick_dtype
from tinyllm.stages import FASTEST, Stage, pick_stage

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@no_type_check  # what users pass is checked below, with messages of our own
def from_pretrained(
    name_or_path: str | os.PathLike | None = None,
    *,
    stage: str | Stage = FASTEST,
    device: str | torch.device | None = None,
    dtype: str | torch.dtype | None = None,
) -> Decoder:
    """Load a model: None for SmolLM2-135M-Instruct, or a folder, a `.gguf` file or a hub id.

    `device` defaults to the best there is (xpu, cuda, cpu), `dtype` to the checkpoint's own.
    Raises ValueError or FileNotFoundError naming the argument, tensor or file that is wrong.
    """
    stage, device, dtype = pick_stage(stage), pick_device(device), pick_dtype(dtype)
    from tinyllm.checkpoint import load_decoder, open_checkpoint

    checkpoint = open_checkpoint(name_or_path)
    decoder = load_decoder(checkpoint, stage, device, dtype or checkpoint.dtype)
    decoder.tokenizer, decoder.generation_config = checkpoint.tokenizer, checkpoint.generation_config
    return decoder


@no_type_check
def optimize(hf_model: PreTrainedModel, *, stage: str | Stage = FASTEST) -> Decoder:
    """Run a loaded transformers model through one of our stages, on the same weights in the same memory.

    Merged projections are merged once; `hf_model` stays usable and looks at the merged memory.
    Raises TypeError for anything else, ValueError for a model type that is not supported.
    """
    stage = pick_stage(stage)
    if not hasattr(hf_model, "config"):
        raise TypeError(f"hf_model is a {type(hf_model).__name__}: expected a transformers model in memory")
    from tinyllm.checkpoint import share_decoder
    from tinyllm.families import family_of

    decoder = share_decoder(hf_model, family_of(hf_model.config), stage)
    decoder.generation_config = hf_model.generation_config
    return decoder
