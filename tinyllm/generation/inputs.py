"""Prompts, masks and caches of a call, checked before any work is done on them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Bool, Int
from torch import Tensor

if TYPE_CHECKING:
    from tinyllm.cache import Cache, CachedText
    from tinyllm.config import DecoderConfig
    from tinyllm.decoder import Decoder
    from tinyllm.generation.options import CallOptions
    from tinyllm.stages import Stage

INTEGERS = (torch.int32, torch.int64)
ORDER = ("attention_mask", "generation_config")
ORDER_OF_TRANSFORMERS = (
    "generation_config",
    "logits_processor",
    "stopping_criteria",
    "prefix_allowed_tokens_fn",
    "synced_gpus",
    "assistant_model",
    "streamer",
)


def pick_prompt(input_ids: Any, inputs: Any, options: CallOptions) -> Any:
    """The prompt under either of its names; without one, the token that begins a text."""
    if input_ids is not None and inputs is not None:
        raise ValueError("input_ids and inputs are both given: expected one, they are the same")
    if input_ids is None and inputs is None:
        if options.bos_token_id is None:
            raise ValueError("input_ids is missing: expected token ids [b, t], or a bos_token_id")
        return torch.tensor([[options.bos_token_id]], dtype=torch.int64, device="cpu")
    return inputs if input_ids is None else input_ids


def pick_cache(cache: Cache | None, past_key_values: Cache | None) -> Cache | None:
    """The cache under either of its names, the second of which transformers had before 5.24."""
    if cache is not None and past_key_values is not None:
        raise ValueError(
            "cache and past_key_values are both given: expected one, they are the same"
        )
    return past_key_values if cache is None else cache


def named_arguments(positional: tuple, named: dict[str, Any]) -> dict[str, Any]:
    """All arguments after the prompt by name; a configuration or a list of processors stands for transformers' order.

    Raises TypeError for too many, or for one that is given by position and by name.
    """
    if not positional:
        return named
    from transformers import GenerationConfig

    first, second = (*positional, None, None)[:2]
    order = ORDER
    if isinstance(first, GenerationConfig) or isinstance(second, list):
        order = ORDER_OF_TRANSFORMERS
    if len(positional) > len(order):
        raise TypeError(
            f"generate() got {1 + len(positional)} positional arguments: expected input_ids, {', '.join(order)}"
        )
    for name, value in zip(order, positional, strict=False):
        if value is not None and named.get(name) is not None:
            raise TypeError(f"generate() got {name} twice: by position and by name")
        if value is not None:
            named = {**named, name: value}
    return named


def check_ids(input_ids: Any, config: DecoderConfig) -> None:
    """Raise TypeError or ValueError unless these are token ids `[b, t]` of the vocabulary that fit the context."""
    if not isinstance(input_ids, Tensor):
        hint = "; unpack it: generate(**inputs)" if isinstance(input_ids, Mapping) else ""
        raise TypeError(
            f"input_ids is a {type(input_ids).__name__}: expected a tensor of token ids [b, t]{hint}"
        )
    if input_ids.ndim != 2 or input_ids.dtype not in INTEGERS:
        given = f"{list(input_ids.shape)} of {input_ids.dtype}"
        raise ValueError(f"input_ids has shape {given}: expected token ids [b, t] of torch.int64")
    if 0 in input_ids.shape:
        raise ValueError(
            f"input_ids is empty, shape {list(input_ids.shape)}: expected at least one token"
        )
    low, high = (int(end) for end in input_ids.aminmax())
    if low < 0 or high >= config.vocab_size:
        wrong = low if low < 0 else high
        raise ValueError(
            f"input_ids holds the token id {wrong}: expected 0 to {config.vocab_size - 1}"
        )
    if input_ids.shape[1] > config.max_position_embeddings:
        raise ValueError(
            f"the prompt has {input_ids.shape[1]} tokens: expected at most {config.max_position_embeddings}, the "
            "context of this model; shorten the prompt"
        )


def check_mask(attention_mask: Any, input_ids: Int[Tensor, "b t"]) -> None:
    """Raise TypeError or ValueError unless this is a mask of ones and zeros of the prompt's shape."""
    if not isinstance(attention_mask, Tensor):
        raise TypeError(
            f"attention_mask is a {type(attention_mask).__name__}: expected a tensor of 1 and 0 [b, t]"
        )
    if attention_mask.shape != input_ids.shape:
        raise ValueError(
            f"attention_mask has shape {list(attention_mask.shape)}: "
            f"expected that of input_ids, {list(input_ids.shape)}"
        )
    if not ((attention_mask == 0) | (attention_mask == 1)).all():
        raise ValueError(
            "attention_mask holds other values than 0 and 1: expected 1 for a token, 0 for padding"
        )
    empty = ~attention_mask.bool().any(dim=1)
    if empty.any():
        row = int(empty.nonzero()[0])
        raise ValueError(
            f"row {row} is nothing but padding: expected at least one token, a 1 in attention_mask"
        )


def check_left_padding(attention_mask: Int[Tensor, "b t"]) -> None:
    """Raise ValueError unless every row is zeros, then ones: generation continues after the last column."""
    falls = attention_mask.int().diff(dim=1) < 0
    if falls.any():
        row, column = (int(i) for i in falls.nonzero()[0])
        raise ValueError(
            f"row {row} has padding after a token, in column {column + 1}: expected padding on the left only, zeros "
            "then ones in attention_mask; set tokenizer.padding_side = 'left'"
        )


def check_cache(
    cache: Any,
    stage: Stage,
    decoder: Decoder,
    *,
    input_ids: Int[Tensor, "b t"],
    mask: Int[Tensor, "b t"] | None,
) -> None:
    """Raise TypeError or ValueError unless `cache` is of this stage and holds the beginning of these prompts.

    The tokens and weights of a cache are known where `generate` has returned it.
    """
    if cache is None:
        return
    if type(cache) is not stage.cache:
        kind = stage.cache.__name__
        raise TypeError(
            f"past_key_values is a {type(cache).__name__}: expected the {kind} of an earlier answer's output"
        )
    held = cache.length
    (b, t) = input_ids.shape
    if cache.logits_to_keep > 1:
        raise ValueError(
            f"past_key_values holds {cache.logits_to_keep} sequences of each prompt: expected one, of greedy "
            "decoding or a single sample; pass the whole text without it"
        )
    if cache.rows != b:
        raise ValueError(
            f"past_key_values holds {cache.rows} sequences: expected {b}, one for each row of input_ids"
        )
    if held >= t:
        raise ValueError(
            f"past_key_values holds {held} tokens of {t} in input_ids: expected fewer, at least one is new"
        )
    stored = cache.layers[0].segments[0].k.dtype
    expected = decoder.kv_dtype or decoder.dtype
    if stored != expected:
        raise ValueError(
            f"past_key_values holds keys and values in {stored}: expected {expected}, the format of this model; "
            "pass the whole text without it"
        )
    if cache.text is not None:
        check_cached_text(cache.text, decoder, held, input_ids=input_ids, mask=mask)


def check_cached_text(
    text: CachedText,
    decoder: Decoder,
    held: int,
    *,
    input_ids: Int[Tensor, "b t"],
    mask: Int[Tensor, "b t"] | None,
) -> None:
    """Raise ValueError unless the `held` tokens of a cache are the first of the prompts, taken in by this decoder."""
    hint = "pass the whole text without it"
    if text.weights != decoder.weights_digest:
        raise ValueError(
            "past_key_values holds keys and values of another model, or of this one before its weights or their format "
            f"changed: expected those of this model as it is; {hint}"
        )
    if text.ids is None:
        raise ValueError(
            "past_key_values holds the beams of a beam search, which are not the sequences that it returned: expected "
            f"the sequences of greedy decoding or sampling; {hint}"
        )
    if text.ids.device != input_ids.device:
        raise ValueError(
            f"past_key_values holds keys and values on {text.ids.device}: expected {input_ids.device}, where the model "
            f"is; {hint}"
        )
    if text.ids.shape[1] != held:
        raise ValueError(
            f"past_key_values holds {held} tokens, {text.ids.shape[1]} of them of its last answer and the others of a "
            f"call that failed: expected the first alone; {hint}"
        )
    known = torch.ones_like(text.ids) if text.mask is None else text.mask
    given = torch.ones_like(input_ids) if mask is None else mask
    _check_equal("other padding than attention_mask", known != given[:, :held])
    other_ids = text.ids != input_ids[:, :held]
    _check_equal("other tokens than input_ids", other_ids & (known == 1))


def _check_equal(given: str, not_equal: Bool[Tensor, "b t"]) -> None:
    """Raise ValueError where a token of a cache is not that of the prompt."""
    if not_equal.any():
        row, column = (int(i) for i in not_equal.nonzero()[0])
        raise ValueError(
            f"past_key_values holds {given} in row {row}, column {column}: expected the beginning of this prompt; "
            "pass the whole text without it"
        )
