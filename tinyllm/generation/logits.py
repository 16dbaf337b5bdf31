"""transformers' own logits processors and stopping criteria, chosen by the options of a call."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from jaxtyping import Int
from torch import Tensor
from transformers import (
    EosTokenCriteria,
    GenerationConfig,
    LogitsProcessor,
    LogitsProcessorList,
    MaxLengthCriteria,
    MaxTimeCriteria,
    MinLengthLogitsProcessor,
    MinPLogitsWarper,
    NoRepeatNGramLogitsProcessor,
    RepetitionPenaltyLogitsProcessor,
    StoppingCriteria,
    StoppingCriteriaList,
    StopStringCriteria,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from tinyllm.generation.options import least_length, token_list

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from tinyllm.generation.request import Request


def processors(
    options: GenerationConfig,
    input_ids: Int[Tensor, "b t"],
    attention_mask: Int[Tensor, "r t"] | None,
    custom: list,
) -> LogitsProcessorList:
    """What changes the scores before a token is chosen, in the order in which transformers applies it."""
    chosen = LogitsProcessorList()
    eos = token_list(options.eos_token_id)
    least = least_length(options, input_ids.shape[1])
    if options.repetition_penalty not in (None, 1.0):
        padding = None if attention_mask is None else (attention_mask != 0).int().argmax(dim=1)
        chosen.append(repetition_penalty(options.repetition_penalty, padding))
    if options.no_repeat_ngram_size:
        chosen.append(NoRepeatNGramLogitsProcessor(options.no_repeat_ngram_size))
    if least and eos:
        chosen.append(MinLengthLogitsProcessor(least, eos, device=input_ids.device))
    chosen = with_custom(chosen, custom)
    if options.do_sample:
        chosen.extend(warpers(options))
    return chosen


def repetition_penalty(
    penalty: float, padding: Int[Tensor, " b"] | None
) -> RepetitionPenaltyLogitsProcessor:
    """Transformers' own, which spares padding; releases that do not know of it count padding as text."""
    try:
        return RepetitionPenaltyLogitsProcessor(penalty, prompt_ignore_length=padding)
    except ValueError:
        return RepetitionPenaltyLogitsProcessor(penalty)


def warpers(options: GenerationConfig) -> LogitsProcessorList:
    """What narrows a distribution before a token is drawn from it, after everything else."""
    chosen = LogitsProcessorList()
    beams = (
        options.num_beams or 1
    ) > 1  # which must be able to go on where the best token is an end
    keep = 1 + max(1, len(token_list(options.eos_token_id))) if beams else 1
    if options.temperature not in (None, 1.0):
        chosen.append(TemperatureLogitsWarper(options.temperature))
    if options.top_k:
        chosen.append(TopKLogitsWarper(options.top_k, min_tokens_to_keep=keep))
    if options.top_p is not None and options.top_p < 1:
        chosen.append(TopPLogitsWarper(options.top_p, min_tokens_to_keep=keep))
    if options.min_p is not None:
        chosen.append(MinPLogitsWarper(options.min_p, min_tokens_to_keep=keep))
    return chosen


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


def replayable(request: Request) -> bool:
    """Whether the steps of a request may be captured and replayed: no part reads the text, or keeps anything."""
    known = all(type(part) in REPLAYABLE_PROCESSORS for part in request.processors)
    ends = all(type(part) in REPLAYABLE_CRITERIA for part in request.criteria)
    return known and ends and request.record.scores is None and request.record.logits is None


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
        settings,
    )


def _settings(part: LogitsProcessor | StoppingCriteria) -> str:
    """What a part was made with, but for lengths, which are read in every step."""
    return str({name: value for name, value in vars(part).items() if name != "min_length"})
