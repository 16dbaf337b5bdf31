"""Where weights come from: the default model, a folder, a hub id, a GGUF file, a loaded transformers model."""

from tinyllm.checkpoint.sources import Checkpoint, open_checkpoint

__all__ = ["Checkpoint", "open_checkpoint"]
