"""What `generate` returns where more than the sequences is requested: transformers' own classes."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from tinyllm.generation.beam_search import BeamResult
from tinyllm.generation.greedy_sample import SampleResult
from tinyllm.generation.request import Request

if TYPE_CHECKING:
    from transformers.generation import GenerateBeamDecoderOnlyOutput, GenerateDecoderOnlyOutput

    from tinyllm.cache import Cache


def output(result: SampleResult, request: Request, cache: Cache) -> GenerateDecoderOnlyOutput:
    """Of greedy decoding and sampling; the cache can be passed on to the next turn."""
    from transformers.generation import GenerateDecoderOnlyOutput

    scores, logits = request.record.as_tuples()
    answer = GenerateDecoderOnlyOutput(
        sequences=result.sequences,
        scores=scores,
        logits=logits,
        **{cache_field(GenerateDecoderOnlyOutput): cache},
    )
    if result.logprobs is not None:
        answer["logprobs"] = result.logprobs  # a field that transformers' class lacks
    return answer


def beam_output(
    result: BeamResult, request: Request, cache: Cache, *, with_scores: bool
) -> GenerateBeamDecoderOnlyOutput:
    """Of beam search: scores of the sequences, and for each of their tokens the beam that it continued."""
    from transformers.generation import GenerateBeamDecoderOnlyOutput

    scores, logits = request.record.as_tuples()
    answer = GenerateBeamDecoderOnlyOutput(
        sequences=result.sequences,
        sequences_scores=result.scores if with_scores else None,
        scores=scores,
        logits=logits,
        beam_indices=result.beam_indices,
        **{cache_field(GenerateBeamDecoderOnlyOutput): cache},
    )
    if result.logprobs is not None:
        answer["logprobs"] = result.logprobs
    return answer


def cache_field(output_class: type) -> str:
    """The field that holds the cache: `past_key_values`, or `cache` since transformers 5.24."""
    names = {field.name for field in fields(output_class)}
    return "cache" if "cache" in names else "past_key_values"


def cache_of(answer: GenerateDecoderOnlyOutput | GenerateBeamDecoderOnlyOutput) -> Cache:
    """The cache of an answer, in any release of transformers."""
    return answer[cache_field(type(answer))]
