"""The two ends of the decoder: tokens to vectors, vectors to logits."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from tinyllm.config import DecoderConfig
from tinyllm.kernels import KernelSet
from tinyllm.linear import Embedding, Linear, Norm
from tinyllm.ops.matmul import fused_matmul
from tinyllm.ops.norm import naive_norm


class TokenEmbedding(Embedding):
    """A row per token; and, where a model has them, a factor, a row per position, and a norm."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__(config.embedding_rows, config.hidden_size)
        m = config.hidden_size
        rows = config.learned_positions
        self.scale = config.embedding_scale
        self.offset = config.position_offset
        self.positions = Embedding(rows, m) if rows else None
        self.norm = Norm(m, config.norm_eps, config.layer_norm) if config.embedding_norm else None

    @property
    def only_looks_up(self) -> bool:
        """Whether the row of a token is all there is."""
        return self.scale == 1 and self.positions is None and self.norm is None


def embed(
    input_ids: Int[Tensor, "b t"], positions: Int[Tensor, "#b t"], embed_tokens: TokenEmbedding
) -> Float[Tensor, "b t m"]:
    """Look up one row per token; scale it, add the one of its position, normalise, where a model does."""
    return add_positions(embed_tokens(input_ids), positions, embed_tokens)


def add_positions(
    x: Float[Tensor, "b t m"], positions: Int[Tensor, "#b t"], embed_tokens: TokenEmbedding
) -> Float[Tensor, "b t m"]:
    """The rows of tokens as the first layer takes them: scaled, with those of positions, normalised."""
    if embed_tokens.scale != 1:
        x = x * embed_tokens.scale
    if embed_tokens.positions is not None:
        x = x + embed_tokens.positions(positions + embed_tokens.offset)
    return x if embed_tokens.norm is None else naive_norm(x, embed_tokens.norm)


def softcap_logits(
    logits: Float[Tensor, "*rows v"], softcap: float | None
) -> Float[Tensor, "*rows v"]:
    """Logits soft-capped, so that none leaves -softcap to softcap (Gemma 2)."""
    return logits if softcap is None else torch.tanh(logits / softcap) * softcap


def naive_norm_head(
    x: Float[Tensor, "b t m"], norm: Norm, lm_head: Linear, softcap: float | None = None
) -> Float[Tensor, "b t v"]:
    """The last normalisation and the logits of the vocabulary."""
    return softcap_logits(lm_head.matmul(naive_norm(x, norm)), softcap)


def fused_norm_head(
    kernels: KernelSet,
    x: Float[Tensor, "b t m"],
    norm: Norm,
    lm_head: Linear,
    softcap: float | None = None,
) -> Float[Tensor, "b t v"]:
    """The norm as the prologue of the matmul."""
    logits = fused_matmul(kernels, x.flatten(0, 1), lm_head, norm=norm)
    return softcap_logits(logits.view(*x.shape[:2], -1), softcap)
