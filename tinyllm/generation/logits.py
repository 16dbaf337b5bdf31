"""transformers' own logits processors and stopping criteria, chosen by the options of a call."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Int
from torch import Tensor
from transformers import (
    EncoderNoRepeatNGramLogitsProcessor,
    EncoderRepetitionPenaltyLogitsProcessor,
    EosTokenCriteria,
    EpsilonLogitsWarper,
    EtaLogitsWarper,
    ExponentialDecayLengthPenalty,
    ForcedBOSTokenLogitsProcessor,
    ForcedEOSTokenLogitsProcessor,
    GenerationConfig,
    InfNanRemoveLogitsProcessor,
    LogitNormalization,
    LogitsProcessor,
    LogitsProcessorList,
    MaxLengthCriteria,
    MaxTimeCriteria,
    MinLengthLogitsProcessor,
    MinPLogitsWarper,
    NoBadWordsLogitsProcessor,
    NoRepeatNGramLogitsProcessor,
    PrefixConstrainedLogitsProcessor,
    RepetitionPenaltyLogitsProcessor,
    SequenceBiasLogitsProcessor,
    StoppingCriteria,
    StoppingCriteriaList,
    StopStringCriteria,
    SuppressTokensAtBeginLogitsProcessor,
    SuppressTokensLogitsProcessor,
    TemperatureLogitsWarper,
    TopHLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
    TypicalLogitsWarper,
)

from tinyllm.generation.lengths import least_length
from tinyllm.generation.values import token_list

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from tinyllm.generation.request import Request

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


def processors(
    options: GenerationConfig,
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
    chosen = build_processors(values, text_processors(options, input_ids, attention_mask, total))
    chosen = with_custom(chosen, custom)
    if options.do_sample:
        chosen.extend(build_processors(values, warpers(options, device)))
    last = {
        "watermarking_config": lambda config: config.construct_processor(vocab_size, device),
        "renormalize_logits": lambda _: LogitNormalization(),
    }
    chosen.extend(build_processors(values, last))
    return chosen


def check_length_penalty(options: GenerationConfig, vocab_size: int) -> None:
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
    options: GenerationConfig,
    input_ids: Int[Tensor, "b t"],
    attention_mask: Int[Tensor, "r t"] | None,
    total: int,
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
        "min_length": lambda least: MinLengthLogitsProcessor(least, eos, device=device),
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
    options: GenerationConfig, device: torch.device
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


def criteria(
    options: GenerationConfig,
    total: int,
    device: torch.device,
    tokenizer: PreTrainedTokenizerBase | None,
    custom: list,
) -> StoppingCriteriaList:
    """What ends a sequence. Raises ValueError where stop strings are given and there is no tokenizer."""
    chosen = StoppingCriteriaList([MaxLengthCriteria(max_length=total)])
    if options.max_time is not None:
        chosen.append(MaxTimeCriteria(max_time=options.max_time))
    if options.stop_strings is not None:
        if tokenizer is None:
            raise ValueError(
                "stop_strings need a tokenizer: pass tokenizer=, or load a model that has one"
            )
        chosen.append(StopStringCriteria(tokenizer=tokenizer, stop_strings=options.stop_strings))
    if options.eos_token_id is not None:
        ends = torch.tensor(token_list(options.eos_token_id), dtype=torch.int64, device=device)
        chosen.append(
            EosTokenCriteria(eos_token_id=ends)
        )  # on the device, so that no step sends them
    return with_custom(chosen, custom)


def with_custom(chosen: list, custom: list) -> list:
    """The caller's own after those `chosen` by options, or in the place of one of the same type, as in transformers."""
    own = {type(part): part for part in reversed(custom)}
    parts = type(chosen)(own.get(type(part), part) for part in chosen)
    parts.extend(part for part in custom if part not in parts)
    return parts


# Parts that read the length and the last token alone, if anything: the same work in every step.
REPLAYABLE_PROCESSORS = (
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
    MinPLogitsWarper,
    MinLengthLogitsProcessor,
)
REPLAYABLE_CRITERIA = (MaxLengthCriteria, EosTokenCriteria)
# Parts that padding before the text changes nothing for.
FREE_OF_PADDING = (*REPLAYABLE_PROCESSORS, RepetitionPenaltyLogitsProcessor)


def replayable(request: Request) -> bool:
    """Whether the steps of a request may be captured and replayed: no part reads the text, or keeps anything."""
    known = all(type(part) in REPLAYABLE_PROCESSORS for part in request.processors)
    ends = all(type(part) in REPLAYABLE_CRITERIA for part in request.criteria)
    return known and ends and request.record.scores is None and request.record.logits is None


def reads_padding(request: Request) -> bool:
    """Whether a processor may read the padding before a prompt as text."""
    return not all(type(part) in FREE_OF_PADDING for part in request.processors)


def min_lengths(processors: LogitsProcessorList) -> list[int]:
    """The lengths up to which no sequence may end."""
    return [part.min_length for part in processors if isinstance(part, MinLengthLogitsProcessor)]


def session_key(request: Request) -> tuple:
    """What requests have in common that may go through the same captured steps."""
    parts = (
        part
        for part in (*request.processors, *request.criteria)
        if not isinstance(part, MaxLengthCriteria)
    )
    settings = tuple((type(part).__name__, _settings(part)) for part in parts)
    padded = request.mask is not None
    return (
        request.prompts,
        request.copies,
        padded,
        request.select,
        request.pad,
        request.beams,
        request.output_logprobs,
        settings,
    )


def _settings(part: LogitsProcessor | StoppingCriteria) -> str:
    """What a part was made with, but for lengths, which are read in every step.

    Of tensors the numbers: their text would take a GPU several launches, in front of the prefill's.
    """
    values = {name: value for name, value in vars(part).items() if name != "min_length"}
    return str({name: x.tolist() if isinstance(x, Tensor) else x for name, x in values.items()})
