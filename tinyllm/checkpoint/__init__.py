"""Where weights come from: the default model, a folder, a hub id, a GGUF file, a loaded transformers model."""

from tinyllm.checkpoint.loading import load_decoder, share_decoder
from tinyllm.checkpoint.sources import Checkpoint, open_checkpoint

__all__ = ["Checkpoint", "load_decoder", "open_checkpoint", "share_decoder"]
