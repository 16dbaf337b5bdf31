"""`generate`: from the options of a call to the search that carries it out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, no_type_check

import torch
from jaxtyping import Int
from torch import Tensor

from tinyllm.generation.one_by_one import Record, Request, decode, drawn, most_likely
from tinyllm.generation.options import check_length, resolve, token_list, total_length
from tinyllm.generation.prompt import check_ids, check_left_padding, check_mask

if TYPE_CHECKING:
    from transformers import GenerationConfig, LogitsProcessorList, PreTrainedTokenizerBase, StoppingCriteriaList
    from transformers.generation import GenerateDecoderOnlyOutput
    from transformers.generation.streamers import BaseStreamer

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
    **kwargs: Any,
) -> Tensor | GenerateDecoderOnlyOutput:
    """See `Decoder.generate`."""
    check_ids(input_ids, model.config)
    options = resolve(model.generation_config, generation_config, kwargs, model.config)
    total = total_length(options, input_ids.shape[1], model.config)
    input_ids = input_ids.to(model.device, torch.int64)
    mask = padding_of(input_ids, attention_mask, options)
    input_ids, mask = repeated(input_ids, mask, options.num_return_sequences or 1)
    from tinyllm.generation.parts import criteria, processors

    stop = criteria(options, total, tokenizer or model.tokenizer, stopping_criteria or [])
    check_length(stop.max_length, input_ids.shape[1], options, model.config)
    ended = any(hasattr(criterion, "eos_token_id") for criterion in stop)
    asked = options.return_dict_in_generate
    record = Record([] if asked and options.output_scores else None, [] if asked and options.output_logits else None)
    pad = token_list(options.pad_token_id) or token_list(options.eos_token_id)
    request = Request(
        input_ids=input_ids,
        mask=mask,
        total=stop.max_length,
        pad=pad[0] if ended else None,
        choose=drawn if options.do_sample else most_likely,
        processors=processors(options, input_ids, mask, logits_processor or []),
        criteria=stop,
        streamer=streamer,
        record=record,
    )
    if streamer is not None:
        streamer.put(input_ids.cpu())
    sequences = decode(model, request)
    if streamer is not None:
        streamer.end()
    return _as_output(sequences, record) if asked else sequences


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


def repeated(
    input_ids: Int[Tensor, "b t"], mask: Int[Tensor, "b t"] | None, times: int
) -> tuple[Int[Tensor, "r t"], Int[Tensor, "r t"] | None]:
    """Every prompt `times` over, side by side: one row for each answer, as transformers does."""
    return tuple(None if x is None else x.repeat_interleave(times, dim=0) for x in (input_ids, mask))


def _as_output(sequences: Int[Tensor, "b total"], record: Record) -> GenerateDecoderOnlyOutput:
    from transformers.generation import GenerateDecoderOnlyOutput

    scores, logits = (None if kept is None else tuple(kept) for kept in (record.scores, record.logits))
    return GenerateDecoderOnlyOutput(sequences=sequences, scores=scores, logits=logits)
