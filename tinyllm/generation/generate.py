"""`generate`: from the options of a call to the search that carries it out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, no_type_check

import torch
from jaxtyping import Int
from torch import Tensor

from tinyllm.generation.beams import BeamOptions, Found, beam_search
from tinyllm.generation.one_by_one import decode, drawn, most_likely
from tinyllm.generation.options import check_length, resolve, token_list, total_length
from tinyllm.generation.prompt import check_ids, check_left_padding, check_mask
from tinyllm.generation.request import Record, Request, repeated

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
    **kwargs: Any,
) -> Tensor | GenerateDecoderOnlyOutput | GenerateBeamDecoderOnlyOutput:
    """See `Decoder.generate`."""
    check_ids(input_ids, model.config)
    options = resolve(model.generation_config, generation_config, kwargs, model.config)
    total = total_length(options, input_ids.shape[1], model.config)
    input_ids = input_ids.to(model.device, torch.int64)
    mask = padding_of(input_ids, attention_mask, options)
    check_cache(past_key_values, model, input_ids)
    width, copies = options.num_beams or 1, max(options.num_beams or 1, options.num_return_sequences or 1)
    if streamer is not None and width > 1:
        raise ValueError(
            f"streamer with num_beams={width}: expected num_beams=1; no beam is final before the last token"
        )
    from tinyllm.generation.parts import criteria, processors

    stop = criteria(options, total, tokenizer or model.tokenizer, stopping_criteria or [])
    check_length(stop.max_length, input_ids.shape[1], options, model.config)
    asked = options.return_dict_in_generate
    record = Record([] if asked and options.output_scores else None, [] if asked and options.output_logits else None)
    eos, pad = token_list(options.eos_token_id), token_list(options.pad_token_id)
    request = Request(
        input_ids=input_ids,
        mask=mask,
        copies=copies,
        longest=total,
        total=stop.max_length,
        pad=(pad or eos)[0] if any(hasattr(criterion, "eos_token_id") for criterion in stop) else None,
        choose=drawn if options.do_sample else most_likely,
        processors=processors(options, input_ids, repeated(mask, copies), logits_processor or []),
        criteria=stop,
        streamer=streamer,
        watched=bool(streamer or logits_processor or stopping_criteria or record.scores or record.logits),
        cache=past_key_values,
        record=record,
    )
    if width > 1:
        found, cache = beam_search(model, request, beam_options(options))
        return _beam_output(found, record, cache, options) if asked else found.sequences
    if streamer is not None:
        streamer.put(request.rows.cpu())
    sequences, cache = decode(model, request)
    if streamer is not None:
        streamer.end()
    return _as_output(sequences, record, cache) if asked else sequences


def beam_options(options: GenerationConfig) -> BeamOptions:
    """What a beam search is told. Where sequences end early they are filled up as transformers does it: pad token 0
    counts as none given."""
    eos, width = token_list(options.eos_token_id), options.num_beams
    pad = token_list(options.pad_token_id)
    return BeamOptions(
        width=width,
        kept=max(2, 1 + len(eos)) * width,
        returned=options.num_return_sequences or 1,
        length_penalty=1.0 if options.length_penalty is None else options.length_penalty,
        early_stopping=options.early_stopping or False,
        fill=((pad[0] if pad else 0) or eos[0]) if eos else -1,
    )


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


def check_cache(cache: object, model: Decoder, input_ids: Int[Tensor, "b t"]) -> None:
    """Raise TypeError or ValueError unless `cache` is of this stage and holds the beginning of these prompts."""
    if cache is None:
        return
    if not isinstance(cache, model.stage.cache):
        kind = getattr(model.stage.cache, "__name__", "cache")
        raise TypeError(
            f"past_key_values is a {type(cache).__name__}: expected the {kind} of an earlier answer's output"
        )
    held, (b, t) = cache.length, input_ids.shape
    if cache.rows != b:
        raise ValueError(f"past_key_values holds {cache.rows} sequences: expected {b}, one for each row of input_ids")
    if held >= t:
        raise ValueError(
            f"past_key_values holds {held} tokens of {t} in input_ids: expected fewer, at least one is new"
        )


def _as_output(sequences: Int[Tensor, "r total"], record: Record, cache: Cache) -> GenerateDecoderOnlyOutput:
    from transformers.generation import GenerateDecoderOnlyOutput

    scores, logits = record.as_tuples()
    return GenerateDecoderOnlyOutput(sequences=sequences, scores=scores, logits=logits, past_key_values=cache)


def _beam_output(
    found: Found, record: Record, cache: Cache, options: GenerationConfig
) -> GenerateBeamDecoderOnlyOutput:
    from transformers.generation import GenerateBeamDecoderOnlyOutput

    scores, logits = record.as_tuples()
    return GenerateBeamDecoderOnlyOutput(
        sequences=found.sequences,
        sequences_scores=found.scores if options.output_scores else None,
        scores=scores,
        logits=logits,
        beam_indices=found.parents,
        past_key_values=cache,
    )
