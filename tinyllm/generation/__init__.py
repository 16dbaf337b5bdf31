"""Turning logits into text, with the semantics of `transformers.GenerationMixin.generate`."""

from tinyllm.generation.generate import generate

__all__ = ["generate"]
