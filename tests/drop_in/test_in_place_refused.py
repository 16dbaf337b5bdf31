"""In place, what tinyllm does not support is answered by transformers, with the reason."""

import functools
from types import MethodType

import pytest
import torch
from in_place import (
    MASK,
    NO_FALLBACK,
    PROMPT,
    RECORDED,
    WAY,
    by_tinyllm,
    by_transformers,
    in_place,
    same_tokens,
)
from torch import nn
from transformers import LogitsProcessor

import models
import tinyllm
from tinyllm.generation.output import cache_field, cache_of

pytestmark = pytest.mark.filterwarnings(NO_FALLBACK)


REFUSED = {
    "use_cache": {"use_cache": False},
    "recorded attention": {"output_attentions": True, "return_dict_in_generate": True},
    "prompt lookup": {"prompt_lookup_num_tokens": 2},
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_supported_is_answered_by_transformers(name):
    hf = in_place(attn_implementation="eager")
    options = REFUSED[name]
    prompt = PROMPT[:1]
    way = WAY | {"attention_mask": MASK[:1]} | options
    expected = type(hf).generate(hf, prompt, **way)
    with pytest.warns(UserWarning, match="transformers answers, not tinyllm: ") as found:
        first = hf.generate(prompt, **way)
    assert next(iter(options)) in str(found[0].message)
    second = hf.generate(prompt, **way)  # without a warning, which would be an error here
    for answer in (first, second):
        assert type(answer) is type(expected)
        tokens = [x if isinstance(x, torch.Tensor) else x.sequences for x in (answer, expected)]
        assert torch.equal(*tokens)
    same_tokens(hf)


def test_wrong_arguments_have_the_errors_of_transformers():
    hf = in_place()
    errors = []
    for model in (hf, models.tiny()):
        with pytest.raises(ValueError) as caught:
            if model is hf:
                with pytest.warns(UserWarning, match="not tinyllm: generate.. got max_new_token=5"):
                    model.generate(PROMPT, max_new_token=5)
            else:
                model.generate(PROMPT, max_new_token=5)
        errors.append(str(caught.value))
    assert errors[0] == errors[1]


class Failing(LogitsProcessor):
    def __init__(self):
        self.calls = 0

    def __call__(self, input_ids, scores):
        self.calls += 1
        if self.calls == 3:
            raise ValueError("a failure of the caller's own")
        return scores


def test_failures_after_the_start_are_not_answered_again():
    failing = Failing()
    with pytest.raises(ValueError, match="a failure of the caller's own"):
        in_place().generate(PROMPT, logits_processor=[failing], **WAY)
    assert failing.calls == 3


def test_a_call_without_memory_is_not_answered_by_transformers():
    with pytest.raises(MemoryError):
        in_place().generate(PROMPT, memory_budget=10, **WAY)


def test_caches_of_tinyllm_stay_with_tinyllm():
    hf = in_place()
    out = by_tinyllm(hf, **RECORDED)
    longer = torch.cat([out.sequences, PROMPT], dim=1)
    mask = torch.cat([MASK, torch.ones_like(longer[:, MASK.shape[1] :])], dim=1)
    way = WAY | {"attention_mask": mask, cache_field(type(out)): cache_of(out)}
    with pytest.raises(ValueError, match="use_cache=False is not supported"):
        hf.generate(longer, use_cache=False, **way)
    expected = type(hf).generate(hf, longer, **(WAY | {"attention_mask": mask}))
    assert hf.generate(longer, **way).tolist() == expected.tolist()


def test_caches_of_transformers_go_to_transformers():
    hf = in_place()
    out = by_transformers(hf, **RECORDED)
    longer = torch.cat([out.sequences, PROMPT], dim=1)
    mask = torch.cat([MASK, torch.ones_like(longer[:, MASK.shape[1] :])], dim=1)
    with pytest.warns(UserWarning, match="past_key_values is a DynamicCache"):
        found = hf.generate(
            longer, **(WAY | {"attention_mask": mask, cache_field(type(out)): cache_of(out)})
        )
    assert (
        found.tolist() == type(hf).generate(hf, longer, **(WAY | {"attention_mask": mask})).tolist()
    )


def hooked(hf):
    handle = hf.model.layers[0].register_forward_hook(lambda module, args, out: out * 0.5)
    return handle.remove


def doubled(hf):
    layer = hf.model.layers[1].mlp

    @functools.wraps(type(layer).forward)
    def forward(self, x):
        return 2 * type(self).forward(self, x)

    layer.forward = MethodType(forward, layer)
    return lambda: delattr(layer, "forward")


def dropping_out(hf):
    hf.train()
    return hf.eval


def adapted(hf):
    class LoraLinear(nn.Module):
        def __init__(self, base):
            super().__init__()
            self.base_layer = base
            self.lora_A = nn.Linear(base.in_features, 2, bias=False)

        def forward(self, x):
            return self.base_layer(x) + self.lora_A(x).sum(-1, keepdim=True)

    attention = hf.model.layers[0].self_attn
    original = attention.q_proj
    attention.q_proj = LoraLinear(original)
    return lambda: setattr(attention, "q_proj", original)


def rescaled(hf):
    attention = hf.model.layers[0].self_attn
    before = attention.scaling
    attention.scaling = 2 * before
    return lambda: setattr(attention, "scaling", before)


def split(hf):
    hf.lm_head.double()
    return hf.lm_head.float


CHANGES = {
    "hook": (hooked, "has a forward hook"),
    "forward": (doubled, "has a method 'forward' of its own"),
    "dropout": (dropping_out, "training mode and has dropout"),
    "adapter": (adapted, "merge_and_unload"),
    "constant": (rescaled, "scaling is"),
    "number format": (split, "the model holds"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_models_that_compute_something_else_are_transformers_own_until_restored(name):
    hf = in_place(attention_dropout=0.5)
    before = same_tokens(hf)
    change, message = CHANGES[name]
    restore = change(hf)
    torch.manual_seed(0)
    with pytest.warns(UserWarning, match=message):
        found = hf.generate(PROMPT, **WAY) if name != "number format" else fails(hf)
    torch.manual_seed(0)
    assert found is None or found.tolist() == by_transformers(hf).tolist()
    restore()
    assert same_tokens(hf) == before


def fails(hf):
    """Where transformers cannot generate either, the error is its own."""
    with pytest.raises(RuntimeError):
        hf.generate(PROMPT, **WAY)


def test_models_that_are_not_supported_raise_and_stay_as_they_are():
    hf = models.tiny()
    hf.model.layers[0].mlp.register_forward_hook(print)
    with pytest.raises(ValueError, match="has a forward hook"):
        tinyllm.optimize(hf, inplace=True)
    assert "generate" not in vars(hf)
    with pytest.raises(TypeError, match=r"hf_model is a Linear"):
        tinyllm.optimize(nn.Linear(2, 2), inplace=True)


def test_dropout_gives_no_warning_of_a_model():
    """In place, a model in training mode is transformers' own: tinyllm leaves nothing out silently."""
    hf = models.tiny(attention_dropout=0.5).train()
    tinyllm.optimize(hf, inplace=True)
    same_tokens(hf.eval())
