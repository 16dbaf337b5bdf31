"""Number formats of the weights that an engine runs on: names, bytes, and groups of one scale."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from torch.utils._python_dispatch import is_traceable_wrapper_subclass


def name_of(dtype: torch.dtype) -> str:
    """The name of a number format."""
    return str(dtype).removeprefix("torch.")


def stored_bytes(tensor: torch.Tensor) -> int:
    """The bytes of a tensor, or of the tensors that it is packed in."""
    if is_traceable_wrapper_subclass(tensor):
        return sum(getattr(tensor, name).nbytes for name in tensor.__tensor_flatten__()[0])
    return tensor.nbytes


def group_size(folder: Path) -> int:
    """Weights with one scale: 128, the default of OpenVINO and torchao, or fewer where rows are no multiple of it."""
    config = json.loads((folder / "config.json").read_text())
    inputs = [config[name] for name in ("hidden_size", "intermediate_size")]
    for size in (128, 64, 32):
        if not any(n % size for n in inputs):
            return size
    raise ValueError(f"rows of {inputs} weights: groups of one scale need a multiple of 32")
