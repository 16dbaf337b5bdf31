"""The decoder, from tokens to logits: a page to be read top to bottom."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, no_type_check

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from tinyllm.attention import scores_of
from tinyllm.cache import Cache, TakesTokens
from tinyllm.config import DecoderConfig
from tinyllm.generation import generate
from tinyllm.generation.prompt import check_ids, check_mask
from tinyllm.generation.searches import Searches
from tinyllm.ops.embedding import TokenEmbedding
from tinyllm.ops.norm import Norm
from tinyllm.ops.projection import QKVProjection
from tinyllm.ops.rope import Rotation
from tinyllm.stages import Stage

if TYPE_CHECKING:
    from transformers import (
        GenerationConfig,
        LogitsProcessorList,
        PreTrainedTokenizerBase,
        StoppingCriteriaList,
    )
    from transformers.generation import GenerateBeamDecoderOnlyOutput, GenerateDecoderOnlyOutput
    from transformers.generation.streamers import BaseStreamer


class DecoderLayer(nn.Module):
    """Attention and a feed-forward block, each added to the residual stream."""

    def __init__(self, config: DecoderConfig, stage: Stage, kind: int) -> None:
        super().__init__()
        m, f, n = config.hidden_size, config.intermediate_size, config.num_attention_heads * config.head_dim
        norm = partial(Norm, m, config.norm_eps, config.layer_norm)
        self.ops, self.attend, self.activation = stage.ops, stage.attend, config.activation
        self.kind, self.scores, self.parallel = kind, scores_of(config, kind), config.parallel
        self.attention_norm = norm()
        self.qkv_proj = QKVProjection(config)
        self.o_proj = nn.Linear(n, m, bias=config.o_bias)
        self.attention_post_norm = norm() if config.post_norms else None
        self.mlp_norm = self.attention_norm if config.shared_norm else norm()
        self.gate_up_proj = nn.Linear(m, (1 + config.gated) * f, bias=config.mlp_bias)
        self.down_proj = nn.Linear(f, m, bias=config.mlp_bias)
        self.mlp_post_norm = norm() if config.post_norms else None

    def forward(self, x: Float[Tensor, "b t m"], rotary: object, bias: object, kv: object) -> Float[Tensor, "b t m"]:
        """`kv` holds this layer's keys and values, and takes the `t` tokens of `x` in; `bias` is what they see."""
        added = self.ops.project_and_add(self.attention(x, rotary, bias, kv), self.o_proj, x, self.attention_post_norm)
        read = x if self.parallel else added
        mlp = self.mlp_norm, self.gate_up_proj, self.down_proj, self.activation
        return self.ops.mlp_and_add(read, *mlp, added, self.mlp_post_norm)

    def attention(self, x: Float[Tensor, "b t m"], rotary: object, bias: object, kv: object) -> Float[Tensor, "b t n"]:
        """What every head gathered; queries, keys and values are not held longer than this."""
        q = self.ops.queries(x, self.attention_norm, self.qkv_proj, rotary, kv)
        return self.attend(q, kv, bias, self.scores)


class Decoder(nn.Module):
    """A decoder-only language model in one stage of the ladder.

    Made by `tinyllm.from_pretrained` or `tinyllm.optimize`. `tokenizer` is None where there is none;
    `generation_config` holds the checkpoint's defaults for `generate`.
    """

    tokenizer: PreTrainedTokenizerBase | None = None
    generation_config: GenerationConfig | None = None

    def __init__(self, config: DecoderConfig, stage: Stage) -> None:
        super().__init__()
        self.config, self.stage = config, stage
        self.embed_tokens = TokenEmbedding(config)
        self.layers = nn.ModuleList(DecoderLayer(config, stage, kind) for kind in config.kind_of_layer)
        self.norm = Norm(config.hidden_size, config.norm_eps, config.layer_norm)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=config.head_bias)
        if config.tie_word_embeddings:
            self.lm_head.weight = self.embed_tokens.weight
        self.rotation = Rotation(config)
        self.requires_grad_(False)
        self.searches = Searches()

    def _apply(self, *args: Any, **kwargs: Any) -> Decoder:
        self.searches.clear()  # captured work knows the weights by their addresses
        return super()._apply(*args, **kwargs)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.embed_tokens.weight.device

    @property
    def dtype(self) -> torch.dtype:
        """The number format of the weights."""
        return self.embed_tokens.weight.dtype

    @property
    def hooked(self) -> bool:
        """Whether somebody has put hooks on a layer: every pass then goes through the layers, one by one."""
        return any(layer._forward_hooks or layer._forward_pre_hooks for layer in self.layers)

    def new_cache(self, prompts: int, copies: int = 1, steps: int | None = None) -> Cache:
        """An empty cache of this stage's kind for so many prompts, each continued by `copies` sequences.

        Where the number of `steps` after the prompt is known, a cache may reserve the memory for them at once.
        """
        return self.stage.cache(self.config, prompts, copies, steps, self.device, self.dtype)

    def hidden_states(
        self, input_ids: Int[Tensor, "b t"], attention_mask: Int[Tensor, "b t"] | None, cache: TakesTokens
    ) -> Float[Tensor, "b t m"]:
        """Run the layers on `t` new tokens, padding where the mask is 0; no mask, no padding."""
        ops = self.stage.ops
        positions, views = cache.admit(input_ids.shape[1], attention_mask)
        x = ops.embed(input_ids, positions, self.embed_tokens)
        rotary = ops.rotary_tables(positions, self.rotation, x.dtype)
        for layer, kv in zip(self.layers, cache.layers, strict=True):
            x = layer(x, rotary[layer.kind], views[layer.kind], kv)
        return x

    def logits(self, x: Float[Tensor, "b t m"]) -> Float[Tensor, "b t v"]:
        """Scores of every word in the vocabulary."""
        return self.stage.ops.norm_head(x, self.norm, self.lm_head, self.config.logit_softcap)

    @torch.inference_mode()
    @no_type_check  # what users pass is checked below, with messages of our own
    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Float[Tensor, "b t v"]:
        """Logits of every position of token ids `[b, t]`, for evaluation; padding may stand on either side.

        Raises TypeError or ValueError for ids or a mask that are not what the decoder takes.
        """
        check_ids(input_ids, self.config)
        input_ids = input_ids.to(self.device, torch.int64)
        if attention_mask is not None:
            check_mask(attention_mask, input_ids)
            attention_mask = attention_mask.to(self.device, torch.int64)
        x = self.hidden_states(input_ids, attention_mask, self.new_cache(len(input_ids)))
        return self.logits(x)

    @torch.inference_mode()
    def step(
        self, input_ids: Int[Tensor, "b t"], attention_mask: Int[Tensor, "b t"] | None, cache: TakesTokens
    ) -> Float[Tensor, "r v"]:
        """Take `t` new tokens into the cache and return the logits of what follows: prefill and decode alike.

        `r` rows: one for each sequence that the tokens continue. In a prompt that is the last token of each row;
        after it, a cache that stores a prompt once for several sequences takes their tokens side by side in one row.
        """
        x = self.hidden_states(input_ids, attention_mask, cache)
        return self.logits(x[:, -cache.branches :]).flatten(0, 1)

    @no_type_check
    def generate(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        generation_config: GenerationConfig | None = None,
        *,
        streamer: BaseStreamer | None = None,
        logits_processor: LogitsProcessorList | None = None,
        stopping_criteria: StoppingCriteriaList | None = None,
        **kwargs: Any,
    ) -> Tensor | GenerateDecoderOnlyOutput | GenerateBeamDecoderOnlyOutput:
        """Continue token ids `[b, t]`, padded on the left where `attention_mask` `[b, t]` is 0; returns ids `[b, n]`.

        Arguments and result are those of `transformers.GenerationMixin.generate`; an option that is not
        supported raises ValueError naming it, one that does not exist TypeError. Nothing is ignored.
        `past_key_values`, of the output of an earlier answer, goes on where that ended. What would not fit into
        memory raises MemoryError before it begins. `split_batch=True` answers as many prompts at a time as what is free
        has room for, the longest together and under a progress bar; `memory_budget=` as many as so many bytes have room
        for, taken by keys, values and activations beside the weights.
        """
        return generate(
            self,
            input_ids,
            attention_mask,
            generation_config,
            streamer=streamer,
            logits_processor=logits_processor,
            stopping_criteria=stopping_criteria,
            **kwargs,
        )
