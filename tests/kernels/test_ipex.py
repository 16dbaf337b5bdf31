"""The kernel set on Intel Extension for PyTorch, on a stand-in for its documented functions."""

import sys
from dataclasses import replace
from importlib.metadata import PackageNotFoundError
from types import ModuleType

import pytest
import torch
import torch.nn.functional as F

import models
import tinyllm
from tinyllm.check import check
from tinyllm.kernels import ipex

# The extension's functions, and the operations of torch's set that they take part in.
OPERATIONS = (
    "activate_and_multiply",
    "layer_norm",
    "linear",
    "norm_and_add",
    "rms_norm",
    "rope_and_store",
)


def rotary_embedding(query, key, sin, cos, rotary_dim, rotary_half, position_ids=None):
    """Query and key [b, t, heads, d] rotated in place, by rows `position_ids` of the tables."""
    sin, cos = (x[position_ids][:, :, None, : rotary_dim // 2] for x in (sin, cos))
    for x in (query, key):
        first, second = (x[..., : rotary_dim // 2], x[..., rotary_dim // 2 : rotary_dim])
        if not rotary_half:
            first, second = x[..., 0:rotary_dim:2], x[..., 1:rotary_dim:2]
        rotated = first * cos - second * sin, second * cos + first * sin
        first.copy_(rotated[0])
        second.copy_(rotated[1])
    return query, key


@pytest.fixture
def functions(monkeypatch):
    package, llm = (ModuleType(f"intel_extension_for_pytorch{name}") for name in ("", ".llm"))
    llm.functional = ModuleType("intel_extension_for_pytorch.llm.functional")
    vars(llm.functional).update(
        rms_norm=lambda hidden_states, weight, eps: F.rms_norm(
            hidden_states, weight.shape, weight, eps
        ),
        fast_layer_norm=lambda x, normalized_shape, weight, bias, eps: F.layer_norm(
            x, normalized_shape, weight, bias, eps
        ),
        silu_mul=lambda x, y, out=None: F.silu(x) * y,
        gelu_mul=lambda x, y, out=None, approximate="none": F.gelu(x, approximate=approximate) * y,
        rotary_embedding=rotary_embedding,
    )
    monkeypatch.setitem(sys.modules, package.__name__, package)
    monkeypatch.setitem(sys.modules, llm.__name__, llm)
    ipex._functions.cache_clear()
    yield llm.functional
    ipex._functions.cache_clear()


@pytest.mark.parametrize("name", OPERATIONS)
def test_table(name, functions):
    verdict = check(name, getattr(ipex.IPEX, name))
    assert verdict.right, verdict


@pytest.mark.parametrize("how", [{}, {"num_beams": 3}], ids=str)
def test_a_stage_on_it_gives_the_tokens_of_transformers(how, functions):
    hf, (ids, mask) = models.tiny(seed=2), models.ragged(61, (5, 8, 2))
    model = tinyllm.optimize(hf, stage=replace(tinyllm.STAGES["fused"], kernels="ipex"))
    options = how | {"max_new_tokens": 12, "do_sample": False, "pad_token_id": 1}
    assert (
        model.generate(ids, mask, **options).tolist()
        == hf.generate(ids, attention_mask=mask, **options).tolist()
    )


def test_another_release_of_torch_is_told_apart(monkeypatch):
    monkeypatch.setattr(ipex, "version", lambda package: "2.8.0")
    monkeypatch.setattr(torch, "__version__", "2.13.0")
    assert (
        ipex.unavailable()
        == "intel-extension-for-pytorch 2.8.0 does not work with torch 2.13.0: versions must agree"
    )
    monkeypatch.setattr(torch, "__version__", "2.8.1+cpu")
    assert ipex.unavailable() is None


def test_what_is_not_installed_says_how_to_install_it(monkeypatch):
    def missing(package):
        raise PackageNotFoundError(package)

    monkeypatch.setattr(ipex, "version", missing)
    assert "pip install 'tinyllm-xpu[ipex]'" in ipex.unavailable()
