"""The two ends of the decoder: tokens to vectors, vectors to logits."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from tinyllm.config import DecoderConfig
from tinyllm.ops.kernel_sets import KernelsFor
from tinyllm.ops.linear import fused_linear
from tinyllm.ops.norm import Norm, normalise


class TokenEmbedding(nn.Embedding):
    """A row per token; and, where a model has them, a factor, a row per position, and a norm."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__(config.vocab_size, config.hidden_size)
        m, rows = config.hidden_size, config.learned_positions
        self.scale, self.offset = config.embedding_scale, config.position_offset
        self.positions = nn.Embedding(rows, m) if rows else None
        self.norm = Norm(m, config.norm_eps, config.layer_norm) if config.embedding_norm else None

    @property
    def bare(self) -> bool:
        """Whether looking up the row of a token is all there is to do."""
        return self.scale == 1 and self.positions is None and self.norm is None


def embed(
    input_ids: Int[Tensor, "b t"], positions: Int[Tensor, "#b t"], embed_tokens: TokenEmbedding
) -> Float[Tensor, "b t m"]:
    """Look up one row per token; scale it, add the one of its position, normalise, where a model does."""
    x = F.embedding(input_ids, embed_tokens.weight)
    if embed_tokens.scale != 1:
        x = x * embed_tokens.scale
    if embed_tokens.positions is not None:
        x = x + F.embedding(positions + embed_tokens.offset, embed_tokens.positions.weight)
    return x if embed_tokens.norm is None else normalise(x, embed_tokens.norm)


def softcapped(logits: Float[Tensor, "*rows v"], softcap: float | None) -> Float[Tensor, "*rows v"]:
    """Logits bent so that none leaves -softcap to softcap."""
    return logits if softcap is None else torch.tanh(logits / softcap) * softcap


def norm_head(
    x: Float[Tensor, "b t m"], norm: Norm, lm_head: nn.Linear, softcap: float | None = None
) -> Float[Tensor, "b t v"]:
    """The last normalisation and the scores of every word in the vocabulary."""
    return softcapped(F.linear(normalise(x, norm), lm_head.weight, lm_head.bias), softcap)


def fused_norm_head(
    kernels_for: KernelsFor, x: Float[Tensor, "b t m"], norm: Norm, lm_head: nn.Linear, softcap: float | None = None
) -> Float[Tensor, "b t v"]:
    """The norm in front of the product."""
    return softcapped(fused_linear(kernels_for, x.flatten(0, 1), lm_head, norm).view(*x.shape[:2], -1), softcap)
