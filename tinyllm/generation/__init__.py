"""Turning logits into text, with the semantics of `transformers.GenerationMixin.generate`."""
