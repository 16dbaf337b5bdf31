"""Options of a call that cannot be, are not there or are of no use: what was given, what was expected, what to do."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import GenerationConfig

import models
import tinyllm
from models import says
from tinyllm.generation.options import NO_OPTIONS, PLAIN, SUPPORTED, resolve
from tinyllm.generation.values import token_list

VOCAB = 61
IDS = torch.tensor([[5, 7, 9], [1, 2, 3]])


@pytest.fixture(scope="module")
def model():
    return tinyllm.optimize(models.tiny())


OPTIONS = {
    "negative length": (
        {"max_new_tokens": -3},
        "max_new_tokens=-3: expected a whole number, 0 or more",
    ),
    "length that is no number": (
        {"max_length": "9"},
        "max_length='9': expected a whole number, 0 or more",
    ),
    "fractional length": (
        {"max_new_tokens": 2.5},
        "max_new_tokens=2.5: expected a whole number, 0 or more",
    ),
    "negative least": (
        {"min_new_tokens": -1},
        "min_new_tokens=-1: expected a whole number, 0 or more",
    ),
    "nothing new": (
        {"max_new_tokens": 0},
        "`max_new_tokens` must be greater than 0, but is 0.",
    ),
    "shorter than the prompt": (
        {"max_length": 2},
        "the prompt has 3 tokens and the whole answer may have 2: nothing can be generated; "
        "pass max_new_tokens of at least 1",
    ),
    "over the context": (
        {"max_new_tokens": 62},
        "3 tokens of prompt and 62 new ones: expected at most 64 together, the context of this model; "
        "shorten the prompt or pass max_new_tokens=61",
    ),
    "NaN temperature": (
        {"do_sample": True, "temperature": math.nan},
        "temperature=nan: expected a positive, finite number",
    ),
    "zero temperature": (
        {"do_sample": True, "temperature": 0},
        "temperature=0: expected a positive, finite number",
    ),
    "infinite temperature": (
        {"do_sample": True, "temperature": math.inf},
        "temperature=inf: expected a positive, finite number",
    ),
    "negative penalty": (
        {"repetition_penalty": -1.0},
        "repetition_penalty=-1.0: expected a positive, finite number",
    ),
    "no time": ({"max_time": 0.0}, "max_time=0.0: expected a positive, finite number"),
    "share over one": (
        {"do_sample": True, "top_p": 1.5},
        "top_p=1.5: expected a number from 0 to 1",
    ),
    "NaN share": (
        {"do_sample": True, "min_p": math.nan},
        "min_p=nan: expected a number from 0 to 1",
    ),
    "no number to draw from": (
        {"do_sample": True, "top_k": -1},
        "top_k=-1: expected a whole number, 0 or more",
    ),
    "fractional end": (
        {"eos_token_id": 2.5},
        "eos_token_id=2.5: expected whole numbers, token ids",
    ),
    "end by word": (
        {"eos_token_id": [3, "x"]},
        "eos_token_id=[3, 'x']: expected whole numbers, token ids",
    ),
    "pad by word": (
        {"pad_token_id": "x"},
        "pad_token_id='x': expected a whole number, a token id",
    ),
    "two pads": (
        {"pad_token_id": [3, 4]},
        "pad_token_id=[3, 4]: expected a whole number, a token id",
    ),
    "decay towards no end": (
        {"exponential_decay_length_penalty": (2, 1.5)},
        "exponential_decay_length_penalty with eos_token_id=None: expected end tokens of at most 60; pass eos_token_id",
    ),
    "decay towards an end beyond the vocabulary": (
        {"exponential_decay_length_penalty": (2, 1.5), "eos_token_id": [5, 61]},
        "exponential_decay_length_penalty with eos_token_id=[5, 61]: expected end tokens of at most 60; "
        "pass eos_token_id",
    ),
    "several greedy answers": (
        {"num_return_sequences": 2},
        "num_return_sequences=2: greedy decoding has one answer only; pass do_sample=True, or num_beams=2",
    ),
    "no answers": (
        {"num_return_sequences": 0},
        "num_return_sequences=0: expected a whole number, 1 or more",
    ),
    "no beams": ({"num_beams": 0}, "num_beams=0: expected a whole number, 1 or more"),
    "beams by flag": ({"num_beams": True}, "num_beams=True: expected a whole number, 1 or more"),
    "half a beam": ({"num_beams": 2.5}, "num_beams=2.5: expected a whole number, 1 or more"),
    "more answers than beams": (
        {"num_return_sequences": 3, "num_beams": 2},
        "num_return_sequences=3: expected at most num_beams, 2",
    ),
    "beams streamed": (
        {"streamer": print, "num_beams": 2},
        "streamer with num_beams=2: expected num_beams=1; beams are not final before the end",
    ),
    "early by word": (
        {"early_stopping": "x", "num_beams": 2},
        "early_stopping='x': expected True, False or 'never'",
    ),
    "NaN length penalty": (
        {"length_penalty": math.nan, "num_beams": 2},
        "length_penalty=nan: expected a finite number; above 0 favours long sequences",
    ),
    "length penalty by word": (
        {"length_penalty": "x", "num_beams": 2},
        "length_penalty='x': expected a finite number; above 0 favours long sequences",
    ),
    "every token ends": (
        {"eos_token_id": list(range(VOCAB)), "num_beams": 2},
        f"eos_token_id={list(range(VOCAB))!r}: expected fewer than there are tokens, all end",
    ),
    "sampling by word": ({"do_sample": "yes"}, "do_sample='yes': expected True or False"),
    "stop strings alone": (
        {"stop_strings": ["."]},
        "stop_strings need a tokenizer: pass tokenizer=, or load a model that has one",
    ),
}


PLAIN_CALLS = st.fixed_dictionaries(
    {},
    optional={
        "do_sample": st.booleans(),
        "max_new_tokens": st.integers(1, 9),
        "max_length": st.integers(1, 9),
        "num_beams": st.integers(1, 3),
        "return_dict_in_generate": st.booleans(),
        "eos_token_id": st.integers(0, 60) | st.lists(st.integers(0, 60), max_size=3),
        "pad_token_id": st.integers(0, 60),
        "bos_token_id": st.integers(0, 60),
    },
)


@settings(deadline=None)
@given(PLAIN_CALLS)
def test_plain_options_are_those_of_transformers(model, options):
    """For them no configuration of transformers is made."""
    assert set(options) <= PLAIN
    options = options | {"top_k": None}
    resolved = vars(resolve({}, None, options, model.config))
    theirs = GenerationConfig(**options)
    theirs = {name: getattr(theirs, name) for name in SUPPORTED}
    for name in ("eos_token_id", "pad_token_id", "bos_token_id"):
        resolved[name], theirs[name] = (token_list(x[name]) for x in (resolved, theirs))
    assert resolved == theirs


def test_supported_options_are_options_of_transformers():
    assert GenerationConfig().to_dict().keys() >= SUPPORTED
    assert PLAIN <= SUPPORTED and not NO_OPTIONS.keys() & GenerationConfig().to_dict().keys()


@pytest.mark.parametrize("given", OPTIONS)
def test_option(model, given):
    options, message = OPTIONS[given]
    says(ValueError, message, lambda: model.generate(IDS, **options))


# A row goes when its option is there.
NOT_YET = {
    "guidance_scale": 1.5,
    "prompt_lookup_num_tokens": 3,
    "token_healing": True,
    "penalty_alpha": 0.6,
    "cache_implementation": "quantized",
}
# Options of another answer than this one, or of the way to it: refused in a call, ignored where they were saved.
OF_NO_USE = {
    "use_cache": False,
    "cache_implementation": "static",
    "output_attentions": True,
    "output_hidden_states": True,
    "prefill_chunk_size": 2,
    "num_assistant_tokens": 3,
    "num_beam_groups": 2,
    "diversity_penalty": 0.5,
}


def generate_with(name, value, how):
    """The answer with one option: in the call, in an object, or among the model's defaults."""
    model, given = tinyllm.optimize(models.tiny()), None
    if how == "object":
        given = GenerationConfig()
        setattr(given, name, value)
    if how == "defaults":
        setattr(model.generation_config, name, value)
    return model.generate(IDS, generation_config=given, **({name: value} if how == "call" else {}))


@pytest.mark.parametrize("how", ["call", "object", "defaults"])
@pytest.mark.parametrize("name", NOT_YET)
def test_option_that_is_not_supported(name, how):
    value = NOT_YET[name]
    message = f"{name}={value!r} is not supported by this version of generate()"
    says(ValueError, message, lambda: generate_with(name, value, how))


@pytest.mark.parametrize("how", ["object", "defaults"])
@pytest.mark.parametrize("name", OF_NO_USE)
def test_option_that_this_answer_does_not_use(model, name, how):
    value = OF_NO_USE[name]
    assert generate_with(name, value, how).tolist() == model.generate(IDS).tolist()
    message = f"{name}={value!r} is not supported by this version of generate()"
    says(ValueError, message, lambda: generate_with(name, value, "call"))


ARGUMENTS_OF_TRANSFORMERS = {
    "assistant_model": "",
    "synced_gpus": "",
    "negative_prompt_ids": "",
    "position_ids": "; positions follow from attention_mask",
    "inputs_embeds": "; pass input_ids",
    "token_type_ids": "; call the tokenizer with return_token_type_ids=False",
}


@pytest.mark.parametrize("name", ARGUMENTS_OF_TRANSFORMERS)
def test_argument_of_transformers(model, name):
    assert model.generate(IDS, **{name: None}).tolist() == model.generate(IDS).tolist()
    assert model.generate(IDS, **{name: False}).tolist() == model.generate(IDS).tolist()
    hint = ARGUMENTS_OF_TRANSFORMERS[name]
    message = f"{name} is not supported by this version of generate(){hint}"
    says(ValueError, message, lambda: model.generate(IDS, **{name: IDS}))


def test_prompt_twice_or_never(model):
    message = "input_ids and inputs are both given: expected one, they are the same"
    says(ValueError, message, lambda: model.generate(IDS, inputs=IDS))
    message = "input_ids is missing: expected token ids [b, t], or a bos_token_id"
    says(ValueError, message, lambda: model.generate(max_new_tokens=3))


def test_least_length_over_the_most(model):
    with pytest.warns(UserWarning, match="min_new_tokens=9 is more than the 5 tokens"):
        answer = model.generate(IDS, min_new_tokens=9, max_new_tokens=5)
    assert answer.shape == (2, 8)


@pytest.mark.parametrize(
    "name, hint",
    [
        ("max_new_token", "; did you mean 'max_new_tokens'?"),
        ("num_beam", "; did you mean 'num_beams'?"),
        ("stop_string", "; did you mean 'stop_strings'?"),
        ("zzz", ""),
    ],
)
def test_option_that_does_not_exist(model, name, hint):
    says(
        TypeError,
        f"generate() got {name}=3, which is no option of generation{hint}",
        lambda: model.generate(IDS, **{name: 3}),
    )


def test_generation_config_of_another_kind(model):
    says(
        TypeError,
        "generation_config is a dict: expected a transformers.GenerationConfig",
        lambda: model.generate(IDS, None, {"max_new_tokens": 3}),
    )
