"""The operations of a decoder over several ranks: each makes a partial sum, which is added up once a block.

A block has two matrices. The first is cut along its outputs (heads, or feed-forward columns), the second along the
same numbers as its inputs: nothing is sent in between, and the outputs of the second are partial sums (Megatron-LM,
arXiv 1909.08053, section 3). The first rank adds the residual and the bias to its own partial sum, in the epilogue of
its matmul, so that the sum over all ranks has them once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from jaxtyping import Float, Int
from torch import Tensor

from tinyllm.config import DecoderConfig
from tinyllm.linear import Linear, Norm
from tinyllm.ops import Operations
from tinyllm.ops.embedding import TokenEmbedding, add_positions
from tinyllm.parallel.ranks import Ranks


def over_ranks(ops: Operations, ranks: Ranks, config: DecoderConfig) -> Operations:
    """The same operations on one rank's part of the matrices; of a single rank, the operations themselves."""
    if ranks.size == 1:
        return ops
    summed = SummedOperations(ops, ranks, config)
    embed = summed.embed if config.tie_word_embeddings else ops.embed
    return replace(
        ops,
        embed=embed,
        project=summed.project,
        mlp=summed.mlp,
        norm_head=summed.norm_head,
    )


@dataclass(frozen=True)
class SummedOperations:
    """Operations whose partial sums are added over all ranks, two sums to a layer; one where blocks are parallel."""

    ops: Operations
    ranks: Ranks
    config: DecoderConfig

    def embed(
        self,
        input_ids: Int[Tensor, "b t"],
        positions: Int[Tensor, "#b t"],
        embed_tokens: TokenEmbedding,
    ) -> Float[Tensor, "b t m"]:
        """Of a table that is cut as the tied head is, each token's row is on one rank; the others add zeros."""
        own = self.config.part.vocabulary
        held = (input_ids >= own.start) & (input_ids < own.stop)
        x = embed_tokens((input_ids - own.start) * held)
        x = self.ranks.all_reduce(x * held[..., None])
        return add_positions(x, positions, embed_tokens)

    def project(
        self,
        attention: Float[Tensor, "b t n"],
        o_proj: Linear,
        residual: Float[Tensor, "b t m"],
        post_norm: Norm | None = None,
    ) -> Float[Tensor, "b t m"]:
        """The output projection of all heads; of parallel blocks the partial sum, which `mlp` adds to its own."""
        if post_norm is not None:
            total = self.ranks.all_reduce(self.ops.project(attention, o_proj, None))
            return self.ops.norm_and_add(total, residual, post_norm)
        partial = self.ops.project(attention, o_proj, self._once(residual))
        return partial if self.config.parallel else self.ranks.all_reduce(partial)

    def mlp(
        self,
        x: Float[Tensor, "b t m"],
        norm: Norm,
        gate_up_proj: Linear,
        down_proj: Linear,
        activation: str,
        residual: Float[Tensor, "b t m"],
        post_norm: Norm | None = None,
    ) -> Float[Tensor, "b t m"]:
        """The feed-forward block of all columns."""
        block = (x, norm, gate_up_proj, down_proj, activation)
        if post_norm is not None:
            total = self.ranks.all_reduce(self.ops.mlp(*block, residual=None))
            return self.ops.norm_and_add(total, residual, post_norm)
        residual = residual if self.config.parallel else self._once(residual)
        return self.ranks.all_reduce(self.ops.mlp(*block, residual=residual))

    def norm_head(
        self,
        x: Float[Tensor, "b t m"],
        norm: Norm,
        lm_head: Linear,
        softcap: float | None = None,
    ) -> Float[Tensor, "b t v"]:
        """The logits of the vocabulary, of which each rank makes some: the same bits on every rank."""
        logits = self.ops.norm_head(x, norm, lm_head, softcap)
        return self.ranks.gather(logits, self.config.vocab_size)

    def _once(self, residual: Float[Tensor, "b t m"]) -> Float[Tensor, "b t m"] | None:
        """The residual, on the rank that adds it."""
        return residual if self.ranks.rank == 0 else None
