"""Every cache with every attention and both tables of operations, against transformers; and parts of the user's own."""

import os
from collections import Counter
from dataclasses import replace
from functools import cache, partial

import pytest
import torch

import models
import tinyllm
from covering import every_triple
from tinyllm.attention.kernel import kernel_attention
from tinyllm.attention.metadata import AttentionOptions, DecodeMetadata, PrefillMetadata, Segment
from tinyllm.attention.stock import stock_attention
from tinyllm.cache.contiguous import ContiguousCache
from tinyllm.cache.segment import SegmentCache
from tinyllm.kernels import DEFAULT_CPU, TORCH, KernelSet, sycl
from tinyllm.ops import FUSED, NAIVE
from tinyllm.runtime.native import NativeStep, unsupported_reason
from tinyllm.stages import STAGES

VOCAB, NEW = 61, 12
MODELS = {
    "llama": {},
    "sliding window": {"kind": "mistral", "sliding_window": 5},
    "soft cap": {"kind": "gemma2", "sliding_window": 5, "attn_logit_softcapping": 2.0},
    "ALiBi": {"kind": "bloom"},
}
SEARCHES = {
    "greedy": {},
    "4 beams": {"num_beams": 4, "num_return_sequences": 4},
    "sampling": {"do_sample": True, "temperature": 1.4, "num_return_sequences": 3},
}
BATCHES = {"even": (6, 6), "ragged": (2, 9, 5)}
CACHES = {"contiguous": ContiguousCache, "segment": SegmentCache}
ATTENTIONS = {"stock": stock_attention, "kernel": kernel_attention}
OPS = {"naive": NAIVE, "fused": FUSED}


@cache
def hf(name):
    return models.tiny(seed=2, **MODELS[name])


def answer(model, lengths, **options):
    ids, mask = models.ragged(VOCAB, lengths, seed=sum(lengths))
    torch.manual_seed(5)
    return model.generate(
        ids, attention_mask=mask, max_new_tokens=NEW, **{"do_sample": False} | options
    )


@cache
def expected(name, batch, search):
    """What transformers answers, computed once for all stages."""
    return answer(hf(name), BATCHES[batch], **SEARCHES[search]).tolist()


@every_triple(
    name=MODELS, kept=CACHES, attention=ATTENTIONS, ops=OPS, batch=BATCHES, search=SEARCHES
)
def test_any_parts_go_together(name, kept, attention, ops, batch, search):
    parts = {"cache": CACHES[kept], "attention": ATTENTIONS[attention], "ops": OPS[ops]}
    model = tinyllm.optimize(hf(name), stage=replace(STAGES["naive"], name="mine", **parts))
    assert answer(model, BATCHES[batch], **SEARCHES[search]).tolist() == expected(
        name, batch, search
    )
    assert type(model.new_cache(1)) is CACHES[kept]


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_calls_an_attention_of_the_users_own(stage, search):
    calls = []

    def mine(q, segments, metadata, options):
        calls.append(metadata)
        assert isinstance(options, AttentionOptions)
        assert all(isinstance(segment, Segment) for segment in segments)
        return stock_attention(q, segments, metadata, options)

    model = tinyllm.optimize(hf("llama"), stage=replace(STAGES[stage], attention=mine))
    assert answer(model, BATCHES["ragged"], **SEARCHES[search]).tolist() == expected(
        "llama", "ragged", search
    )
    layers = model.config.num_hidden_layers
    kinds = [type(metadata) for metadata in calls]
    assert kinds == [PrefillMetadata] * layers + [DecodeMetadata] * (layers * (NEW - 1))
    own = "operations" if stage == "naive" else "an attention"
    reason = unsupported_reason(model)
    assert reason == f"the stage has {own} of its own, which a native step would not run"
    if stage == "final":
        assert f"eager ({reason})" in repr(model)


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize("stage", [name for name, stage in STAGES.items() if stage.ops is FUSED])
def test_a_stage_calls_operations_of_the_users_own(stage, search):
    calls = []

    def mine(kernels, x, *args, **kwargs):
        calls.append(kernels)
        return FUSED.mlp(kernels, x, *args, **kwargs)

    model = tinyllm.optimize(
        hf("llama"), stage=replace(STAGES[stage], ops=replace(FUSED, mlp=mine))
    )
    assert answer(model, BATCHES["ragged"], **SEARCHES[search]).tolist() == expected(
        "llama", "ragged", search
    )
    assert len(calls) == model.config.num_hidden_layers * NEW
    assert all(kernels is model.kernels for kernels in calls)
    assert (
        unsupported_reason(model)
        == "the stage has operations of its own, which a native step would not run"
    )


def test_naive_operations_of_the_users_own_are_given_no_kernels():
    calls = []

    def mine(x, *args, **kwargs):
        calls.append(x.shape)
        return NAIVE.mlp(x, *args, **kwargs)

    model = tinyllm.optimize(
        hf("llama"), stage=replace(STAGES["naive"], ops=replace(NAIVE, mlp=mine))
    )
    assert answer(model, BATCHES["even"]).tolist() == expected("llama", "even", "greedy")
    assert len(calls) == model.config.num_hidden_layers * NEW


def with_kernels(name, kernels):
    return tinyllm.optimize(hf(name), stage=replace(STAGES["final"], kernels=kernels))


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize("name", MODELS)
def test_torchs_kernels_are_those_that_run_where_they_are_asked_for(name, search):
    model, native = with_kernels(name, "torch"), tinyllm.optimize(hf(name), stage="final")
    assert unsupported_reason(native) is None and native.kernels is DEFAULT_CPU
    assert isinstance(native.stage.runner.step(native), NativeStep)
    assert (
        unsupported_reason(model) == "the stage asks for the kernels 'torch'"
        and model.kernels is TORCH
    )
    assert model.stage.runner.step(model) == model.step
    for batch in BATCHES:
        for one in (model, native):
            assert answer(one, BATCHES[batch], **SEARCHES[search]).tolist() == expected(
                name, batch, search
            )


COUNTED = ("segment_attention", "linear", "rope_and_store", "reorder_beam_index", "make_beam_mask")


class Counting(type(TORCH)):
    """Torch's operations, and how often some of them are called."""

    name = "counting"

    def __init__(self):
        self.calls = Counter()
        for name in COUNTED:
            setattr(self, name, partial(self.count, name, getattr(super(), name)))

    def count(self, name, operation, *args, **kwargs):
        self.calls[name] += 1
        return operation(*args, **kwargs)


@pytest.mark.parametrize("stage", ["segment", "sdpa", "final"])
def test_a_set_of_the_users_own_serves_operations_attention_and_the_cache(stage):
    kernels = Counting()
    assert isinstance(kernels, KernelSet)
    model = tinyllm.optimize(hf("llama"), stage=replace(STAGES[stage], kernels=kernels))
    assert answer(model, BATCHES["ragged"], **SEARCHES["4 beams"]).tolist() == expected(
        "llama", "ragged", "4 beams"
    )
    assert set(kernels.calls) == set(COUNTED) - (
        {"segment_attention"} if stage == "segment" else set()
    )
    assert kernels.calls["reorder_beam_index"] == NEW - 1
    assert kernels.calls["segment_attention"] == (
        stage != "segment"
    ) * model.config.num_hidden_layers * (NEW - 1)
    assert "counting" in repr(model)


def sycl_is_missing():
    """Why the SYCL kernels cannot run on this machine; where the tests run for every change, they must."""
    reason = sycl.unavailable("cpu")
    assert reason is None or "CI" not in os.environ, reason
    return reason


WIDE_HEADS = {name: {"head_dim": 64} for name in MODELS} | {
    "ALiBi": {"hidden_size": 256}
}  # as SYCL's are compiled for


@cache
def wide_heads(name):
    return models.tiny(seed=2, **MODELS[name] | WIDE_HEADS[name])


@cache
def expected_of_wide_heads(name, batch, search):
    return answer(wide_heads(name), BATCHES[batch], **SEARCHES[search]).tolist()


@pytest.mark.parametrize("search", ["greedy", "4 beams"])
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(
    ("kernels", "stage"), [("cpu", "sdpa"), ("cpu", "final"), ("sycl", "final")]
)
def test_whole_answers_on_our_own_kernels(kernels, stage, name, search):
    if kernels == "sycl" and sycl_is_missing():
        pytest.skip(sycl.unavailable("cpu"))
    right = wide_heads(name)
    model = tinyllm.optimize(right, stage=replace(STAGES[stage], kernels=kernels))
    assert model.kernels.name == kernels
    assert (
        unsupported_reason(model)
        == {"cpu": None, "sycl": "the stage asks for the kernels 'sycl'"}[kernels]
    )
    assert isinstance(model.stage.runner.step(model), NativeStep) == (
        kernels == "cpu" and stage == "final"
    )
    for batch, lengths in BATCHES.items():
        expected = expected_of_wide_heads(name, batch, search)
        assert answer(model, lengths, **SEARCHES[search]).tolist() == expected


def test_kernels_that_are_unknown():
    known = "['torch', 'triton', 'sycl', 'cpu', 'ipex', 'onednn'], or a KernelSet"
    message = f"kernels 'cuda' are unknown: expected one of {known}"
    models.says(ValueError, message, lambda: with_kernels("llama", "cuda"))


RUNNERS = {
    "naive": ("torch", "ContiguousCache", "stock_attention", "eager"),
    "fused": ("torch", "ContiguousCache", "stock_attention", "eager"),
    "segment": ("torch", "SegmentCache", "stock_attention", "eager"),
    "sdpa": ("torch", "SegmentCache", "kernel_attention", "eager"),
    "final": ("torch", "SegmentCache", "kernel_attention", "native step"),
}


@pytest.mark.parametrize("stage", STAGES)
def test_a_model_says_what_it_is_made_of(stage):
    model = tinyllm.optimize(hf("llama"), stage=stage)
    kernels, kept, attention, runner = RUNNERS[stage]
    elements = sum(p.numel() for p in model.parameters())
    assert repr(model).splitlines() == [
        "Model(llama,",
        f"  stage      {stage}",
        f"  kernels    {kernels}",
        f"  cache      {kept}",
        f"  attention  {attention}",
        f"  runner     {runner}",
        f"  weights    dense float32, {elements / 1e6:.1f} M parameters, {4 * elements / 1024:.1f} KiB, on cpu",
        ")",
    ]
    assert "eager (the stage asks for the kernels 'torch')" in repr(with_kernels("llama", "torch"))
