"""The two ends of the decoder: tokens to vectors, vectors to logits."""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from tinyllm.config import DecoderConfig
from tinyllm.ops.cost import Cost, Workload, launch
from tinyllm.ops.kernel_sets import KernelsFor
from tinyllm.ops.linear import fused_linear, fused_linear_cost, linear_cost
from tinyllm.ops.norm import Norm, rms_norm, rms_norm_cost


def embed(input_ids: Int[Tensor, "b t"], embed_tokens: nn.Embedding) -> Float[Tensor, "b t m"]:
    """Look up one row per token."""
    return F.embedding(input_ids, embed_tokens.weight)


def norm_head(x: Float[Tensor, "b t m"], norm: Norm, lm_head: nn.Linear) -> Float[Tensor, "b t v"]:
    """The last normalisation and the scores of every word in the vocabulary."""
    return F.linear(rms_norm(x, norm), lm_head.weight)


def fused_norm_head(
    kernels_for: KernelsFor, x: Float[Tensor, "b t m"], norm: Norm, lm_head: nn.Linear
) -> Float[Tensor, "b t v"]:
    """The norm in front of the product."""
    return fused_linear(kernels_for, x.flatten(0, 1), lm_head, norm).view(*x.shape[:2], -1)


def embed_cost(config: DecoderConfig, work: Workload) -> Cost:
    """What `embed` moves: the rows looked up, not the table."""
    rows = work.size * work.rows * config.hidden_size
    return launch(read=8 * work.rows, weights=rows, write=rows)


def norm_head_cost(config: DecoderConfig, work: Workload) -> Cost:
    """What `norm_head` moves and computes for the last token of every sequence."""
    m, rows = config.hidden_size, work.batch * work.copies
    return rms_norm_cost(rows, m, work.size) + linear_cost(rows, m, config.vocab_size, False, work.size)


def fused_norm_head_cost(config: DecoderConfig, work: Workload) -> Cost:
    """What `fused_norm_head` moves and computes for the last token of every sequence."""
    return fused_linear_cost(
        work, work.batch * work.copies, config.hidden_size, config.vocab_size, bias=False, normed=True
    )
