"""Calls of `generate` drawn over all options and arguments, each answered by transformers too.

The tokens are the same, or both refuse, or ours refuses by name what `tinyllm.generation.options` lists as not
supported. Each option alone is in `test_processors.py`; here they meet. `DRAWS` is the number of calls, drawn anew
where it is given:

    DRAWS=5000 python -m pytest tests/generation/test_drawn_calls.py
"""

import copy
import os
import re
import warnings
from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from transformers import (
    CompileConfig,
    GenerationConfig,
    LogitsProcessorList,
    StoppingCriteriaList,
    WatermarkingConfig,
)

import models
import tinyllm
from tinyllm.generation.options import NEUTRAL, NO_OPTIONS, NOT_SUPPORTED, SUPPORTED

DRAWS = int(os.environ.get("DRAWS", 60))
VOCAB = 61
TOKEN = st.integers(0, VOCAB - 1)
TOKENS = st.lists(TOKEN, min_size=1, max_size=3)
BEYOND = st.sampled_from([-1, VOCAB, 50256])
FLAG = st.booleans()
SHARE = st.sampled_from([0.0, 0.05, 0.3, 0.7, 0.95, 1.0])
PENALTY = st.sampled_from([0.4, 0.9, 1.0, 1.3, 2.5])
COUNT = st.integers(0, 4)


def number(strategy):
    """Whole numbers of Python, numpy and torch."""
    return st.one_of(strategy, strategy.map(np.int64), strategy.map(torch.tensor))


# What is drawn for every option.
VALUES = {
    "max_length": st.integers(4, 24),
    "max_new_tokens": number(st.integers(1, 10)),
    "min_length": st.integers(0, 20),
    "min_new_tokens": COUNT,
    "early_stopping": st.sampled_from([True, False, "never"]),
    "max_time": st.sampled_from([1e-9, 1000.0]),
    "stop_strings": st.lists(st.sampled_from("abcdefghijkxyzX"), min_size=1, max_size=4),
    "do_sample": FLAG,
    "num_beams": number(st.integers(1, 4)),
    "num_return_sequences": st.integers(1, 3),
    "use_mtp": FLAG,
    "use_cache": FLAG,
    "cache_implementation": st.sampled_from(["dynamic", "hybrid", "sliding_window", "quantized"]),
    "cache_config": st.just({"nbits": 4}),
    "max_cache_len": st.integers(10, 40),
    "prefill_chunk_size": st.integers(1, 4),
    "compile_config": st.builds(CompileConfig),
    "disable_compile": FLAG,
    "continuous_batching_config": st.none(),
    "temperature": st.sampled_from([0.0, 0.3, 1.0, 1.8]),
    "top_k": st.sampled_from([-1, 0, 1, 5, 50, 100]),
    "top_p": SHARE,
    "min_p": SHARE,
    "top_h": SHARE,
    "typical_p": SHARE,
    "epsilon_cutoff": SHARE,
    "eta_cutoff": SHARE,
    "repetition_penalty": PENALTY,
    "encoder_repetition_penalty": PENALTY,
    "no_repeat_ngram_size": COUNT,
    "encoder_no_repeat_ngram_size": COUNT,
    "length_penalty": st.sampled_from([-3.0, -0.5, 0.0, 0.7, 1.0, 2.0, 100.0]),
    "bad_words_ids": st.lists(TOKENS, max_size=8),
    "sequence_bias": st.dictionaries(TOKENS.map(tuple), st.floats(-9, 9, width=16), max_size=5),
    "suppress_tokens": st.lists(TOKEN, max_size=30),
    "begin_suppress_tokens": st.lists(TOKEN, max_size=30),
    "forced_bos_token_id": TOKEN,
    "forced_eos_token_id": st.one_of(TOKEN, TOKENS),
    "exponential_decay_length_penalty": st.tuples(COUNT, PENALTY),
    "remove_invalid_values": FLAG,
    "renormalize_logits": FLAG,
    "watermarking_config": st.builds(
        WatermarkingConfig, bias=st.sampled_from([0.5, 4.0]), context_width=st.integers(1, 2)
    ),
    "guidance_scale": st.sampled_from([1.0, 1.5]),
    "token_healing": FLAG,
    "return_dict_in_generate": FLAG,
    "output_scores": FLAG,
    "output_logits": FLAG,
    "output_attentions": FLAG,
    "output_hidden_states": FLAG,
    "pad_token_id": st.one_of(number(TOKEN), st.just(0), BEYOND),
    "bos_token_id": st.one_of(TOKEN, BEYOND),
    "eos_token_id": st.one_of(
        number(TOKEN),
        st.lists(st.one_of(TOKEN, BEYOND), max_size=25),
        st.lists(TOKEN, min_size=1, max_size=9).map(torch.tensor),
    ),
    "decoder_start_token_id": TOKEN,
    "is_assistant": FLAG,
    "num_assistant_tokens": COUNT,
    "num_assistant_tokens_schedule": st.just("constant"),
    "assistant_confidence_threshold": SHARE,
    "assistant_ensemble_weight": st.just(0.5),
    "assistant_early_exit": st.just(1),
    "assistant_lookbehind": COUNT,
    "target_lookbehind": COUNT,
    "speculation_type": st.none(),
    "prompt_lookup_num_tokens": st.just(2),
    "max_matching_ngram_size": st.just(2),
    "low_memory": FLAG,
    "penalty_alpha": st.sampled_from([0.0, 0.6]),
    "dola_layers": st.just("low"),
    "diversity_penalty": st.sampled_from([0.0, 0.5]),
    "num_beam_groups": st.integers(1, 2),
    "constraints": st.just([]),
    "force_words_ids": st.just([[3]]),
    "transformers_version": st.just("4.31.0"),
}
# Ways of a file that are no options: a chat front end's, an older release's.
OTHERS = {"chat_format": "chatml", "torch_dtype": "bfloat16", "return_legacy_cache": True}
MODES = [{}, {"do_sample": True}, {"num_beams": 3}, {"num_beams": 2, "do_sample": True}]
PLACES = ("call", "object", "defaults")
FILES = ("object", "defaults", "object", "defaults", "call")  # a call that passes these is refused
OFTEN = sorted(SUPPORTED) * 3 + sorted({*NEUTRAL, *NOT_SUPPORTED})
# Where ours refuses by name and transformers goes on: beyond the context of the model, and padding within a text.
LIMITS = ("the context of this model", "padding on the left only", "nothing but padding")
# Where ours answers and transformers fails, over numbers or tokens that the answer does not need.
FAILS_THERE = (
    "index out of range",  # a pad token that the vocabulary lacks, after an end
    "index 0 is out of bounds",  # an empty list of ends
    "Greedy methods",  # a configuration without the beams that the call has
    "has to be smaller or equal to `num_beams`",
)


def fields():
    """The names of all options."""
    return {name for name in GenerationConfig().to_dict() if not name.startswith("_")}


def test_every_option_is_supported_or_of_no_use_or_refused():
    kinds = [SUPPORTED, set(NEUTRAL), set(NOT_SUPPORTED)]
    assert set().union(*kinds) == fields() == set(VALUES)
    assert sum(map(len, kinds)) == len(fields())


@cache
def pair(kind):
    """A model of transformers, and ours in every stage."""
    hf = models.tiny(kind, seed=3)
    return hf, {stage: tinyllm.optimize(hf, stage=stage) for stage in tinyllm.STAGES}


def next_ones(batch_id, ids):
    """After a token, some of those that come next by number."""
    return [(int(ids[-1]) + step) % VOCAB for step in range(1, 8)]


def prefers_low(input_ids, scores):
    """A logits processor of the caller."""
    return scores - 0.01 * torch.arange(scores.shape[1])


def ends_on_high(input_ids, scores, **kwargs):
    """A stopping criterion of the caller."""
    return input_ids[:, -1] > 55


# Arguments of the call that are no options.
PARTS = {
    "prefix_allowed_tokens_fn": next_ones,
    "logits_processor": LogitsProcessorList([prefers_low]),
    "stopping_criteria": StoppingCriteriaList([ends_on_high]),
    "assistant_model": None,
    "synced_gpus": False,
    "streamer": None,
    "negative_prompt_ids": None,
    "trust_remote_code": False,
    "position_ids": None,
}


@st.composite
def calls(draw):
    """A call: which model, how the prompt is passed, and its options, each in one of the places."""
    lengths = draw(st.lists(st.integers(1, 5), min_size=1, max_size=3))
    ids, mask = models.ragged(VOCAB, lengths, seed=draw(st.integers(0, 99)))
    options = {place: {} for place in PLACES}
    options["call"] |= draw(st.sampled_from(MODES)) | {"max_new_tokens": 7}
    for name in draw(st.lists(st.sampled_from(OFTEN), max_size=7, unique=True)):
        places = PLACES if name in SUPPORTED else FILES
        options[draw(st.sampled_from(places))][name] = draw(VALUES[name])
    if draw(FLAG):
        del options["call"]["max_new_tokens"]
        options["defaults"].setdefault("max_new_tokens", 6)
    options["defaults"] |= draw(st.sampled_from([{}, OTHERS]))
    parts = draw(st.lists(st.sampled_from(sorted(PARTS)), max_size=2, unique=True))
    options["call"] |= {name: PARTS[name] for name in parts}
    return {
        "kind": draw(st.sampled_from(models.KINDS)),
        "stage": draw(st.sampled_from(list(tinyllm.STAGES))),
        "ids": ids,
        "mask": mask if draw(st.sampled_from([True, True, False])) else None,
        "order": draw(st.sampled_from(["positional", "inputs", "input_ids"])),
        **options,
    }


def configured(options):
    """A configuration that holds options as a file may: nothing is checked."""
    config = GenerationConfig()
    for name, value in options.items():
        setattr(config, name, copy.deepcopy(value))
    return config


def answered(model, call, **more):
    """The sequences and the scores of a model, or its error."""
    kwargs = copy.copy(call["call"]) | more
    if call["mask"] is not None:
        kwargs["attention_mask"] = call["mask"]
    given = configured(call["object"]) if call["object"] else None
    kept, model.generation_config = model.generation_config, configured(call["defaults"])
    config = dict(vars(model.config))
    torch.manual_seed(0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if call["order"] == "positional":
                out = model.generate(call["ids"], given, tokenizer=models.letters(), **kwargs)
            else:
                prompt = {call["order"]: call["ids"]}
                out = model.generate(
                    **prompt, generation_config=given, tokenizer=models.letters(), **kwargs
                )
    except Exception as error:
        return error
    finally:
        model.generation_config = kept
        vars(model.config).update(config)  # an early exit that fails leaves transformers' shallower
    if torch.is_tensor(out):
        return out.tolist(), None
    return out.sequences.tolist(), out.scores


def refused_by_name(error):
    """Whether an error names an option that is listed as not supported, or a limit that this file lists."""
    named = re.match(r"(\w+)(=.*)? is not supported by this version", str(error), re.S)
    listed = named and named[1] in {*NEUTRAL, *NOT_SUPPORTED, *NO_OPTIONS}
    return bool(listed) or any(limit in str(error) for limit in LIMITS)


def rounding_decides(hf, call, expected):
    """Whether transformers' own answer is another one where scores move by a hundred thousandth."""
    own = call["call"].get("logits_processor") or []
    noisy = (
        answered(hf, call, logits_processor=LogitsProcessorList([*own, models.Noise(seed)]))
        for seed in range(20)
    )
    return any(not isinstance(other, Exception) and other[0] != expected for other in noisy)


@settings(
    max_examples=DRAWS,
    deadline=None,
    derandomize="DRAWS" not in os.environ,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(call=calls())
def test_same_tokens_or_an_error_on_both_sides_or_a_refusal_by_name(call):
    hf, stages = pair(call["kind"])
    expected, mine = answered(hf, call), answered(stages[call["stage"]], call)
    if isinstance(mine, Exception):
        assert isinstance(mine, ValueError | TypeError | RuntimeError), repr(mine)
        event("refused by name" if refused_by_name(mine) else "error on both sides")
        assert refused_by_name(mine) or isinstance(expected, Exception), repr(mine)
        return
    if isinstance(expected, Exception):
        event("error of transformers alone")
        assert any(text in str(expected) for text in FAILS_THERE), repr(expected)
        return
    event("answer")
    if mine[0] != expected[0]:
        assert rounding_decides(hf, call, expected[0]), (mine[0], expected[0])
        return
    assert (mine[1] is None) == (expected[1] is None)
    for ours, theirs in zip(mine[1] or (), expected[1] or (), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", PARTS)
def test_arguments_are_drawn(name):
    """A name that transformers' `generate` had no longer would make every drawn call an error on both sides."""
    hf, stages = pair("llama")
    call = {"ids": torch.tensor([[5, 7]]), "mask": None, "order": "inputs"}
    call |= {"call": {"max_new_tokens": 5, name: PARTS[name]}, "object": {}, "defaults": {}}
    assert answered(stages["final"], call) == answered(hf, call)
