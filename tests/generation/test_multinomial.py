"""Tokens drawn on a CPU: for the same seed those of `torch.multinomial`, and the generator left in the same state."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import models
from tinyllm.generation import multinomial as drawing
from tinyllm.generation.multinomial import is_exact, multinomial

NAN, INF = float("nan"), float("inf")


def drawn(draw, probabilities, seed, k=1):
    torch.manual_seed(seed)
    return draw(probabilities.clone(), k).tolist(), torch.get_rng_state().tolist()


@st.composite
def distributions(draw):
    """Rows of probabilities of which only some are above zero, as after `top_k`, or all."""
    rows, vocab = draw(st.integers(1, 40)), draw(st.integers(1, 300))
    kept = draw(st.integers(1, vocab))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 1000)))
    scores = torch.randn(rows, vocab, generator=generator) * draw(st.sampled_from([0.0, 1.0, 30.0]))
    least = scores.topk(kept).values[:, -1:]
    return scores.masked_fill(scores < least, -INF).softmax(dim=-1)


@given(
    probabilities=distributions(),
    seed=st.integers(0, 2**31),
    block=st.sampled_from([1, 64, 1 << 17]),
    few=st.sampled_from([drawing.FEW, 1]),
)
def test_the_same_seed_draws_the_tokens_of_torch(probabilities, seed, block, few):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drawing, "BLOCK", block)
        patch.setattr(drawing, "FEW", few)
        mine = drawn(multinomial, probabilities, seed)
    assert mine == drawn(torch.multinomial, probabilities, seed)


@pytest.mark.parametrize("known", [True, False])
def test_several_tokens_and_other_formats_are_drawn_by_torch(monkeypatch, known):
    monkeypatch.setattr(drawing, "is_exact", lambda: known)
    probabilities = torch.randn(5, 90, generator=torch.Generator().manual_seed(1)).softmax(dim=-1)
    for k, p in [(3, probabilities), (1, probabilities.double()), (1, probabilities)]:
        assert drawn(multinomial, p, 7, k) == drawn(torch.multinomial, p, 7, k)


@pytest.mark.parametrize("value", [NAN, INF])
def test_what_is_no_distribution_is_refused_as_torch_refuses_it(value):
    probabilities = torch.full((3, 20), 0.05)
    probabilities[1, 4] = value
    message = "probability tensor contains either `inf`, `nan` or element < 0"
    models.says(RuntimeError, message, lambda: multinomial(probabilities, 1))


def test_asking_how_torch_draws_leaves_the_seed_of_the_program_alone():
    is_exact.cache_clear()
    before = torch.get_rng_state()
    is_exact()
    assert torch.equal(torch.get_rng_state(), before)
