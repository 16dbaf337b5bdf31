"""`generate`: from the options of a call to the search that carries it out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, no_type_check

import torch
from jaxtyping import Int
from torch import Tensor

from tinyllm.generation.beams import beam_options
from tinyllm.generation.one_by_one import drawn, most_likely
from tinyllm.generation.options import check_length, pad_token, resolve, token_list, total_length
from tinyllm.generation.output import beam_output, output
from tinyllm.generation.prompt import check_cache, check_ids, check_left_padding, check_mask
from tinyllm.generation.request import Record, Request, repeated
from tinyllm.generation.waves import in_waves, waves
from tinyllm.plan import check_budget, room_for

if TYPE_CHECKING:
    from transformers import GenerationConfig, LogitsProcessorList, PreTrainedTokenizerBase, StoppingCriteriaList
    from transformers.generation import GenerateBeamDecoderOnlyOutput, GenerateDecoderOnlyOutput
    from transformers.generation.streamers import BaseStreamer

    from tinyllm.cache import Cache
    from tinyllm.decoder import Decoder


@no_type_check
def generate(
    model: Decoder,
    input_ids: Tensor,
    attention_mask: Tensor | None = None,
    generation_config: GenerationConfig | None = None,
    *,
    streamer: BaseStreamer | None = None,
    logits_processor: LogitsProcessorList | None = None,
    stopping_criteria: StoppingCriteriaList | None = None,
    tokenizer: PreTrainedTokenizerBase | None = None,
    past_key_values: Cache | None = None,
    split_batch: bool = False,
    memory_budget: int | float | None = None,
    **kwargs: Any,
) -> Tensor | GenerateDecoderOnlyOutput | GenerateBeamDecoderOnlyOutput:
    """See `Decoder.generate`."""
    own = {"streamer": streamer, "tokenizer": tokenizer, "past_key_values": past_key_values}
    own |= {"logits_processor": logits_processor, "stopping_criteria": stopping_criteria}
    check_budget(memory_budget)
    options = resolve(model.generation_config, generation_config, kwargs, model.config)
    request = prepare(model, input_ids, attention_mask, options, **own)
    room = room_for(model, request, memory_budget)
    if room is None or room.takes(request.prompts):
        return carry_out(model, request, options)
    trim = not logits_processor and not stopping_criteria  # the caller's own parts see the text as it was passed
    plan = waves(request, room.prompts, trim=trim) if split_batch or memory_budget is not None else []
    if not plan:
        raise MemoryError(room.too_small())
    if streamer or past_key_values or options.return_dict_in_generate:
        raise ValueError(
            f"{request.prompts} prompts do not fit at once and are answered in {len(plan)} waves: expected plain "
            "sequences as result, without streamer, past_key_values or return_dict_in_generate"
        )

    def answer(ids: Tensor, mask: Tensor | None, options: GenerationConfig) -> Tensor:
        return carry_out(model, prepare(model, ids, mask, options, **own), options)

    return in_waves(answer, request, options, plan)


@no_type_check
def prepare(
    model: Decoder,
    input_ids: Tensor,
    attention_mask: Tensor | None,
    options: GenerationConfig,
    *,
    streamer: BaseStreamer | None,
    logits_processor: LogitsProcessorList | None,
    stopping_criteria: StoppingCriteriaList | None,
    tokenizer: PreTrainedTokenizerBase | None,
    past_key_values: Cache | None,
) -> Request:
    """Check what was passed, before any work is done, and choose the parts that carry it out."""
    from tinyllm.generation.parts import criteria, processors

    check_ids(input_ids, model.config)
    input_ids = input_ids.to(model.device, torch.int64)
    mask = padding_of(input_ids, attention_mask, options)
    check_cache(past_key_values, model, input_ids)
    width, answers = options.num_beams or 1, options.num_return_sequences or 1
    if streamer is not None and width > 1:
        raise ValueError(f"streamer with num_beams={width}: expected num_beams=1; beams are not final before the end")
    total = total_length(options, input_ids.shape[1], model.config)
    stop = criteria(options, total, model.device, tokenizer or model.tokenizer, stopping_criteria or [])
    check_length(stop.max_length, input_ids.shape[1], options, model.config)
    asked = options.return_dict_in_generate
    watchers = [part for part in stop if getattr(part, "stops_nothing", False)]
    for watcher in watchers:
        stop.remove(watcher)
    watched = [part for part in stopping_criteria or [] if part not in watchers]
    record = Record([] if asked and options.output_scores else None, [] if asked and options.output_logits else None)
    copies = max(width, answers)
    return Request(
        input_ids=input_ids,
        mask=mask,
        copies=copies,
        longest=total,
        total=stop.max_length,
        pad=pad_token(options) if any(hasattr(criterion, "eos_token_id") for criterion in stop) else None,
        choose=drawn if options.do_sample else most_likely,
        processors=processors(options, input_ids, repeated(mask, copies), logits_processor or []),
        criteria=stop,
        streamer=streamer,
        watched=bool(asked or streamer or logits_processor or watched),
        watchers=tuple(watchers),
        beams=beam_options(options) if width > 1 else None,
        cache=past_key_values,
        record=record,
    )


@torch.no_grad()  # inference mode is the step's: what is returned stays an ordinary tensor
def carry_out(
    model: Decoder, request: Request, options: GenerationConfig
) -> Tensor | GenerateDecoderOnlyOutput | GenerateBeamDecoderOnlyOutput:
    """The search that was asked for, and its result in the form that was asked for."""
    if request.streamer is not None:
        request.streamer.put(request.rows.cpu())
    search, whole = model.searches.take(model, request), options.return_dict_in_generate
    try:
        search.run()
        found, cache = search.found(), search.cache
    except BaseException:
        search.close()
        raise
    if request.streamer is not None:
        request.streamer.end()
    if whole:  # the cache is the caller's from now on
        search.close()
        return (output if request.beams is None else beam_output)(found, request, cache, options)
    model.searches.put(search)
    return found if request.beams is None else found.sequences


def padding_of(
    input_ids: Int[Tensor, "b t"], attention_mask: object, options: GenerationConfig
) -> Int[Tensor, "b t"] | None:
    """The checked mask, or the one that pad tokens imply as in transformers; None where nothing is padded."""
    if attention_mask is not None:
        check_mask(attention_mask, input_ids)
        mask = attention_mask.to(input_ids.device, torch.int64)
    elif options.pad_token_id is not None and options.pad_token_id not in token_list(options.eos_token_id):
        mask = (input_ids != options.pad_token_id).long()
        check_mask(mask, input_ids)
    else:
        return None
    check_left_padding(mask)
    return None if mask.all() else mask
