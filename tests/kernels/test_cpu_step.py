"""A decode step in native code: against float64, and against the ordinary step of a model."""

import os
from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import tinyllm
from models import close, drawn, ragged, tiny
from tinyllm.cache.fixed import FixedSegmentCache
from tinyllm.check import references
from tinyllm.checkpoint.loading import restage
from tinyllm.kernels import cpu
from tinyllm.runtime.native import native_step, why_not
from tinyllm.stages import pick_stage

DTYPES = (torch.float32, torch.float16, torch.bfloat16)

if "CI" not in os.environ and (reason := cpu.unavailable()):
    pytest.skip(reason, allow_module_level=True)


@pytest.fixture(autouse=True)
def same_number_of_threads():
    """Torch's own number after each test."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(params=[1, 2, 5])
def threads(request):
    """So many threads, more than this machine may have."""
    torch.set_num_threads(request.param)
    return request.param


def draw(*shape, dtype=torch.float32):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape))).to(dtype)


def weights(dtype, *, h=6, g=2, d=16, m=40, f=56, v=51, layers=2, layer_norm=False, bias=False, **options):
    """Random weights of any kind of decoder."""
    number = iter(range(1000))
    r = lambda *s: (torch.randn(s, generator=torch.Generator().manual_seed(next(number))) * s[-1] ** -0.5).to(dtype)  # noqa: E731
    near_one = lambda n: 1 + r(n)  # noqa: E731
    maybe = lambda wanted, n: 0.5 * r(n) if wanted else None  # noqa: E731

    def layer():
        matrices = {"qkv": r((h + 2 * g) * d, m), "o": r(m, h * d), "down": r(m, f)}
        matrices["up"] = r(f * (1 + options.get("gated", True)), m)
        biases = {f"{name}_bias": maybe(bias, len(matrix)) for name, matrix in matrices.items()}
        norms = {"attention_norm": near_one(m), "mlp_norm": near_one(m)}
        return matrices | biases | norms | {f"{name}_bias": maybe(layer_norm, m) for name in norms}

    turned = options.pop("turned", d)
    frequencies = 100.0 ** (-torch.arange(0, turned, 2) / max(turned, 1))
    return cpu.Weights(
        layers=[layer() for _ in range(layers)], embedding=r(v, m) * m**0.5, norm=near_one(m),
        norm_bias=maybe(layer_norm, m), head=r(v, m), frequencies=frequencies, heads=(h, g, d),
        **{"activation": "silu", "eps": 1e-5} | options,
    )  # fmt: skip


def reference_step(weights, tokens, positions, memory, lengths, ancestry, where):
    """The step spelled out in float64; keys and values are written into the memory."""
    (b, w), (h, g, d) = tokens.shape, weights.heads
    wide = lambda x: None if x is None else x.double()  # noqa: E731
    normed = lambda weight, bias: references.NormWeights(weight.double(), wide(bias), weights.eps)  # noqa: E731
    x = weights.embedding.double()[tokens].flatten(0, 1)
    angles = (positions[..., None].float() * weights.frequencies).double()
    first = (int(lengths[1]) - 1) * w
    for layer, (prompt_k, prompt_v, response_k, response_v) in zip(weights.layers, memory, strict=True):
        p = {name: wide(value) for name, value in layer.items()}
        norm = normed(p["attention_norm"], p["attention_norm_bias"])
        merged = references.linear(x, p["qkv"], p["qkv_bias"], norm)
        q, k, v = merged.view(b, w, -1, d).transpose(1, 2).split([h, g, g], 1)
        q, k = (references.rotate(x, angles.cos(), angles.sin(), weights.interleaved) for x in (q, k))
        for slots, new in ((response_k, k), (response_v, v)):
            slots[:, :, first : first + w] = new
        memories = [x.double() for x in (prompt_k, prompt_v, response_k, response_v)]
        a = references.segment_attention(q, *memories, lengths, ancestry, where, weights.slopes).flatten(0, 1)
        x = references.linear(a, p["o"], p["o_bias"], residuals=(x,))
        norm = normed(p["mlp_norm"], p["mlp_norm_bias"])
        inner = references.linear(x, p["up"], p["up_bias"], norm, weights.activation, weights.gated)
        x = references.linear(inner, p["down"], p["down_bias"], residuals=(x,))
    return references.linear(x, weights.head.double(), norm=normed(weights.norm, weights.norm_bias))


SLOPES = 2.0 ** -torch.arange(1.0, 7.0)
KINDS = {
    "as Llama": {},
    "biases": {"bias": True, "activation": "gelu"},
    "LayerNorm, no gate": {"layer_norm": True, "bias": True, "gated": False, "activation": "relu"},
    "ALiBi": {"turned": 0, "slopes": SLOPES, "layer_norm": True, "activation": "gelu_pytorch_tanh"},
    "interleaved, a part of each head": {"interleaved": True, "turned": 8},
    "half-split, a part of each head": {"turned": 12},
    "odd sizes": {"h": 3, "g": 3, "d": 10, "m": 33, "f": 7, "v": 19, "bias": True},
    "wide heads": {"h": 2, "g": 1, "d": 80, "m": 130},
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("b", "w", "padded"), [(1, 1, False), (2, 3, True), (1, 16, False), (3, 1, True)])
def test_step_against_float64(kind, b, w, padded, threads):
    options = dict(KINDS[kind])
    model = weights(torch.float32, **options)
    (_, g, d), t, step, room = model.heads, 9, 4, 6
    nan = float("nan")
    prompt = [[draw(b, g, t + 3, d) for _ in range(2)] for _ in model.layers]
    response = [[torch.full((b, g, room * w, d), nan) for _ in range(2)] for _ in model.layers]
    for k, v in response:
        for x in (k, v):
            x[:, :, : (step - 1) * w] = draw(b, g, (step - 1) * w, d)
    for pair in prompt:
        for x in pair:
            x[:, :, t:] = nan
    memory = [(*p, *r) for p, r in zip(prompt, response, strict=True)]
    twin = [tuple(x.double() for x in layer) for layer in memory]
    lengths = torch.tensor([t, step], dtype=torch.int32)
    generator = torch.Generator().manual_seed(b * w)
    ancestry = torch.randint(w, (b, w, room), generator=generator, dtype=torch.int32) if w > 1 else None
    if ancestry is not None:
        ancestry[:, :, step - 1] = torch.arange(w)
    where = (torch.arange(t + 3) - 2 * torch.arange(b)[:, None]).int() if padded else None
    start = torch.full((1, 1), t) if where is None else where[:, t - 1 : t].long() + 1
    positions = (start + step - 1).expand(-1, w).contiguous()
    tokens = torch.randint(len(model.head), (b, w), generator=generator)
    native = cpu.DecodeStep(cpu.kernels(), model)
    native.bind(memory)
    got = native(tokens, positions, lengths, ancestry, where, (t, step))
    right = reference_step(model, tokens, positions, twin, lengths, ancestry, where)
    close(got.double(), right)
    for mine, theirs in zip(memory, twin, strict=True):
        for x, y in zip(mine, theirs, strict=True):
            assert torch.equal(x.isnan(), y.isnan()), "written where nothing belongs"
            close(x.double().nan_to_num(), y.nan_to_num())


def test_a_step_says_what_it_cannot_take():
    model = weights(torch.float32)
    native = cpu.DecodeStep(cpu.kernels(), model)
    memory = [tuple(draw(1, 2, 8, 16) for _ in range(4)) for _ in model.layers]
    native.bind(memory)
    one, position, lengths = torch.tensor([[3]]), torch.tensor([[9]]), torch.tensor([8, 2], dtype=torch.int32)
    with pytest.raises(IndexError, match=r"tokens \[\[51\]\]: expected ids from 0 to 50"):
        native(torch.tensor([[51]]), position, lengths, None, None, (8, 2))
    with pytest.raises(IndexError, match="expected ids from 0 to 50"):
        native(torch.tensor([[-1]]), position, lengths, None, None, (8, 2))
    with pytest.raises(ValueError, match="response has shape"):
        native(one, position, lengths, None, None, (8, 9))
    with pytest.raises(ValueError, match="17 sequences: expected 1 to 16"):
        native(one.expand(1, 17), position, lengths, None, None, (8, 2))
    with pytest.raises(ValueError, match=r"prompt_k is torch\.float16 on cpu, expected torch\.float32"):
        native.bind([tuple(x.half() for x in layer) for layer in memory])
    with pytest.raises(ValueError, match="in one layer"):
        native.bind([memory[0], tuple(draw(1, 2, 9, 16)[:, :, :8] for _ in range(4))])
    with pytest.raises(ValueError, match="contiguous"):
        cpu.DecodeStep(cpu.kernels(), replace(model, head=draw(40, 51).T))


# ---- the step of a model -------------------------------------------------------------------------


def twins(hf, dtype=torch.float32):
    """The same weights with the ordinary step, and with the native one."""
    first = tinyllm.optimize(hf.to(dtype), stage="sdpa")
    second = restage(first, pick_stage("sdpa"))
    step = native_step(second)
    assert step is not None, why_not(second)
    second.step = step
    return first, second


def test_the_native_step_is_taken(monkeypatch):
    plain, native = twins(tiny())
    ids, cache = torch.tensor([[1, 2, 3]]), native.new_cache(1, 2)
    native.step(ids, None, cache)
    monkeypatch.setattr(type(plain), "hidden_states", lambda *_: pytest.fail("the layers ran in torch"))
    logits = native.step(torch.tensor([[4, 5]]), None, cache)
    assert logits.shape == (2, 61) and logits.dtype == torch.float32
    assert cache.length == 4


def follow(plain, native, ids, mask, w, steps, reorder=True):
    """Logits of both over some steps of random tokens, with a reorder after each."""
    caches = plain.new_cache(len(ids), w), native.new_cache(len(ids), w)
    prompts = [model.step(ids, mask, cache) for model, cache in zip((plain, native), caches, strict=True)]
    assert torch.equal(*prompts)
    generator = torch.Generator().manual_seed(w)
    for _ in range(steps):
        tokens = torch.randint(plain.config.vocab_size, (len(ids), w), generator=generator)
        yield plain.step(tokens, None, caches[0]).float(), native.step(tokens, None, caches[1])
        parents = torch.randint(w, (len(ids), w), generator=generator)
        parents = (parents + w * torch.arange(len(ids))[:, None]).flatten()
        for cache in caches if reorder else ():
            cache.reorder(parents)


@settings(deadline=None, max_examples=12)
@given(hf=drawn(), b=st.integers(1, 3), w=st.integers(1, 5), padded=st.booleans(), count=st.sampled_from([1, 2]))
def test_logits_are_those_of_the_ordinary_step(hf, b, w, padded, count):
    plain, native = twins(hf)
    ids, mask = ragged(hf.config.vocab_size, [7 - (2 * i if padded else 0) for i in range(b)], seed=b)
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
    exact = tinyllm.optimize(deepcopy(hf).float(), stage="sdpa")  # of the same rounded weights
    ids, errors = torch.arange(1, 13)[None], []
    steps = zip(follow(plain, native, ids, None, 3, 5), follow(exact, exact, ids, None, 3, 5), strict=True)
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
    for right, got in follow(plain, native, torch.tensor([[5, 6]]), None, 2, steps=40):  # 16 are reserved, then 32, 64
        close(got, right)


def both(plain, native, pair, tokens):
    """Logits of both models after the same tokens."""
    models = zip((plain, native), pair, strict=True)
    return [model.step(torch.tensor([tokens]), None, cache) for model, cache in models]


def test_two_caches_side_by_side():
    plain, native = twins(tiny())
    pairs = [(plain.new_cache(1, 1, 8), native.new_cache(1, 1, 8)) for _ in range(2)]
    for tokens in ([4, 5, 6], [7], [8], [9]):
        for pair in pairs:
            close(*both(plain, native, pair, tokens))


def test_a_cache_is_used_again_after_weights_and_memory_have_moved():
    plain, native = twins(tiny())
    pair = plain.new_cache(1, 1, 8), native.new_cache(1, 1, 8)
    for prompt in ([4, 5, 6], [7, 5, 6], [3, 4, 5, 6, 7]):  # the last finds no room where the others were
        for tokens in (prompt, [7], [8], [9]):
            close(*both(plain, native, pair, tokens))
        for cache in pair:
            cache.forget()
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
        model.step(tokens, None, cache)
    own = {x.data_ptr() for x in model.parameters()} | {model.frequencies.data_ptr()}
    assert {x.data_ptr() for x in model.step.step.weights.tensors()} <= own


def test_a_layer_norm_is_one():
    plain, native = twins(tiny())
    for model in (plain, native):
        norms = [model.norm, *(norm for layer in model.layers for norm in (layer.attention_norm, layer.mlp_norm))]
        for norm in norms:
            norm.bias = nn.Parameter(draw(len(norm.weight)), requires_grad=False)
    for right, got in follow(plain, native, torch.tensor([[5, 6, 7]]), None, 2, steps=3):
        close(got, right)


def test_why_not(monkeypatch):
    hf = tiny()
    naive = tinyllm.optimize(hf, stage="naive")
    assert native_step(naive) is None
    assert why_not(naive) == "stage 'naive' has operations of its own, which a native step would not run"
    model = tinyllm.optimize(hf, stage="sdpa")
    assert why_not(model) is None
    assert native_step(model.double()) is None
    assert why_not(model) == "native steps do not know torch.float64"
    model.float()
    monkeypatch.setattr(cpu, "unavailable", lambda: "no compiler")
    assert native_step(model) is None
    assert why_not(model) == "no compiler"


def test_other_caches_go_the_ordinary_way():
    plain, _ = twins(tiny())
    cache = pick_stage("fused").cache(plain.config, 1, 1, None, plain.device, plain.dtype)
    assert not isinstance(cache, FixedSegmentCache)
    fused = restage(plain, pick_stage("fused"))
    step, other = native_step(fused), fused.new_cache(1)
    for tokens in (torch.tensor([[1, 2, 3]]), torch.tensor([[4]])):
        assert torch.equal(step(tokens, None, other), fused.step(tokens, None, cache))
