"""A decode step in native code beside the ordinary step; test_cpu_kinds.py: against float64."""

from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from cpu_kernels import DTYPES, draw
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import tinyllm
from models import close, drawn, ragged, tiny
from tinyllm.attention.stock import stock_attention
from tinyllm.cache.contiguous import ContiguousCache
from tinyllm.kernels import cpu
from tinyllm.model import restage
from tinyllm.ops import NAIVE
from tinyllm.runtime.native import NativeStep, unsupported_reason
from tinyllm.runtime.runner import EAGER
from tinyllm.stages import pick_stage


def twins(hf, dtype=torch.float32):
    """The same weights in a stage with the ordinary step, and in one with the native step."""
    first = ready(tinyllm.optimize(hf.to(dtype), stage="sdpa"))
    second = ready(restage(first, pick_stage("final")))
    assert isinstance(second.run, NativeStep), unsupported_reason(second)
    return first, second


def ready(model):
    """The model with `run`, the step of its stage's runner."""
    model.run = model.stage.runner.step(model)
    return model


def test_the_native_step_is_taken(monkeypatch):
    plain, native = twins(tiny())
    ids, cache = torch.tensor([[1, 2, 3]]), native.new_cache(1, 2)
    native.run(ids, None, cache)
    monkeypatch.setattr(
        type(plain), "hidden_states", lambda *_: pytest.fail("the layers ran in torch")
    )
    logits = native.run(torch.tensor([[4, 5]]), None, cache)
    assert logits.shape == (2, 61) and logits.dtype == torch.float32
    assert cache.length == 4


def follow(plain, native, ids, mask, w, steps, reorder=True):
    """Logits of both over some steps of random tokens, with a reorder after each."""
    caches = plain.new_cache(len(ids), w), native.new_cache(len(ids), w)
    prompts = [
        model.run(ids, mask, cache) for model, cache in zip((plain, native), caches, strict=True)
    ]
    assert torch.equal(*prompts)
    generator = torch.Generator().manual_seed(w)
    for _ in range(steps):
        tokens = torch.randint(plain.config.vocab_size, (len(ids), w), generator=generator)
        yield plain.run(tokens, None, caches[0]).float(), native.run(tokens, None, caches[1])
        parents = torch.randint(w, (len(ids), w), generator=generator)
        parents = (parents + w * torch.arange(len(ids))[:, None]).flatten()
        for cache in caches if reorder else ():
            cache.reorder(parents)


@settings(deadline=None, max_examples=12)
@given(
    hf=drawn(),
    b=st.integers(1, 3),
    w=st.integers(1, 5),
    padded=st.booleans(),
    count=st.sampled_from([1, 2]),
)
def test_logits_are_those_of_the_ordinary_step(hf, b, w, padded, count):
    plain, native = twins(hf)
    ids, mask = ragged(
        hf.config.vocab_size, [7 - (2 * i if padded else 0) for i in range(b)], seed=b
    )
    torch.set_num_threads(count)
    for right, got in follow(plain, native, ids, mask if padded else None, w, steps=6):
        scale = right.abs().max().clamp(min=1)
        close(got / scale, right / scale)


@settings(deadline=None, max_examples=6)
@given(hf=drawn(), beams=st.sampled_from([1, 3, 4]))
def test_tokens_are_those_of_the_ordinary_step(hf, beams):
    torch.set_num_threads(1)
    plain, native = twins(hf)
    ids, mask = ragged(hf.config.vocab_size, [6, 4], seed=beams)
    options = {"max_new_tokens": 30, "num_beams": beams, "do_sample": False, "pad_token_id": 0}
    answers = [model.generate(ids, attention_mask=mask, **options) for model in (plain, native)]
    assert torch.equal(*answers)


@pytest.mark.parametrize("dtype", DTYPES[1:], ids=str)
@pytest.mark.parametrize("index", [0, 3, 8])
def test_16_bits_are_no_further_off_than_in_torch(dtype, index):
    hf = tiny(seed=index, hidden_size=64, head_dim=16, intermediate_size=96, num_hidden_layers=3)
    plain, native = twins(hf, dtype)
    exact = ready(
        tinyllm.optimize(deepcopy(hf).float(), stage="sdpa")
    )  # of the same rounded weights
    ids, errors = torch.arange(1, 13)[None], []
    steps = zip(
        follow(plain, native, ids, None, 3, 5), follow(exact, exact, ids, None, 3, 5), strict=True
    )
    for both, (right, _) in steps:
        errors.append([(x - right).square().mean() for x in both])
    theirs, mine = torch.tensor(errors).mean(0).sqrt()
    assert mine <= 1.5 * theirs


def test_more_sequences_than_rows_go_the_ordinary_way():
    plain, native = twins(tiny())
    ids = torch.arange(1, 6).expand(6, -1).contiguous()
    for right, got in follow(plain, native, ids, None, 3, steps=2):
        assert torch.equal(right, got)


def test_memory_that_grows_is_found_again():
    plain, native = twins(tiny())
    for right, got in follow(
        plain, native, torch.tensor([[5, 6]]), None, 2, steps=40
    ):  # 16 are reserved, then 32, 64
        close(got, right)


def both(plain, native, pair, tokens):
    """Logits of both models after the same tokens."""
    models = zip((plain, native), pair, strict=True)
    return [model.run(torch.tensor([tokens]), None, cache) for model, cache in models]


def test_two_caches_side_by_side():
    plain, native = twins(tiny())
    pairs = [(plain.new_cache(1, 1, 8), native.new_cache(1, 1, 8)) for _ in range(2)]
    for tokens in ([4, 5, 6], [7], [8], [9]):
        for pair in pairs:
            close(*both(plain, native, pair, tokens))


def test_a_cache_is_used_again_after_weights_and_memory_have_moved():
    plain, native = twins(tiny())
    pair = plain.new_cache(1, 1, 8), native.new_cache(1, 1, 8)
    for prompt in (
        [4, 5, 6],
        [7, 5, 6],
        [3, 4, 5, 6, 7],
    ):  # the last finds no room where the others were
        for tokens in (prompt, [7], [8], [9]):
            close(*both(plain, native, pair, tokens))
        for cache in pair:
            cache.reset()
        for model in (plain, native):
            model.layers[0].o_proj.weight.data = model.layers[0].o_proj.weight * 0.5


def test_weights_are_read_in_place_and_found_where_they_are_put():
    plain, native = twins(tiny())
    for change in ("in place", "another tensor"):
        for model in (plain, native):  # which share parameters
            weight = model.layers[1].down_proj.weight
            if change == "another tensor":
                weight.data = weight.data * 0.5
            elif model is plain:
                weight.mul_(2)
        for right, got in follow(plain, native, torch.tensor([[5, 6, 7]]), None, 1, steps=2):
            close(got, right)


def test_no_weight_is_copied():
    model = twins(tiny())[1]
    cache = model.new_cache(1, 1)
    for tokens in (torch.tensor([[1, 2]]), torch.tensor([[3]])):
        model.run(tokens, None, cache)
    own = {x.data_ptr() for x in model.parameters()} | {model.rotary.frequencies.data_ptr()}
    assert {x.data_ptr() for x in model.run.step.weights.tensors()} <= own


def test_a_layer_norm_is_one():
    plain, native = twins(tiny())
    for model in (plain, native):
        norms = [
            model.norm,
            *(norm for layer in model.layers for norm in (layer.attention_norm, layer.mlp_norm)),
        ]
        for norm in norms:
            norm.bias = nn.Parameter(draw(len(norm.weight)), requires_grad=False)
    for right, got in follow(plain, native, torch.tensor([[5, 6, 7]]), None, 2, steps=3):
        close(got, right)


def test_why_a_stage_has_no_native_step(monkeypatch):
    hf = tiny()
    own = "the stage has {} of its own, which a native step would not run"
    final = tinyllm.STAGES["final"]
    for stage, reason in (
        (replace(final, ops=NAIVE), own.format("operations")),
        (replace(final, attention=stock_attention), own.format("an attention")),
        (replace(final, kernels="torch"), "the stage asks for the kernels 'torch'"),
    ):
        model = tinyllm.optimize(hf, stage=stage)
        assert unsupported_reason(model) == reason
        assert model.stage.runner.step(model) == model.step
    for kernels in (None, "cpu"):
        assert (
            unsupported_reason(tinyllm.optimize(hf, stage=replace(final, kernels=kernels))) is None
        )
    model = tinyllm.optimize(hf, stage="final")
    assert unsupported_reason(model.double()) == "native steps do not know torch.float64"
    assert model.stage.runner.step(model) == model.step
    model.float()
    monkeypatch.setattr(cpu, "unavailable", lambda: "no compiler")
    assert unsupported_reason(model) == "no compiler"
    assert model.stage.runner.step(model) == model.step


def test_other_caches_go_the_ordinary_way():
    hf = tiny()
    fused = replace(tinyllm.STAGES["final"], cache=ContiguousCache)
    native = tinyllm.optimize(hf, stage=fused)
    plain = restage(native, replace(fused, runner=EAGER))
    step = native.stage.runner.step(native)
    assert isinstance(step, NativeStep)
    caches = native.new_cache(1), plain.new_cache(1)
    for tokens in (torch.tensor([[1, 2, 3]]), torch.tensor([[4]])):
        assert torch.equal(step(tokens, None, caches[0]), plain.step(tokens, None, caches[1]))
