"""transformers' own logits processors and stopping criteria, chosen by the options of a call."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from jaxtyping import Int
from torch import Tensor
from transformers import (
    EosTokenCriteria,
    GenerationConfig,
    LogitsProcessorList,
    MaxLengthCriteria,
    MaxTimeCriteria,
    MinLengthLogitsProcessor,
    MinPLogitsWarper,
    NoRepeatNGramLogitsProcessor,
    RepetitionPenaltyLogitsProcessor,
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
    options: GenerationConfig, input_ids: Int[Tensor, "b t"], attention_mask: Int[Tensor, "r t"] | None, custom: list
) -> LogitsProcessorList:
    """What changes the scores before a token is chosen, in the order in which transformers applies it."""
    chosen = LogitsProcessorList()
    eos, least = token_list(options.eos_token_id), least_length(options, input_ids.shape[1])
    if options.repetition_penalty not in (None, 1.0):
        padding = None if attention_mask is None else (attention_mask != 0).int().argmax(dim=1)
        chosen.append(repetition_penalty(options.repetition_penalty, padding))
    if options.no_repeat_ngram_size:
        chosen.append(NoRepeatNGramLogitsProcessor(options.no_repeat_ngram_size))
    if least and eos:
        chosen.append(MinLengthLogitsProcessor(least, eos, device=input_ids.device))
    chosen = merged(chosen, custom)
    if options.do_sample:
        chosen.extend(warpers(options))
    return chosen


def repetition_penalty(penalty: float, padding: Int[Tensor, " b"] | None) -> RepetitionPenaltyLogitsProcessor:
    """Transformers' own, which spares padding; releases that do not know of it count padding as text."""
    try:
        return RepetitionPenaltyLogitsProcessor(penalty, prompt_ignore_length=padding)
    except ValueError:
        return RepetitionPenaltyLogitsProcessor(penalty)


def warpers(options: GenerationConfig) -> LogitsProcessorList:
    """What narrows a distribution before a token is drawn from it, after everything else."""
    chosen = LogitsProcessorList()
    beams = (options.num_beams or 1) > 1  # which must be able to go on where the best token is an end
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
    options: GenerationConfig, total: int, device: torch.device, tokenizer: PreTrainedTokenizerBase | None, custom: list
) -> StoppingCriteriaList:
    """What ends a sequence. Raises ValueError where stop strings are given and there is no tokenizer."""
    chosen = StoppingCriteriaList([MaxLengthCriteria(max_length=total)])
    if options.max_time is not None:
        chosen.append(MaxTimeCriteria(max_time=options.max_time))
    if options.stop_strings is not None:
        if tokenizer is None:
            raise ValueError("stop_strings need a tokenizer: pass tokenizer=, or load a model that has one")
        chosen.append(StopStringCriteria(tokenizer=tokenizer, stop_strings=options.stop_strings))
    if options.eos_token_id is not None:
        ends = torch.tensor(token_list(options.eos_token_id), device=device)  # there, so that no step sends them
        chosen.append(EosTokenCriteria(eos_token_id=ends))
    return merged(chosen, custom)


def merged(chosen: list, custom: list) -> list:
    """The caller's own after those `chosen` by options, or in the place of one of the same type, as in transformers."""
    own = {type(part): part for part in reversed(custom)}
    parts = type(chosen)(own.get(type(part), part) for part in chosen)
    parts.extend(part for part in custom if part not in parts)
    return parts


# What looks at a text's length and its last token alone, if at anything: the same work in every turn.
ANYWHERE = (TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper, MinPLogitsWarper, MinLengthLogitsProcessor)
AT_THE_END = (MaxLengthCriteria, EosTokenCriteria)


def replayable(request: Request) -> bool:
    """Whether the turns of a request may be captured and replayed: none of its parts sees a text, or keeps anything."""
    known = all(type(part) in ANYWHERE for part in request.processors)
    ends = all(type(part) in AT_THE_END for part in request.criteria)
    return known and ends and request.record.scores is None and request.record.logits is None


def least_lengths(processors: LogitsProcessorList) -> list[int]:
    """The lengths up to which an end is kept out."""
    return [part.min_length for part in processors if isinstance(part, MinLengthLogitsProcessor)]


def kind(request: Request) -> tuple:
    """What requests have in common that may go through the same captured turns."""
    parts = (part for part in (*request.processors, *request.criteria) if not isinstance(part, MaxLengthCriteria))
    said = tuple((type(part).__name__, _said(part)) for part in parts)
    shape = (len(request.input_ids), request.copies, request.mask is not None, request.choose, request.pad)
    return (*shape, request.beams, said)


def _said(part: object) -> str:
    """What a part was made with, but for lengths, which are looked at in every turn."""
    return str({name: value for name, value in vars(part).items() if name != "min_length"})
