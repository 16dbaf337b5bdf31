"""A window that only the cache has: tokens of one pass see each other at any distance."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from tinyllm.attention.metadata import (
    Attention,
    AttentionOptions,
    DecodeMetadata,
    Metadata,
    Segments,
)


def cache_window_attention(
    attention: Attention,
    q: Float[Tensor, "b h t d"],
    segments: Segments,
    metadata: Metadata,
    options: AttentionOptions,
) -> Float[Tensor, "b t hd"]:
    """`attention` to the tokens of this pass, and to the last `window - 1` of those held before it.

    So attends a model in transformers whose configuration names a window that its attention does not have: the cache
    drops what lies outside, but only after the pass. A decode step is a pass of one token, its window as any other's.
    """
    if isinstance(metadata, DecodeMetadata):
        return attention(q, segments, metadata, options)
    held = metadata.length - metadata.tokens
    start = max(0, held - options.window + 1)
    visible = (segments[0].part(start, metadata.length),)
    return attention(q, visible, metadata.from_key(start), options._replace(window=None))
