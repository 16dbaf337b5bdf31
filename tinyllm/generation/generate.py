"""`generate`: from the options of a call to the session that carries it out."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any, no_type_check

import torch
from jaxtyping import Int
from torch import Tensor

from tinyllm.attention.mask import extend_mask
from tinyllm.cache import Cache, CachedText
from tinyllm.decoder import Decoder
from tinyllm.generation.batching import (
    even_size,
    generate_in_batches,
    generate_samples_in_batches,
    numbered,
    plan_batches,
)
from tinyllm.generation.beam_search import BeamResult, beam_options, beam_sampling
from tinyllm.generation.criteria import criteria
from tinyllm.generation.greedy_sample import SampleResult, SampleRows, argmax, sample
from tinyllm.generation.inputs import (
    check_cache,
    check_ids,
    check_left_padding,
    check_mask,
    pick_cache,
    pick_prompt,
)
from tinyllm.generation.lengths import check_length, total_length
from tinyllm.generation.memory import check_memory_budget, find_memory_budget
from tinyllm.generation.options import (
    CallOptions,
    check_on_answer,
    check_output_logprobs,
    pad_token,
    resolve,
)
from tinyllm.generation.output import beam_output, output
from tinyllm.generation.replay import reads_padding
from tinyllm.generation.request import (
    AnswerCallback,
    NoProcessors,
    Request,
    StepRecord,
    repeat_rows,
)
from tinyllm.generation.same_call import check_same_call
from tinyllm.generation.sessions import Sessions
from tinyllm.generation.values import token_list
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

    from tinyllm.generation.logits import PrefixFunction

    Output = Tensor | GenerateDecoderOnlyOutput | GenerateBeamDecoderOnlyOutput


@no_type_check
def generate(
    decoder: Decoder,
    stage: Stage,
    sessions: Sessions,
    defaults: dict[str, Any],
    input_ids: Tensor | None = None,
    attention_mask: Tensor | None = None,
    generation_config: GenerationConfig | None = None,
    *,
    inputs: Tensor | None = None,
    streamer: BaseStreamer | None = None,
    logits_processor: LogitsProcessorList | None = None,
    stopping_criteria: StoppingCriteriaList | None = None,
    prefix_allowed_tokens_fn: PrefixFunction | None = None,
    read_tokenizer: Callable[[], PreTrainedTokenizerBase | None],
    past_key_values: Cache | None = None,
    cache: Cache | None = None,
    split_batch: bool = False,
    memory_budget: int | float | None = None,
    output_logprobs: bool = False,
    on_answer: AnswerCallback | None = None,
    **kwargs: Any,
) -> Output:
    """See `tinyllm.model.Model.generate`; `defaults` are the checkpoint's own options.

    `read_tokenizer` is called where an option needs the tokenizer.
    """
    cache = pick_cache(cache, past_key_values)
    parts = {
        "streamer": streamer,
        "read_tokenizer": read_tokenizer,
        "cache": cache,
        "logits_processor": logits_processor,
        "stopping_criteria": stopping_criteria,
        "prefix_allowed_tokens_fn": prefix_allowed_tokens_fn,
        "output_logprobs": output_logprobs,
        "on_answer": on_answer,
    }
    check_memory_budget(memory_budget)
    options = resolve(defaults, generation_config, kwargs, decoder.config)
    check_output_logprobs(output_logprobs, options)
    check_on_answer(on_answer, options)
    input_ids = pick_prompt(input_ids, inputs, options)
    request = prepare(decoder, stage, input_ids, attention_mask, options, **parts)
    check_same_call(decoder, request, options, split_batch=split_batch, memory_budget=memory_budget)
    budget = find_memory_budget(decoder, stage, sessions, request, memory_budget)
    if budget is None or budget.fits_call:
        return run(decoder, stage, sessions, request, options)
    batches = []
    copies = request.copies
    if split_batch or memory_budget is not None:
        trim = not reads_padding(request) and not stopping_criteria
        batches = plan_batches(request, budget.max_prompts, trim=trim)
        if not batches:  # not even one prompt with all its samples fits
            copies = budget.max_copies(request.input_ids.shape[1])
            batches = plan_batches(request, lambda tokens: min(1, copies), trim=trim)
    if not batches:
        raise MemoryError(budget.too_small())
    if streamer or cache or prefix_allowed_tokens_fn or options.return_dict_in_generate:
        raise ValueError(
            f"{request.prompts} prompts do not fit at once and are answered in {len(batches)} batches: expected plain "
            "sequences as result, without streamer, past_key_values, prefix_allowed_tokens_fn and "
            "return_dict_in_generate"
        )

    def answer(rows: list[int], ids: Tensor, mask: Tensor | None, options: CallOptions) -> Tensor:
        if mask is None:  # otherwise pad tokens would be taken for padding
            mask = torch.ones_like(ids)
        numbers = [row * request.copies + i for row in rows for i in range(request.copies)]
        parts["on_answer"] = numbered(on_answer, numbers)
        if copies < request.copies:
            options = copy(options)
            options.num_return_sequences = even_size(request.copies, copies)
        part = prepare(decoder, stage, ids, mask, options, **parts)
        if copies < request.copies:
            return run_samples(decoder, stage, sessions, part, total=request.copies)
        return run(decoder, stage, sessions, part, options)

    return generate_in_batches(answer, request, options, batches)


@no_type_check
def prepare(
    decoder: Decoder,
    stage: Stage,
    input_ids: Tensor,
    attention_mask: Tensor | None,
    options: CallOptions,
    *,
    streamer: BaseStreamer | None,
    logits_processor: LogitsProcessorList | None,
    stopping_criteria: StoppingCriteriaList | None,
    prefix_allowed_tokens_fn: PrefixFunction | None,
    read_tokenizer: Callable[[], PreTrainedTokenizerBase | None],
    cache: Cache | None,
    output_logprobs: bool = False,
    on_answer: AnswerCallback | None = None,
) -> Request:
    """Check the arguments, before any work is done, and choose the parts that carry the call out."""
    config = decoder.config
    check_ids(input_ids, config)
    input_ids = input_ids.to(decoder.device, torch.int64)
    tokens = input_ids.shape[1]
    mask = padding_of(input_ids, attention_mask, options)
    check_cache(cache, stage, decoder, input_ids=input_ids, mask=mask)
    width = options.num_beams or 1
    if streamer is not None and width > 1:
        raise ValueError(
            f"streamer with num_beams={width}: expected num_beams=1; beams are not final before the end"
        )
    total = total_length(options, tokens, config)
    stop = criteria(options, total, decoder.device, read_tokenizer, stopping_criteria or [])
    check_length(stop.max_length, tokens, options, config)
    callbacks = [part for part in stop if getattr(part, "stops_nothing", False)]
    for callback in callbacks:
        stop.remove(callback)
    custom_criteria = [part for part in stopping_criteria or [] if part not in callbacks]
    wants_dict = options.return_dict_in_generate
    record = StepRecord(
        scores=[] if wants_dict and options.output_scores else None,
        logits=[] if wants_dict and options.output_logits else None,
    )
    copies = max(width, options.num_return_sequences or 1)
    has_ends = any(getattr(criterion, "eos_token_id", None) is not None for criterion in stop)
    chosen = NoProcessors()
    if logits_processor or prefix_allowed_tokens_fn is not None or not options.are_plain:
        from tinyllm.generation.logits import processors

        chosen = processors(
            options,
            input_ids,
            repeat_rows(mask, copies),
            total,
            config.vocab_size,
            custom=logits_processor or [],
            prefix_allowed_tokens_fn=prefix_allowed_tokens_fn,
        )
    select = beam_sampling() if width > 1 else sample
    own_parts = [streamer, logits_processor, prefix_allowed_tokens_fn, custom_criteria, on_answer]
    pad = pad_token(options) if has_ends else None
    # Every row stays where the caller gets the cache or sees the scores of all rows, and where ended rows grow on.
    keep_all = wants_dict or logits_processor or cache is not None or pad is None
    compacts = len(input_ids) * copies > 1 and not keep_all
    return Request(
        input_ids=input_ids,
        mask=mask,
        copies=copies,
        longest=total,
        total=stop.max_length,
        pad=pad,
        select=select if options.do_sample else argmax,
        processors=chosen,
        criteria=stop,
        streamer=streamer,
        watched=bool(wants_dict or any(own_parts)),
        callbacks=tuple(callbacks),
        beams=beam_options(options) if width > 1 else None,
        cache=cache,
        record=record,
        output_logprobs=output_logprobs,
        compacts=compacts,
        on_answer=on_answer,
    )


@torch.no_grad()
@torch.inference_mode(False)  # which is the step's alone: what is returned or kept is ordinary
def run(
    decoder: Decoder,
    stage: Stage,
    sessions: Sessions,
    request: Request,
    options: CallOptions,
) -> Output:
    """Run a session on the request; its result in the form that the options name."""
    if request.streamer is not None:
        request.streamer.put(request.rows.cpu())
    session = sessions.take(decoder, stage, request)
    try:
        session.run()
        result = session.result()
        cache = session.cache
    except BaseException:
        session.close()
        raise
    if request.streamer is not None:
        request.streamer.end()
    if options.return_dict_in_generate:  # the cache is the caller's from now on
        session.close()
        cache.text = cached_text(decoder, request, result, cache.length)
        if request.beams is None:
            return output(result, request, cache)
        return beam_output(result, request, cache, with_scores=bool(options.output_scores))
    sessions.put(session)
    return result.sequences


@torch.no_grad()
@torch.inference_mode(False)
def run_samples(
    decoder: Decoder, stage: Stage, sessions: Sessions, request: Request, *, total: int
) -> Int[Tensor, "n total"]:
    """`total` samples of the request's prompt, as many at a time as the request has copies."""
    rows = torch.zeros(request.copies, dtype=torch.int64, device=decoder.device)
    sampler = SampleRows(rows, total)
    session = sessions.take(decoder, stage, replace(request, select=sampler))
    try:
        return generate_samples_in_batches(session, sampler)
    finally:
        session.close()


def cached_text(
    decoder: Decoder,
    request: Request,
    result: SampleResult | BeamResult,
    held: int,
) -> CachedText:
    """What the first `held` tokens of a cache are, for `check_cache` of a later call."""
    if request.beams is not None:
        return CachedText(None, None, decoder.weights_digest)
    ids = result.sequences[:, :held].clone()
    mask = repeat_rows(request.mask, request.copies)
    if mask is not None:
        mask = extend_mask(mask, None, mask.shape[1], held - mask.shape[1])
    return CachedText(ids, mask, decoder.weights_digest)


def padding_of(
    input_ids: Int[Tensor, "b t"],
    attention_mask: Any,
    options: CallOptions,
) -> Int[Tensor, "b t"] | None:
    """The checked mask, or the one that pad tokens imply as in transformers; None where nothing is padded."""
    if attention_mask is not None:
        check_mask(attention_mask, input_ids)
        mask = attention_mask.to(input_ids.device, torch.int64)
    elif options.pad_token_id not in (None, *token_list(options.eos_token_id)):
        mask = (input_ids != options.pad_token_id).long()
        check_mask(mask, input_ids)
    else:
        return None
    check_left_padding(mask)
    return None if mask.all() else mask
