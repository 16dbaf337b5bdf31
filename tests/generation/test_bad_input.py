"""What a user sees who asks for what cannot be: what was given, what was expected, what to do."""

from types import SimpleNamespace

import pytest
import torch
from transformers import (
    BatchEncoding,
)

import models
import tinyllm
from models import says

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
        "rope_type 'yarn' is not supported: expected one of ['default', 'linear', 'llama3', 'longrope']",
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
