"""transformers' own logits processors, chosen by the options of a call."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import (
    EncoderNoRepeatNGramLogitsProcessor,
    EncoderRepetitionPenaltyLogitsProcessor,
    EpsilonLogitsWarper,
    EtaLogitsWarper,
    ExponentialDecayLengthPenalty,
    ForcedBOSTokenLogitsProcessor,
    ForcedEOSTokenLogitsProcessor,
    InfNanRemoveLogitsProcessor,
    LogitNormalization,
    LogitsProcessor,
    LogitsProcessorList,
    MinLengthLogitsProcessor,
    MinPLogitsWarper,
    NoBadWordsLogitsProcessor,
    NoRepeatNGramLogitsProcessor,
    PrefixConstrainedLogitsProcessor,
    RepetitionPenaltyLogitsProcessor,
    SequenceBiasLogitsProcessor,
    SuppressTokensAtBeginLogitsProcessor,
    SuppressTokensLogitsProcessor,
    TemperatureLogitsWarper,
    TopHLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
    TypicalLogitsWarper,
)

from tinyllm.generation.criteria import with_custom
from tinyllm.generation.lengths import least_length
from tinyllm.generation.values import token_list

if TYPE_CHECKING:
    from tinyllm.generation.options import CallOptions

PrefixFunction = Callable[[int, Tensor], list[int]]
# Values with which an option makes no processor; None never does.
IDLE = {
    "encoder_repetition_penalty": (1.0,),
    "repetition_penalty": (1.0,),
    "no_repeat_ngram_size": (0,),
    "encoder_no_repeat_ngram_size": (0,),
    "min_length": (0,),
    "remove_invalid_values": (False,),
    "temperature": (1.0,),
    "top_k": (0,),
    "top_p": (1.0,),
    "typical_p": (1.0,),
    "epsilon_cutoff": (0.0, 1.0),
    "eta_cutoff": (0.0, 1.0),
    "renormalize_logits": (False,),
}


class MinLength(MinLengthLogitsProcessor):
    """transformers' processor, which compares end tokens with the vocabulary at every step; this one does not."""

    def __init__(self, min_length: int, eos_token_id: Int[Tensor, " n"], vocab_size: int) -> None:
        super().__init__(min_length, eos_token_id)
        is_known = (eos_token_id >= 0) & (eos_token_id < vocab_size)
        self.known = eos_token_id[is_known]

    def __call__(
        self, input_ids: Int[Tensor, "r t"], scores: Float[Tensor, "r v"]
    ) -> Float[Tensor, "r v"]:
        """No end token may be chosen while a sequence is too short."""
        if input_ids.shape[1] >= self.min_length:
            return scores
        return scores.index_fill(1, self.known, -math.inf)


def processors(
    options: CallOptions,
    input_ids: Int[Tensor, "b t"],
    attention_mask: Int[Tensor, "r t"] | None,
    total: int,
    vocab_size: int,
    *,
    custom: list,
    prefix_allowed_tokens_fn: PrefixFunction | None = None,
) -> LogitsProcessorList:
    """What changes the scores before a token is chosen, in the order in which transformers applies it.

    Raises ValueError where a processor needs end tokens of the vocabulary, and there are none.
    """
    check_length_penalty(options, vocab_size)
    device = input_ids.device
    values = vars(options) | {"prefix_allowed_tokens_fn": prefix_allowed_tokens_fn}
    values["min_length"] = least_length(options, input_ids.shape[1])
    if not token_list(options.eos_token_id):
        values["min_length"] = 0
    parts = text_processors(options, input_ids, attention_mask, total, vocab_size)
    chosen = build_processors(values, parts)
    chosen = with_custom(chosen, custom)
    if options.do_sample:
        chosen.extend(build_processors(values, warpers(options, device)))
    last = {
        "watermarking_config": lambda config: config.construct_processor(vocab_size, device),
        "renormalize_logits": lambda _: LogitNormalization(),
    }
    chosen.extend(build_processors(values, last))
    return chosen


def check_length_penalty(options: CallOptions, vocab_size: int) -> None:
    """Raise ValueError for an `exponential_decay_length_penalty` without scores of end tokens to raise."""
    ends = token_list(options.eos_token_id)
    if options.exponential_decay_length_penalty is None:
        return
    if not ends or max(ends) >= vocab_size:
        raise ValueError(
            f"exponential_decay_length_penalty with eos_token_id={ends or None}: expected end tokens of "
            f"at most {vocab_size - 1}; pass eos_token_id"
        )


def build_processors(
    values: dict[str, Any], parts: dict[str, Callable[[Any], LogitsProcessor]]
) -> LogitsProcessorList:
    """A processor for every option of `parts` that has a value, in their order."""
    given = {name: values.get(name) for name in parts}
    return LogitsProcessorList(
        parts[name](value)
        for name, value in given.items()
        if value is not None and not (name in IDLE and value in IDLE[name])
    )


def text_processors(
    options: CallOptions,
    input_ids: Int[Tensor, "b t"],
    attention_mask: Int[Tensor, "r t"] | None,
    total: int,
    vocab_size: int,
) -> dict[str, Callable[[Any], LogitsProcessor]]:
    """Options that depend on the text, on its length or on neither, and transformers' processor for each."""
    device = input_ids.device
    prompt_tokens = input_ids.shape[1]
    copies = max(options.num_beams or 1, options.num_return_sequences or 1)
    padding = None if attention_mask is None else (attention_mask != 0).int().argmax(dim=1)
    eos = None
    if options.eos_token_id is not None:
        eos = torch.tensor(token_list(options.eos_token_id), dtype=torch.int64, device=device)
    begin = prompt_tokens
    if prompt_tokens == 1 and options.forced_bos_token_id is not None:
        begin += 1  # the first new token is forced
    return {
        "sequence_bias": SequenceBiasLogitsProcessor,
        "encoder_repetition_penalty": lambda penalty: EncoderRepetitionPenaltyLogitsProcessor(
            penalty, input_ids
        ),
        "repetition_penalty": lambda penalty: repetition_penalty(penalty, padding),
        "no_repeat_ngram_size": NoRepeatNGramLogitsProcessor,
        "encoder_no_repeat_ngram_size": lambda size: EncoderNoRepeatNGramLogitsProcessor(
            size, input_ids
        ),
        "bad_words_ids": lambda words: NoBadWordsLogitsProcessor(words, eos),
        "min_length": lambda least: MinLength(least, eos, vocab_size),
        "prefix_allowed_tokens_fn": lambda allowed: PrefixConstrainedLogitsProcessor(
            allowed, copies
        ),
        "forced_bos_token_id": ForcedBOSTokenLogitsProcessor,
        "forced_eos_token_id": lambda tokens: ForcedEOSTokenLogitsProcessor(
            total, tokens, device=device
        ),
        "remove_invalid_values": lambda _: InfNanRemoveLogitsProcessor(),
        "exponential_decay_length_penalty": lambda penalty: ExponentialDecayLengthPenalty(
            penalty, eos, prompt_tokens
        ),
        "suppress_tokens": lambda tokens: SuppressTokensLogitsProcessor(tokens, device=device),
        "begin_suppress_tokens": lambda tokens: SuppressTokensAtBeginLogitsProcessor(
            tokens, begin, device=device
        ),
    }


def repetition_penalty(
    penalty: float, padding: Int[Tensor, " b"] | None
) -> RepetitionPenaltyLogitsProcessor:
    """Transformers' own, which spares padding; releases that do not know of it count padding as text."""
    try:
        return RepetitionPenaltyLogitsProcessor(penalty, prompt_ignore_length=padding)
    except ValueError:
        return RepetitionPenaltyLogitsProcessor(penalty)


def warpers(
    options: CallOptions, device: torch.device
) -> dict[str, Callable[[Any], LogitsProcessor]]:
    """Options that narrow a distribution before a token is drawn from it, after everything else."""
    keep = 1
    if (
        options.num_beams or 1
    ) > 1:  # beams must be able to continue where the best token is an end
        keep += 1 if options.eos_token_id is None else len(token_list(options.eos_token_id))

    def at_least(kind: type[LogitsProcessor], **arguments: Any) -> Callable:
        return lambda value: kind(value, min_tokens_to_keep=keep, **arguments)

    return {
        "temperature": TemperatureLogitsWarper,
        "top_h": TopHLogitsWarper,
        "top_k": at_least(TopKLogitsWarper),
        "top_p": at_least(TopPLogitsWarper),
        "min_p": at_least(MinPLogitsWarper),
        "typical_p": at_least(TypicalLogitsWarper),
        "epsilon_cutoff": at_least(EpsilonLogitsWarper),
        "eta_cutoff": at_least(EtaLogitsWarper, device=device),
    }
