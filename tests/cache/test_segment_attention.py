"""Attention over the segments of a cache is attention over all keys, whatever was reordered."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import scaled_dot_product_attention

import models
import tinyllm
from models import close
from tinyllm.attention.kernel import kernel_attention
from tinyllm.attention.metadata import PrefillMetadata, Segment
from tinyllm.attention.stock import stock_attention
from tinyllm.cache import segment
from tinyllm.cache.segment import SegmentCache
from tinyllm.kernels import DEFAULT_CPU
from tinyllm.kernels.torch_attention import (
    PartialAttention,
    attention_with_lse,
    merge_by_lse,
    unfused_attention,
)
from tinyllm.kernels.torch_attention import _merge as merge

CPU = torch.device("cpu")
CLOSE = {torch.float32: 2e-5, torch.bfloat16: 2e-2, torch.float16: 2e-3}
formats = st.sampled_from(list(CLOSE))


def softmax(q, k, v, bias):
    """Attention in float64: its result, and the logarithm of the sum."""
    q, k, v, bias = (x.double() for x in (q, k, v, bias))
    scores = q @ k.mT / q.shape[-1] ** 0.5 + bias
    return scores.softmax(-1) @ v, scores.logsumexp(-1)


def near(mine, theirs, dtype):
    torch.testing.assert_close(mine.double(), theirs, rtol=CLOSE[dtype], atol=CLOSE[dtype])


@st.composite
def problems(draw, parts=(2, 4), scales=(0.01, 1.0, 60.0)):
    """Queries `[b, g, rows, d]`, and parts of keys, values and biases: one key or several, some of them hidden."""
    b, g, rows = (draw(st.integers(1, n)) for n in (3, 3, 9))
    d = draw(st.sampled_from((1, 2, 5, 8, 16, 20, 33)))
    sizes = draw(st.lists(st.integers(1, 9), min_size=parts[0], max_size=parts[1]))
    dtype, generator = draw(formats), torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    make = lambda *shape: torch.randn(shape, generator=generator)  # noqa: E731
    made = []
    for size in sizes:
        scale = draw(st.sampled_from(scales))  # one part may hold nearly all the weight
        k, v = ((make(b, g, size, d) * by).to(dtype) for by in (scale, 1.0))
        hidden = make(b, 1, rows, size) > 0.5
        hidden[..., 0] = False  # no row of a part is empty
        bias = torch.zeros(hidden.shape, dtype=dtype).masked_fill_(hidden, float("-inf"))
        made.append((Segment(k, v), bias if draw(st.booleans()) else None))
    return make(b, g, rows, d).to(dtype), made


def in_one(q, parts):
    """All parts as one."""
    rows = q.shape[2]
    zeros = lambda kv: torch.zeros(len(q), 1, rows, kv.k.shape[2])  # noqa: E731
    bias = torch.cat([zeros(kv) if bias is None else bias.float() for kv, bias in parts], dim=-1)
    return softmax(
        q, *(torch.cat(x, dim=2) for x in zip(*(kv for kv, _ in parts), strict=True)), bias
    )


@settings(max_examples=150, deadline=None)
@given(problem=problems(), data=st.data())
def test_merged_parts_are_attention_over_all_keys_in_any_order(problem, data):
    q, parts = problem
    out, log_sum = in_one(q, parts)
    partial = [attention_with_lse(q, *kv, bias) for kv, bias in data.draw(st.permutations(parts))]
    near(merge_by_lse(partial), out, q.dtype)
    while len(partial) > 1:
        first, second = (partial.pop(data.draw(st.integers(0, len(partial) - 1))) for _ in range(2))
        partial.append(merge(first, second))
    near(partial[0].out, out, q.dtype)
    torch.testing.assert_close(partial[0].lse.double(), log_sum, rtol=1e-4, atol=1e-4)


@settings(max_examples=100, deadline=None)
@given(problem=problems(parts=(1, 1), scales=(0.01, 1.0)))
def test_the_unfused_kernel_says_what_torchs_says(problem):
    q, [(kv, bias)] = problem
    mine, torchs = unfused_attention(q, *kv, bias), attention_with_lse(q, *kv, bias)
    near(mine.out, torchs.out.double(), q.dtype)
    assert mine.out.dtype == torchs.out.dtype == q.dtype
    assert mine.lse.dtype == torchs.lse.dtype == torch.float32
    near(mine.lse, torchs.lse.double(), q.dtype)


@pytest.mark.parametrize("apart", [1e2, 1e10, 3e38])
@pytest.mark.parametrize("dtype", CLOSE)
def test_sums_far_apart_neither_overflow_nor_mix(apart, dtype):
    high, low = (
        PartialAttention(torch.full((1, 1, 1, 3), x, dtype=dtype), torch.full((1, 1, 1), s))
        for x, s in ((2.0, apart), (-7.0, -apart))
    )
    for a, b in ((high, low), (low, high)):
        assert merge(a, b).out.equal(high.out)
        assert merge(a, b).lse.equal(high.lse)


def test_equal_sums_share_alike():
    a, b = (
        PartialAttention(torch.full((1, 1, 1, 3), x), torch.full((1, 1, 1), 5.0))
        for x in (1.0, 4.0)
    )
    close(merge(a, b).out, torch.full((1, 1, 1, 3), 2.5))
    close(merge(a, b).lse, torch.full((1, 1, 1), 5.0 + torch.tensor(2.0).log().item()))


def config_of(g, group, d):
    return tinyllm.optimize(
        models.tiny(
            num_hidden_layers=1,
            hidden_size=g * group,
            num_attention_heads=g * group,
            num_key_value_heads=g,
            head_dim=d,
            max_position_embeddings=64,
        )
    ).config


class Paths:
    """What every sequence of every request has seen, kept the simple way: lists of keys and values, copied."""

    def __init__(self, b, w, prompt, mask):
        self.seen = [
            [
                [(prompt.k[r, :, i], prompt.v[r, :, i], None) for i in mask[r].nonzero()[:, 0]]
                for _ in range(w)
            ]
            for r in range(b)
        ]

    def reorder(self, parents):
        w = len(self.seen[0])
        self.seen = [
            [list(row[p % w]) for p in parents[r * w : (r + 1) * w]]
            for r, row in enumerate(self.seen)
        ]

    def add(self, k, v, step):
        for r, row in enumerate(self.seen):
            for s, path in enumerate(row):
                path.append((k[r, :, s], v[r, :, s], step * len(row) + s))

    def slots(self):
        """The slot of every token after the prompt."""
        return [
            [[slot for _, _, slot in path if slot is not None] for path in row] for row in self.seen
        ]

    def attention(self, q):
        """Softmax over each sequence's own keys, `q` being `[b, h, w, d]`."""
        rows = []
        for r, row in enumerate(self.seen):
            for s, path in enumerate(row):
                k, v = (torch.stack([entry[i] for entry in path], dim=1) for i in (0, 1))
                grouped = q[r, :, s].unflatten(0, (len(k), -1))
                rows.append(softmax(grouped, k, v, torch.zeros(1))[0].flatten())
        return torch.stack(rows).view(len(self.seen), len(self.seen[0]), -1)


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.tuples(*(st.integers(1, n) for n in (3, 5, 3, 4, 6, 9))),
    d=st.sampled_from((2, 6, 8)),
    dtype=formats,
    reserved=st.booleans(),
    padded=st.booleans(),
    independent=st.booleans(),
    data=st.data(),
)
def test_every_sequence_sees_its_own_path_after_any_reorders(
    sizes, d, dtype, reserved, padded, independent, data
):
    b, w, g, group, t, steps = sizes
    generator = torch.Generator().manual_seed(data.draw(st.integers(0, 2**31)))
    make = lambda *shape: torch.randn(shape, generator=generator).to(dtype)  # noqa: E731
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(segment, "FIRST_STEPS", 2)  # unless reserved: memory for 2, 4, 8, 16 steps
        where = {"device": CPU, "dtype": dtype, "kernels": DEFAULT_CPU, "independent": independent}
        cache = SegmentCache(config_of(g, group, d), b, w, steps if reserved else None, **where)
    mask = (
        torch.arange(t)
        >= torch.tensor([data.draw(st.integers(0, t - 1)) * padded for _ in range(b)])[:, None]
    )
    prompt, (layer,) = Segment(make(b, g, t, d), make(b, g, t, d)), cache.layers
    cache.prepare(t, mask.long() if padded else None)
    layer.append(*prompt)
    paths = Paths(b, w, prompt, mask)
    for step in range(steps):
        if not independent:
            parents = [r * w + data.draw(st.integers(0, w - 1)) for r in range(b) for _ in range(w)]
            cache.reorder(torch.tensor(parents))
            paths.reorder(parents)
        positions, metadata = cache.prepare(w, None)
        k, v, q = make(b, g, w, d), make(b, g, w, d), make(b, g * group, w, d)
        layer.append(k, v)
        paths.add(k, v, step)
        index = metadata.visible_slots(CPU)[:, 0].int().argmax(dim=-1).expand(b, -1, -1)
        assert index.add(w * torch.arange(step + 1)).tolist() == paths.slots()
        assert (positions == mask.sum(1, keepdim=True) + step).all() or not padded
        for attention in (stock_attention, kernel_attention):
            near(attention(q, layer.segments, metadata), paths.attention(q), dtype)


@pytest.mark.parametrize("attention", [stock_attention, kernel_attention])
def test_attention_over_a_prompt_sees_the_prompt_alone(attention):
    q, memory = torch.randn(2, 4, 3, 8), Segment(torch.randn(2, 2, 7, 8), torch.randn(2, 2, 7, 8))
    prompt, metadata = memory.part(0, 3), PrefillMetadata(3, 3, None, None, DEFAULT_CPU)
    right = (
        scaled_dot_product_attention(q, *prompt, is_causal=True, enable_gqa=True)
        .transpose(1, 2)
        .flatten(2)
    )
    for segments in ((prompt,), (prompt, memory), (memory, prompt)):
        assert attention(q, segments, metadata).equal(right)
