"""What a user sees who asks for what cannot be: what was given, what was expected, what to do."""

import math
from types import SimpleNamespace

import pytest
import torch
from transformers import (
    BatchEncoding,
    GenerationConfig,
)

import models
import tinyllm
from models import says

CONTEXT, VOCAB = 64, 61
IDS = torch.tensor([[5, 7, 9], [1, 2, 3]])


@pytest.fixture(scope="module")
def model():
    return tinyllm.optimize(models.tiny())


# Prompts

BOTH = {
    "a list": ([[1, 2]], TypeError, "input_ids is a list: expected a tensor of token ids [b, t]"),
    "a string": ("Hello", TypeError, "input_ids is a str: expected a tensor of token ids [b, t]"),
    "a BatchEncoding": (
        BatchEncoding({"input_ids": IDS}),
        TypeError,
        "input_ids is a BatchEncoding: expected a tensor of token ids [b, t]; unpack it: generate(**inputs)",
    ),
    "one dimension": (
        IDS[0],
        ValueError,
        "input_ids has shape [3] of torch.int64: expected token ids [b, t] of torch.int64",
    ),
    "fractions": (
        IDS.float(),
        ValueError,
        "input_ids has shape [2, 3] of torch.float32: expected token ids [b, t] of torch.int64",
    ),
    "no tokens": (
        IDS[:, :0],
        ValueError,
        "input_ids is empty, shape [2, 0]: expected at least one token",
    ),
    "no rows": (
        IDS[:0],
        ValueError,
        "input_ids is empty, shape [0, 3]: expected at least one token",
    ),
    "id too high": (IDS + 54, ValueError, "input_ids holds the token id 63: expected 0 to 60"),
    "id negative": (IDS - 2, ValueError, "input_ids holds the token id -1: expected 0 to 60"),
    "too long": (
        IDS.repeat(1, 22),
        ValueError,
        "the prompt has 66 tokens: expected at most 64, the context of this model; shorten the prompt",
    ),
}


@pytest.mark.parametrize("entry", ["forward", "generate"])
@pytest.mark.parametrize("given", BOTH)
def test_prompt(model, given, entry):
    ids, kind, message = BOTH[given]
    says(kind, message, lambda: getattr(model, entry)(ids))


MASKS = {
    "a list": (
        [[1, 1, 1]],
        TypeError,
        "attention_mask is a list: expected a tensor of 1 and 0 [b, t]",
    ),
    "another shape": (
        torch.ones(2, 4),
        ValueError,
        "attention_mask has shape [2, 4]: expected that of input_ids, [2, 3]",
    ),
    "other values": (
        torch.tensor([[0, 1, 1], [0, 0, 2]]),
        ValueError,
        "attention_mask holds other values than 0 and 1: expected 1 for a token, 0 for padding",
    ),
    "no token in a row": (
        torch.tensor([[0, 1, 1], [0, 0, 0]], dtype=torch.uint8),
        ValueError,
        "row 1 is nothing but padding: expected at least one token, a 1 in attention_mask",
    ),
}
LEFT = "expected padding on the left only, zeros then ones in attention_mask; set tokenizer.padding_side = 'left'"


@pytest.mark.parametrize("entry", ["forward", "generate"])
@pytest.mark.parametrize("given", MASKS)
def test_mask(model, given, entry):
    mask, kind, message = MASKS[given]
    says(kind, message, lambda: getattr(model, entry)(IDS, mask))


@pytest.mark.parametrize("row", [[1, 1, 0], [1, 0, 1], [1, 0, 0]])
def test_padding_after_a_token(model, row):
    mask = torch.tensor([[0, 1, 1], row])
    column = row.index(0)
    says(
        ValueError,
        f"row 1 has padding after a token, in column {column}: {LEFT}",
        lambda: model.generate(IDS, mask),
    )


def test_padding_after_a_token_told_by_the_pad_token(model):
    says(
        ValueError,
        f"row 0 has padding after a token, in column 2: {LEFT}",
        lambda: model.generate(IDS, pad_token_id=9),
    )


# Options

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
    "least over most": (
        {"min_new_tokens": 9, "max_new_tokens": 5},
        "min_new_tokens=9 is more than the 5 tokens that may be generated: raise max_new_tokens",
    ),
    "NaN temperature": (
        {"temperature": math.nan},
        "temperature=nan: expected a positive, finite number",
    ),
    "zero temperature": ({"temperature": 0}, "temperature=0: expected a positive, finite number"),
    "infinite temperature": (
        {"temperature": math.inf},
        "temperature=inf: expected a positive, finite number",
    ),
    "negative penalty": (
        {"repetition_penalty": -1.0},
        "repetition_penalty=-1.0: expected a positive, finite number",
    ),
    "no time": ({"max_time": 0.0}, "max_time=0.0: expected a positive, finite number"),
    "share over one": ({"top_p": 1.5}, "top_p=1.5: expected a number from 0 to 1"),
    "NaN share": ({"min_p": math.nan}, "min_p=nan: expected a number from 0 to 1"),
    "unknown end": ({"eos_token_id": 61}, "eos_token_id=61: expected token ids from 0 to 60"),
    "one end of several": (
        {"eos_token_id": [3, -1]},
        "eos_token_id=[3, -1]: expected token ids from 0 to 60",
    ),
    "unknown pad": ({"pad_token_id": "x"}, "pad_token_id='x': expected token ids from 0 to 60"),
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


@pytest.mark.parametrize("given", OPTIONS)
def test_option(model, given):
    options, message = OPTIONS[given]
    says(ValueError, message, lambda: model.generate(IDS, **options))


# A row goes when its option is there.
NOT_YET = {
    "use_cache": False,
    "output_attentions": True,
    "output_hidden_states": True,
    "bad_words_ids": [[3]],
    "suppress_tokens": [3],
    "sequence_bias": {(3,): 1.0},
    "guidance_scale": 1.5,
    "prompt_lookup_num_tokens": 3,
    "cache_implementation": "static",
    "renormalize_logits": True,
}


@pytest.mark.parametrize("how", ["call", "object", "defaults"])
@pytest.mark.parametrize("name", NOT_YET)
def test_option_that_is_not_supported(name, how):
    value = NOT_YET[name]
    model, given = tinyllm.optimize(models.tiny()), None
    if how == "object":
        given = GenerationConfig()
        setattr(given, name, value)
    if how == "defaults":
        setattr(model.generation_config, name, value)
    says(
        ValueError,
        f"{name}={value!r} is not supported by this version of generate()",
        lambda: model.generate(
            IDS, generation_config=given, **({name: value} if how == "call" else {})
        ),
    )


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


# Arguments of from_pretrained and optimize

ARGUMENTS = {
    "stage": (
        "fastest",
        ValueError,
        f"stage 'fastest' is unknown: expected one of {list(tinyllm.STAGES)}, or a tinyllm.Stage",
    ),
    "stage of another kind": (
        ["naive"],
        ValueError,
        f"stage ['naive'] is unknown: expected one of {list(tinyllm.STAGES)}, or a tinyllm.Stage",
    ),
    "dtype": (
        "float8",
        ValueError,
        "dtype 'float8' is not supported: expected one of ['float32', 'float16', 'bfloat16']",
    ),
    "dtype of torch": (
        torch.int8,
        ValueError,
        "dtype torch.int8 is not supported: expected one of ['float32', 'float16', 'bfloat16']",
    ),
    "dtype of another kind": (
        16,
        ValueError,
        "dtype 16 is not supported: expected one of ['float32', 'float16', 'bfloat16']",
    ),
    "device": (
        "gpu",
        ValueError,
        "device 'gpu' is unknown: expected one of ['xpu', 'cuda', 'cpu']",
    ),
    "device of another kind": (
        ["cpu"],
        ValueError,
        "device ['cpu'] is unknown: expected one of ['xpu', 'cuda', 'cpu']",
    ),
}


@pytest.mark.parametrize("given", ARGUMENTS)
def test_argument_of_from_pretrained(given):
    value, kind, message = ARGUMENTS[given]
    says(kind, message, lambda: tinyllm.from_pretrained(**{given.split()[0]: value}))


@pytest.mark.parametrize("device", ["xpu", "cuda:1", "mps"])
def test_device_that_is_not_there(monkeypatch, device):
    monkeypatch.setattr("tinyllm.runtime.device.available", lambda: ["cpu"])
    says(
        ValueError,
        f"device '{device}' is not available: this machine and build of torch have ['cpu']",
        lambda: tinyllm.from_pretrained(device=device),
    )


def test_name_of_another_kind():
    says(
        TypeError,
        "name_or_path is a int: expected a folder, a .gguf file or a hub id like owner/model",
        lambda: tinyllm.from_pretrained(3),
    )


def test_optimize_something_else():
    says(
        TypeError,
        "hf_model is a str: expected a transformers model in memory",
        lambda: tinyllm.optimize("gpt2"),
    )


def narrow_norms():
    hf = models.tiny().to(torch.bfloat16)
    for name, parameter in hf.named_parameters():
        parameter.data = parameter.data.float() if "norm" in name else parameter.data
    return hf


def quantised():
    hf = models.tiny()
    for name, parameter in hf.named_parameters():
        parameter.data = parameter.data.to(torch.int8) if "proj" in name else parameter.data
    return hf


MODELS = {
    "mixed formats": (
        narrow_norms,
        "the model holds torch.bfloat16 on cpu, torch.float32 on cpu: "
        "expected all weights in one of ['float32', 'float16', 'bfloat16'] on one device",
    ),
    "quantised": (
        quantised,
        "the model holds torch.float32 on cpu, torch.int8 on cpu: "
        "expected all weights in one of ['float32', 'float16', 'bfloat16'] on one device",
    ),
    "wider than we do": (
        lambda: models.tiny().double(),
        "the model holds torch.float64 on cpu: "
        "expected all weights in one of ['float32', 'float16', 'bfloat16'] on one device",
    ),
    "without weights": (
        lambda: models.tiny().to("meta"),
        "the model holds torch.float32 on meta: "
        "expected all weights in one of ['float32', 'float16', 'bfloat16'] on one device",
    ),
    "an adapter beside it": (
        lambda: with_adapter(models.tiny()),
        "LlamaForCausalLM has the tensor 'adapter.weight', which a llama decoder with this config.json does not use: "
        "expected none but its weights",
    ),
    "kind of layer": (
        lambda: models.tiny("qwen3", layer_types=["full_attention", "chunked_attention"]),
        "layer type 'chunked_attention' is not supported: expected one of ['full_attention', 'sliding_attention']",
    ),
    "scaling of the rotation": (
        lambda: models.tiny(
            rope_parameters={"rope_type": "yarn", "rope_theta": 1e4, "factor": 2.0}
        ),
        "rope_type 'yarn' is not supported: expected one of ['default', 'linear', 'llama3']",
    ),
    "activation": (
        lambda: models.tiny(hidden_act="relu2"),
        "hidden_act 'relu2' is not supported: expected one of ['gelu', 'gelu_pytorch_tanh', 'relu', 'silu']",
    ),
}


def with_adapter(hf):
    hf.adapter = torch.nn.Linear(2, 2, bias=False)
    return hf


@pytest.mark.parametrize("given", MODELS)
def test_model_in_memory(given):
    make, message = MODELS[given]
    says(ValueError, message, lambda: tinyllm.optimize(make()))


def test_architecture_that_is_not_supported():
    config = SimpleNamespace(model_type="llama4_text")
    with pytest.raises(
        ValueError, match=r"^model type 'llama4_text' is not supported: expected one of .*'llama'.*"
    ) as caught:
        tinyllm.optimize(SimpleNamespace(config=config))
    assert str(caught.value).endswith("; the closest supported is 'llama'")
