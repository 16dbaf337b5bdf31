"""The model that people use: a decoder in a stage, with generation on top; and the two ways to one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, no_type_check

import torch
from jaxtyping import Float
from torch import Tensor

from tinyllm.cache import Cache
from tinyllm.checkpoint.lazy import LazyGenerationConfig, LazyTokenizer
from tinyllm.checkpoint.loading import config_of, load_weights, merge_weights, share_weights
from tinyllm.checkpoint.module import (
    ModuleWeights,
    causal_lm_class,
    config_in,
    read_frequencies,
    with_embedding_scale,
)
from tinyllm.checkpoint.module_check import check_parts
from tinyllm.checkpoint.part_weights import part_of
from tinyllm.checkpoint.sources import Checkpoint, open_checkpoint
from tinyllm.checkpoint.weight_formats import DENSE, WeightFormat, pick_weights
from tinyllm.config import DecoderConfig
from tinyllm.decoder import Decoder
from tinyllm.families import family_of
from tinyllm.generation.generate import generate
from tinyllm.generation.inputs import check_ids, check_mask, named_arguments
from tinyllm.generation.same_call import check_same_ids
from tinyllm.generation.sessions import Sessions
from tinyllm.kernels import TORCH, pick_kernels
from tinyllm.linear import formats_as_text, storage_size
from tinyllm.parallel.ranks import SINGLE, Ranks, device_of_rank, pick_ranks
from tinyllm.runtime.device import pick_device, pick_dtype, size_as_text
from tinyllm.stages import FASTEST, Stage, pick_kv_dtype, pick_stage

if TYPE_CHECKING:
    from transformers import (
        GenerationConfig,
        PreTrainedModel,
        PreTrainedTokenizerBase,
    )
    from transformers.generation import GenerateBeamDecoderOnlyOutput, GenerateDecoderOnlyOutput


MAX_SUMMED_ROWS = 64  # of the residual stream, that are summed over ranks in one launch


class Model(Decoder):
    """A decoder-only language model in one stage of the ladder.

    Made by `tinyllm.from_pretrained` or `tinyllm.optimize`. `tokenizer` is None where there is none;
    `generation_config` holds the checkpoint's defaults for `generate`.
    """

    def __init__(
        self,
        config: DecoderConfig,
        stage: Stage,
        ranks: Ranks = SINGLE,
        kv_dtype: str | torch.dtype | None = None,
    ) -> None:
        # `bind_stage_kernels` chooses the kernels
        super().__init__(config, stage.ops, stage.attention, TORCH, ranks)
        self.stage = stage
        self.kv_dtype = pick_kv_dtype(kv_dtype, stage)
        self.sessions = Sessions()
        self.lazy_tokenizer = LazyTokenizer.of(None)
        self.lazy_generation_config = LazyGenerationConfig.of(None)
        self.requires_grad_(False)

    @property
    def tokenizer(self) -> PreTrainedTokenizerBase | None:
        """transformers' tokenizer of the checkpoint; None where there is none."""
        return self.lazy_tokenizer.value

    @tokenizer.setter
    def tokenizer(self, tokenizer: PreTrainedTokenizerBase | None) -> None:
        self.lazy_tokenizer = LazyTokenizer.of(tokenizer)

    @property
    def generation_config(self) -> GenerationConfig | None:
        """The checkpoint's defaults for `generate`."""
        return self.lazy_generation_config.value

    @generation_config.setter
    def generation_config(self, config: GenerationConfig | None) -> None:
        self.lazy_generation_config = LazyGenerationConfig.of(config)

    def _apply(self, *args: Any, **kwargs: Any) -> Model:
        self.sessions.clear()  # captured work holds the addresses of the weights
        super()._apply(*args, **kwargs)
        return self.bind_stage_kernels()

    def __getstate__(self) -> dict[str, Any]:
        """What is copied and pickled: all but kept sessions, whose captured work holds this model's addresses."""
        return vars(self) | {"sessions": Sessions()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self.bind_stage_kernels()

    def load_state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """As in PyTorch. With `assign=True` the weights move, so that captured work is dropped."""
        self.sessions.clear()
        return super().load_state_dict(*args, **kwargs)

    def bind_stage_kernels(self) -> Model:
        """Choose the kernels of the device that the weights are on."""
        self.bind(pick_kernels(self.stage.kernels, self.device))
        return self

    def __repr__(self) -> str:
        weights = storage_size(self)
        size = f"{weights.elements / 1e6:.1f} M parameters, {size_as_text(weights.nbytes)}"
        rows = {
            "stage": self.stage.name,
            "kernels": self.kernels.name,
            "cache": self.stage.cache.__name__ + (", int8" if self.kv_dtype else ""),
            "attention": getattr(self.attention, "__name__", repr(self.attention)),
            "runner": self.stage.runner.describe(self),
            "rank": f"{self.ranks.rank} of {self.ranks.size}",
            "weights": f"{formats_as_text(self)}, {size}, on {self.device}",
        }
        if self.ranks.size == 1:
            del rows["rank"]
        lines = [f"  {name:<10} {value}" for name, value in rows.items()]
        return "\n".join([f"Model({self.config.family},", *lines, ")"])

    def new_cache(
        self,
        prompts: int,
        copies: int = 1,
        steps: int | None = None,
        *,
        independent: bool = False,
    ) -> Cache:
        """An empty cache of this stage's kind; see `Stage.new_cache`."""
        return self.stage.new_cache(self, prompts, copies, steps, independent=independent)

    @torch.inference_mode()
    @no_type_check  # what users pass is checked below, with messages of our own
    def forward(
        self, input_ids: Tensor, attention_mask: Tensor | None = None
    ) -> Float[Tensor, "b t v"]:
        """Logits of every position of token ids `[b, t]`, for evaluation; padding may stand on either side.

        Raises TypeError or ValueError for ids or a mask that are not what the decoder takes.
        """
        check_ids(input_ids, self.config)
        input_ids = input_ids.to(self.device, torch.int64)
        if attention_mask is not None:
            check_mask(attention_mask, input_ids)
            attention_mask = attention_mask.to(self.device, torch.int64)
        check_same_ids(self, input_ids, attention_mask)
        with self.own_precision():
            x = self.hidden_states(input_ids, attention_mask, self.new_cache(len(input_ids)))
            return self.logits(x)

    @no_type_check
    def generate(
        self,
        input_ids: Tensor | None = None,
        *positional: Any,
        attention_mask: Tensor | None = None,
        generation_config: GenerationConfig | None = None,
        tokenizer: PreTrainedTokenizerBase | None = None,
        **kwargs: Any,
    ) -> Tensor | GenerateDecoderOnlyOutput | GenerateBeamDecoderOnlyOutput:
        """Continue token ids `[b, t]`, padded on the left where `attention_mask` `[b, t]` is 0; returns ids `[b, n]`.

        Arguments and result are those of `transformers.GenerationMixin.generate`; by position they
        are `input_ids, attention_mask, generation_config`, or in transformers' order. An option that
        is not supported raises ValueError naming it, one that does not exist TypeError. No argument
        is ignored; what a saved configuration holds of no use to the answer is, as in transformers.
        `cache`, of the output of an earlier answer, continues where that ended; `past_key_values` is the same.
        What would not fit into memory raises MemoryError before it begins. `split_batch=True`
        answers as many prompts at a time as the free memory holds, the longest together and under a
        progress bar; `memory_budget=` as many as so many bytes hold, taken by keys, values and
        activations beside the weights. Where not even the samples of one prompt fit together, they are
        drawn in batches, and the prompt is computed once.
        `on_answer(index, token_ids)` is called when a sequence ends, with its number among the returned ones and its
        new tokens; sequences that have ended leave the work where that pays.
        `output_logprobs=True`, with `return_dict_in_generate=True`, adds `logprobs` `[rows, new]` in float32: of every
        new token what transformers' `compute_transition_scores` returns with `normalize_logits=True`, of beams along
        each sequence's path and 0 after its end; the scores of the steps are not kept for it.
        Under `torch.autocast`, too, the number format is that of the weights.
        """
        named = {
            "attention_mask": attention_mask,
            "generation_config": generation_config,
            "read_tokenizer": lambda: self.tokenizer if tokenizer is None else tokenizer,
        }
        named = named_arguments(positional, named | kwargs)
        defaults = self.lazy_generation_config.options
        return generate(self, self.stage, self.sessions, defaults, input_ids, **named)


def empty_model(
    config: DecoderConfig,
    stage: Stage,
    ranks: Ranks = SINGLE,
    kv_dtype: str | torch.dtype | None = None,
) -> Model:
    """A model whose weights have shapes but no memory."""
    return Model(config, stage, ranks, kv_dtype)


def load_model(
    checkpoint: Checkpoint,
    stage: Stage,
    device: torch.device,
    dtype: torch.dtype,
    weight_format: WeightFormat = DENSE,
    ranks: Ranks = SINGLE,
    kv_dtype: str | torch.dtype | None = None,
) -> Model:
    """A checkpoint's model, read straight to `device`: activations in `dtype`, matrices in `weight_format`.

    On one of several `ranks` that rank's part of it, of which alone the checkpoint is read. `kv_dtype` is the number
    format of keys and values, None for `dtype`.
    """
    config = config_of(checkpoint.family, checkpoint.fields, checkpoint.weights)
    own, config = part_of(checkpoint, config, ranks.rank, ranks.size, dtype, weight_format)
    ranks = ranks.connect(device, dtype, MAX_SUMMED_ROWS * config.hidden_size)
    model = empty_model(config, stage, ranks, kv_dtype)
    load_weights(model, own, device, dtype, weight_format)
    model.lazy_tokenizer = checkpoint.lazy_tokenizer
    model.lazy_generation_config = checkpoint.lazy_generation_config
    return model.bind_stage_kernels()


def restage(model: Model, stage: Stage) -> Model:
    """The same model in another stage, on the same weights. Raises ValueError for a stage that lacks its `kv_dtype`."""
    return _on_the_weights_of(model, stage, model.kv_dtype)


def with_kv_dtype(model: Model, kv_dtype: str | torch.dtype | None) -> Model:
    """The same model with keys and values in another number format, on the same weights; see `from_pretrained`."""
    return _on_the_weights_of(model, model.stage, kv_dtype)


def _on_the_weights_of(model: Model, stage: Stage, kv_dtype: str | torch.dtype | None) -> Model:
    other = empty_model(model.config, stage, model.ranks, kv_dtype)
    share_weights(other, model)
    other.lazy_tokenizer = model.lazy_tokenizer
    other.lazy_generation_config = model.lazy_generation_config
    return other.bind_stage_kernels()


@torch.inference_mode(mode=False)  # weights made in inference mode could not be moved or converted
@no_type_check  # what users pass is checked below, with messages of our own
def from_pretrained(
    name_or_path: str | os.PathLike | None = None,
    *,
    stage: str | Stage = FASTEST,
    device: str | torch.device | None = None,
    dtype: str | torch.dtype | None = None,
    weights: str | torch.dtype | None = None,
    kv_dtype: str | torch.dtype | None = None,
    parallel: str | Ranks | None = None,
) -> Model:
    """Load a model: None for SmolLM2-135M-Instruct, or a folder, a `.gguf` file or a hub id.

    `device` defaults to the best there is (xpu, cuda, cpu), `dtype` to the one that
    its configuration names, or else to that of its weights. `weights` is the format that matrices are kept in:
    "stored" as a GGUF file or a quantised folder packs them, which is the default, or dense in `dtype` where one is
    given; a number format; or "q4_0", "q4_1" or "q8_0", quantised while they are loaded. `kv_dtype="int8"` keeps keys
    and values in eight bits, with a scale for each token and head: about half of the memory of 16 bits, and rounded, so
    that tokens may differ.
    `parallel="auto"`: where torchrun started several processes, each has a part of the model on its own device, and
    all of them must call the model alike; in a single process it changes nothing.
    Raises ValueError or FileNotFoundError naming the argument, tensor or file that is wrong.
    """
    stage = pick_stage(stage)
    kv_dtype = pick_kv_dtype(kv_dtype, stage)
    device = pick_device(device)
    dtype = pick_dtype(dtype)
    weight_format = pick_weights(weights, dtype)
    ranks = pick_ranks(parallel, device)
    checkpoint = open_checkpoint(name_or_path)
    return load_model(
        checkpoint,
        stage,
        device_of_rank(device, ranks),
        dtype or pick_dtype(checkpoint.dtype),
        weight_format,
        ranks,
        kv_dtype,
    )


@torch.inference_mode(mode=False)
@no_type_check
def from_module(
    hf_model: PreTrainedModel, stage: Stage, kv_dtype: torch.dtype | None = None
) -> Model:
    """A model on the weights of a transformers model in memory; see `tinyllm.optimize`."""
    hf_config = config_in(hf_model)
    family = family_of(hf_config)
    hf_class = causal_lm_class(hf_model, family)
    weights = ModuleWeights(hf_model, family.name_today)
    config = config_of(family, hf_config, weights)
    check_parts(hf_model, hf_class)
    config = with_embedding_scale(config, hf_model)
    model = empty_model(config, stage, kv_dtype=kv_dtype)
    merge_weights(model, family, weights)
    read_frequencies(model.rotary, config, hf_config, hf_model)
    model.generation_config = hf_model.generation_config
    return model.bind_stage_kernels()
