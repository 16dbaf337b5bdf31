"""The decoder, from tokens to logits: a page to be read top to bottom."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import partial

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from tinyllm.attention.cache_window import cache_window_attention
from tinyllm.attention.metadata import Attention, Metadata, attention_options
from tinyllm.cache import LayerCache, PrefillCache
from tinyllm.config import DecoderConfig
from tinyllm.kernels import KernelSet
from tinyllm.linear import Linear, Norm, QKVLinear, arrange_blocks, packed_formats, weights_digest
from tinyllm.ops import Operations
from tinyllm.ops.embedding import TokenEmbedding
from tinyllm.ops.rope import RotaryEmbedding, RotaryTables
from tinyllm.parallel.operations import over_ranks
from tinyllm.parallel.ranks import SINGLE, Ranks


class DecoderLayer(nn.Module):
    """Attention and a feed-forward block, each added to the residual stream."""

    def __init__(
        self, config: DecoderConfig, kind: int, ops: Operations, attention: Attention
    ) -> None:
        super().__init__()
        m = config.hidden_size
        f = config.intermediate_size
        self.ops = ops
        self.attention = attention
        if config.kinds[kind].windowed_cache:
            self.attention = partial(cache_window_attention, attention)
        self.kind = kind
        self.options = attention_options(config, kind)
        self.activation = config.activation
        self.parallel = config.parallel
        self.attention_norm = Norm(m, config.norm_eps, config.layer_norm)
        self.qkv_proj = QKVLinear(config)
        self.o_proj = Linear(config.num_attention_heads * config.head_dim, m, bias=config.o_bias)
        self.attention_post_norm = Norm(m, config.norm_eps) if config.post_norms else None
        self.mlp_norm = self.attention_norm
        if not config.shared_norm:
            self.mlp_norm = Norm(m, config.norm_eps, config.layer_norm)
        self.gate_up_proj = Linear(m, (1 + config.gated) * f, bias=config.mlp_bias)
        self.down_proj = Linear(f, m, bias=config.down_bias)
        self.mlp_post_norm = Norm(m, config.norm_eps) if config.post_norms else None

    def forward(
        self,
        x: Float[Tensor, "b t m"],
        rope: RotaryTables | None,
        metadata: Metadata,
        kv: LayerCache,
    ) -> Float[Tensor, "b t m"]:
        """x [b, t, m]; writes this layer's new keys and values into kv."""
        h = self.ops.project(
            self.attend(x, rope, metadata, kv),  # held no longer than this
            self.o_proj,
            x,
            self.attention_post_norm,
        )
        return self.ops.mlp(
            x if self.parallel else h,
            self.mlp_norm,
            self.gate_up_proj,
            self.down_proj,
            self.activation,
            residual=h,
            post_norm=self.mlp_post_norm,
        )

    def attend(
        self,
        x: Float[Tensor, "b t m"],
        rope: RotaryTables | None,
        metadata: Metadata,
        kv: LayerCache,
    ) -> Float[Tensor, "b t n"]:
        """The heads of all tokens, side by side; queries are held no longer than this."""
        q = self.ops.norm_qkv_rope(x, self.attention_norm, self.qkv_proj, rope, kv)
        return self.attention(q, kv.segments, metadata, self.options)


class Decoder(nn.Module):
    """A decoder-only language model: operations, attention and kernels are given to it.

    `kernels` is the set that the operations run on; `bind` chooses another. On one of several `ranks`, `config`
    describes that rank's part, and the operations add the partial sums of all ranks. `kv_dtype` is the number format of
    keys and values, None for that of activations.
    """

    kv_dtype: torch.dtype | None = None

    def __init__(
        self,
        config: DecoderConfig,
        ops: Operations,
        attention: Attention,
        kernels: KernelSet,
        ranks: Ranks = SINGLE,
    ) -> None:
        super().__init__()
        self.config = config
        self.operations = ops
        self.attention = attention
        self.kernels = kernels
        self.ranks = ranks
        self.ops = over_ranks(ops.on(kernels), ranks, config)
        self.embed_tokens = TokenEmbedding(config)
        self.layers = nn.ModuleList(
            DecoderLayer(config, kind, self.ops, attention) for kind in config.kind_of_layer
        )
        self.norm = Norm(config.hidden_size, config.norm_eps, config.layer_norm)
        self.lm_head = Linear(config.hidden_size, config.head_rows, bias=config.head_bias)
        if config.tie_word_embeddings:
            self.lm_head.tie(self.embed_tokens)
        self.rotary = RotaryEmbedding(config)

    def bind(self, kernels: KernelSet) -> None:
        """Run the operations on this set of kernels from now on."""
        self.kernels = kernels
        arrange_blocks(self, kernels.planar_blocks)
        self.ops = over_ranks(self.operations.on(kernels), self.ranks, self.config)
        for layer in self.layers:
            layer.ops = self.ops

    @property
    def rotation(self) -> RotaryEmbedding:
        """The rotary embedding, by the name that it had earlier."""
        return self.rotary

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.embed_tokens.storage.device

    @property
    def dtype(self) -> torch.dtype:
        """The number format of activations, and of weights that are not packed."""
        return self.embed_tokens.storage.dtype

    @property
    def has_packed_weights(self) -> bool:
        """Whether a matrix is packed; every call of `generate` reads it, and walks no tree of modules for it."""
        matrices = [self.embed_tokens, self.lm_head]
        for layer in self.layers:
            matrices += [layer.qkv_proj, layer.o_proj, layer.gate_up_proj, layer.down_proj]
        return any(matrix.packed is not None for matrix in matrices)

    @property
    def packed_formats(self) -> list[str]:
        """The formats of packed matrices; none where all are dense."""
        return packed_formats(self)

    @property
    def weight_addresses(self) -> list[int]:
        """Where all tensors are: captured work and native code read them there."""
        return [x.data_ptr() for x in (*self.parameters(), *self.buffers())]

    def own_precision(self) -> AbstractContextManager:
        """Computes in the number format of the weights, under the caller's `torch.autocast` too."""
        return torch.autocast(self.device.type, enabled=False)

    @property
    def weights_digest(self) -> str:
        """Identifies the weights that a cache was filled with; see `tinyllm.linear.weights_digest`."""
        return weights_digest(self)

    @property
    def has_hooks(self) -> bool:
        """Whether a layer, or all modules, have hooks: every pass then goes through the layers, one by one."""
        hooks = [
            nn.modules.module._global_forward_hooks,
            nn.modules.module._global_forward_pre_hooks,
        ]
        for layer in self.layers:
            hooks += [layer._forward_hooks, layer._forward_pre_hooks]
        return any(hooks)

    def hidden_states(
        self,
        input_ids: Int[Tensor, "b t"],
        attention_mask: Int[Tensor, "b t"] | None,
        cache: PrefillCache,
    ) -> Float[Tensor, "b t m"]:
        """Run the layers on `t` new tokens, padding where the mask is 0; no mask, no padding."""
        positions, metadata = cache.prepare(input_ids.shape[1], attention_mask)
        x = self.ops.embed(input_ids, positions, self.embed_tokens)
        rope = self.ops.rotary_tables(positions, self.rotary, x.dtype)
        for layer, kv in zip(self.layers, cache.layers, strict=True):
            x = layer(x, rope[layer.kind], metadata, kv)
        return x

    def logits(self, x: Float[Tensor, "b t m"]) -> Float[Tensor, "b t v"]:
        """The scores of every word in the vocabulary."""
        return self.ops.norm_head(x, self.norm, self.lm_head, self.config.logit_softcap)

    @torch.inference_mode()
    def step(
        self,
        input_ids: Int[Tensor, "b t"],
        attention_mask: Int[Tensor, "b t"] | None,
        cache: PrefillCache,
    ) -> Float[Tensor, "r v"]:
        """Take `t` new tokens into the cache and return the logits of what follows: prefill and decode alike.

        `r` rows, one for each sequence that the tokens continue: in a prefill the last token of each row; after it, a
        cache that stores a prompt once for several sequences takes their tokens side by side in one row.
        """
        with self.own_precision():
            x = self.hidden_states(input_ids, attention_mask, cache)
            return self.logits(x[:, -cache.logits_to_keep :]).flatten(0, 1)
