"""Recorded online softmax, its text and picture, compared with float64, the case table and other splits."""

from base64 import b64decode
from functools import cache, partial, reduce
from html import unescape
from itertools import accumulate, pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tinyllm.check import check
from tinyllm.draw.filmstrip import draw_filmstrip, draw_frame, weights_so_far
from tinyllm.draw.picture import picture
from tinyllm.draw.softmax_stepper import step_through_softmax
from tinyllm.kernels.torch_attention import attention_with_lse
from tinyllm.lab.softmax_trace import (
    absorb,
    as_text,
    before,
    merge,
    nothing,
    softmax_steps,
    span,
    tiled_attention,
    trace_softmax,
)

NEAR = {"rtol": 1e-9, "atol": 1e-9}
sizes = {
    "rows": st.integers(1, 5),
    "n": st.integers(1, 40),
    "d": st.sampled_from([1, 3, 8]),
    "tile": st.integers(1, 45),
    "scale": st.sampled_from([0.0, 1e-3, 1.0, 30.0, 3000.0]),
    "shift": st.sampled_from([0.0, -1000.0, 1000.0]),
    "seed": st.integers(0, 999),
}


def drawn(rows, n, d, scale, shift, seed, heads=(2,)):
    """Queries, keys, values and a bias that shifts all scores and masks some keys, never all of them; float64."""
    generator = torch.Generator().manual_seed(seed)
    normal = lambda *shape: torch.randn(shape, generator=generator, dtype=torch.float64)  # noqa: E731
    q, k, v = normal(*heads, rows, d) * scale, normal(*heads, n, d), normal(*heads, n, d)
    hidden = torch.rand(*heads, rows, n, generator=generator) < 0.4
    hidden[..., int(torch.randint(n, (1,), generator=generator))] = False
    bias = torch.full_like(hidden, shift, dtype=torch.float64).masked_fill(hidden, float("-inf"))
    return q, k, v, bias


def exact(q, k, v, bias):
    """Attention over all keys, the largest score and the log-sum-exp, by torch in float64."""
    scores = q @ k.mT / q.shape[-1] ** 0.5 + bias
    return scores.softmax(dim=-1) @ v, scores.amax(dim=-1), scores.logsumexp(dim=-1)


def visible(bias, end):
    return (bias[..., :end] > float("-inf")).any(dim=-1)


@settings(max_examples=60, deadline=None)
@given(**sizes)
def test_every_state_is_the_softmax_of_the_keys_so_far(rows, n, d, tile, scale, shift, seed):
    q, k, v, bias = drawn(rows, n, d, scale, shift, seed)
    steps, end = list(softmax_steps(q, k, v, bias, tile)), 0
    assert [step.scores.shape[-1] for step in steps] == [
        len(part) for part in torch.arange(n).split(tile)
    ]
    for step in steps:
        end += step.scores.shape[-1]
        out, top, log_sum = exact(q, k[:, :end], v[:, :end], bias[..., :end])
        seen = visible(bias, end)
        torch.testing.assert_close(step.state.maximum, top, **NEAR)
        torch.testing.assert_close(step.state.out[seen], out[seen], **NEAR)
        torch.testing.assert_close(step.state.lse[seen], log_sum[seen], **NEAR)
        assert not step.state.denominator[~seen].any()
        assert all(part.isfinite().all() for part in step.state[1:])


@settings(max_examples=40, deadline=None)
@given(**sizes, parts=st.integers(1, 6), order=st.randoms(use_true_random=False))
def test_parts_merge_in_any_order_and_grouping(rows, n, d, tile, scale, shift, seed, parts, order):
    q, k, v, bias = drawn(rows, n, d, scale, shift, seed)
    cut = lambda x, axis: x.tensor_split(parts, dim=axis)  # noqa: E731
    states = [
        list(softmax_steps(q, *part, tile))[-1].state if part[0].shape[1] else nothing(q)
        for part in zip(cut(k, 1), cut(v, 1), cut(bias, 2), strict=True)
    ]
    order.shuffle(states)
    half = parts // 2
    out, top, log_sum = exact(q, k, v, bias)
    halves = merge(
        reduce(merge, states[:half], nothing(q)), reduce(merge, states[half:], nothing(q))
    )
    for state in (reduce(merge, states), reduce(merge, states, nothing(q)), halves):
        torch.testing.assert_close(state.maximum, top, **NEAR)
        torch.testing.assert_close(state.out, out, **NEAR)
        torch.testing.assert_close(state.lse, log_sum, **NEAR)


@settings(max_examples=30, deadline=None)
@given(**sizes)
def test_absorbing_a_tile_is_merging_a_part(rows, n, d, tile, scale, shift, seed):
    q, k, v, bias = drawn(rows, n, d, scale, shift, seed)
    state = nothing(q)
    for step in softmax_steps(q, k, v, bias, tile):
        values = v[:, :tile]
        alone = absorb(nothing(q), step.scores, values).state
        for mine, merged in zip(step.state, merge(state, alone), strict=True):
            torch.testing.assert_close(mine, merged, **NEAR)
        state, v = step.state, v[:, tile:]


@settings(max_examples=30, deadline=None)
@given(**sizes)
def test_a_step_records_its_scores_and_state(rows, n, d, tile, scale, shift, seed):
    q, k, v, bias = drawn(rows, n, d, scale, shift, seed)
    state = nothing(q)
    for number, step in enumerate(softmax_steps(q, k, v, bias, tile)):
        torch.testing.assert_close(
            step.state.denominator, state.denominator * step.rescale + step.weights.sum(-1)
        )
        there = state.accumulator * step.rescale[..., None]
        added = step.weights @ v[:, number * tile : (number + 1) * tile]
        torch.testing.assert_close(step.state.accumulator, there + added, **NEAR)
        state = step.state


@pytest.mark.parametrize("tile", [2, 16, 1000])
def test_tiles_pass_the_case_table(tile):
    formats = (torch.float32, torch.float16, torch.bfloat16)
    verdict = check(
        "attention",
        partial(tiled_attention, tile=tile),
        dtypes=formats if tile == 16 else formats[:1],
    )
    assert verdict.right, verdict


@pytest.mark.parametrize("tokens", [2, 5])
def test_several_tokens_and_a_bias_for_each(tokens):
    q, k, v = torch.randn(2, 6, tokens, 8), *torch.randn(2, 2, 2, 7, 8)
    bias = torch.zeros(2, 1, tokens, 7).masked_fill(
        torch.ones(tokens, 7).triu(3).bool(), float("-inf")
    )
    stock = torch.nn.functional.scaled_dot_product_attention(
        q, k, v, attn_mask=bias, enable_gqa=True
    )
    torch.testing.assert_close(tiled_attention(q, k, v, bias, 3), stock.transpose(1, 2).flatten(2))


def test_a_part_equals_that_of_the_segment_cache():
    q, k, v = torch.randn(1, 2, 5, 8), *torch.randn(2, 1, 2, 9, 8)
    (*_, last), part = softmax_steps(q, k, v, tile=4), attention_with_lse(q, k, v, None)
    torch.testing.assert_close(last.state.out, part.out)
    torch.testing.assert_close(last.state.lse, part.lse)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_sixteen_bits_are_summed_in_float32(dtype):
    q, k, v = (
        x.to(dtype) for x in (torch.randn(1, 3, 8), torch.randn(1, 9, 8), torch.randn(1, 9, 8))
    )
    (*_, last), (*_, wide) = (
        softmax_steps(q, k, v, tile=2),
        softmax_steps(q.float(), k.float(), v.float(), tile=2),
    )
    assert all(torch.equal(mine, right) for mine, right in zip(last.state, wide.state, strict=True))


NAMES = ("<s>", " a", " b", " c", " d", " e", " f", " g", " h", " i", " j")


@pytest.fixture
def trace():
    generator = torch.Generator().manual_seed(1)  # the maximum rises in the last tile only
    q, k, v = (torch.randn(*shape, 16, generator=generator) for shape in ((), (11,), (11,)))
    return trace_softmax(2 * q, k, v, 4, NAMES)


def test_a_trace_is_one_query_over_all_keys(trace):
    assert (trace.keys, trace.tile, len(trace.steps)) == (NAMES, 4, 3)
    assert [list(span(trace, i)) for i in range(3)] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10]]
    for one, two in pairwise(range(3)):
        assert before(trace, two) is trace.steps[one].state
    assert torch.equal(before(trace, 0).maximum, torch.tensor([float("-inf")]))
    assert not before(trace, 0).denominator.any()
    assert [float(step.rescale) < 1 for step in trace.steps] == [True, False, True]


def test_keys_without_names_are_numbered_and_names_must_fit():
    q, k = torch.ones(8), torch.ones(3, 8)
    assert trace_softmax(q, k, k).keys == ("0", "1", "2")
    with pytest.raises(ValueError, match="2 names for 3 keys: expected one for each"):
        trace_softmax(q, k, k, keys=["a", "b"])


def test_weights_so_far_add_up_to_the_denominator(trace):
    for number, step in enumerate(trace.steps):
        weights = weights_so_far(trace, number)
        scores = torch.cat([earlier.scores[0] for earlier in trace.steps[: number + 1]])
        torch.testing.assert_close(torch.tensor(weights), (scores - scores.max()).exp())
        assert sum(weights) == pytest.approx(float(step.state.denominator))


def test_the_text_of_a_step():
    k = torch.tensor([[0.0], [1.0], [3.0]])
    trace = trace_softmax(torch.ones(1), k, 10 * k, 2, ["x", " y", " z"])
    assert as_text(trace, 0).splitlines() == [
        "tile 0: 'x' 0.00 'y' 1.00",
        "maximum      -inf -> 1.00, so the sums are multiplied by 0.000",
        "denominator  0.000 * 0.000 + 1.368 = 1.368",
        "accumulator  [0.000] -> [10.000]",
        "attention over 2 keys: [7.311]",
    ]
    assert as_text(trace, 1).splitlines() == [
        "tile 1: 'z' 3.00",
        "maximum      1.00 -> 3.00, so the sums are multiplied by 0.135",
        "denominator  1.368 * 0.135 + 1.000 = 1.185",
        "accumulator  [10.000] -> [31.353]",
        "attention over 3 keys: [26.456]",
    ]


def test_long_accumulators_are_shortened(trace):
    told = as_text(trace, 2).splitlines()
    assert told[-1].endswith(" ...]")
    assert told[-1].count(".") == 4 + 3


def bars(axis):
    return [patch for patch in axis.patches if patch.get_fill()]


def frames(trace):
    """The three axes of every frame, in the filmstrip and alone."""
    film, steps = draw_filmstrip(trace).axes, len(trace.steps)
    for number in range(steps):
        yield number, film[3 * number : 3 * number + 3]
        yield number, draw_frame(trace, number).axes


def test_frames_show_scores_and_their_maximum(trace):
    for number, (scores, *_) in frames(trace):
        recorded = torch.cat([step.scores[0] for step in trace.steps[: number + 1]]).tolist()
        assert [bar.get_y() + bar.get_height() for bar in bars(scores)] == pytest.approx(recorded)
        colours = [bar.get_facecolor() for bar in bars(scores)]
        assert [colour == colours[-1] for colour in colours] == [
            i in span(trace, number) for i in range(len(colours))
        ]
        heights = [line.get_segments()[0][0][1] for line in scores.collections]
        tops = list(
            accumulate((float(step.state.maximum) for step in trace.steps[: number + 1]), max)
        )
        assert heights[-1] == pytest.approx(tops[-1])
        assert (len(heights) > 1) == (number > 0 and tops[-1] > tops[-2])
        assert scores.texts[0].get_text() == f"max {tops[-1]:.2f}"


def test_frames_show_weights_before_and_after_rescaling(trace):
    for number, (_, weights, _) in frames(trace):
        assert [bar.get_height() for bar in bars(weights)] == pytest.approx(
            weights_so_far(trace, number)
        )
        hollow = [bar.get_height() for bar in weights.patches if not bar.get_fill()]
        assert hollow == pytest.approx(weights_so_far(trace, number - 1) if number else [])
        assert (
            weights.texts[0].get_text() == f"sum {float(trace.steps[number].state.denominator):.2f}"
        )


def test_frames_show_the_accumulator_on_one_scale(trace):
    largest = max(float(step.state.accumulator.abs().max()) for step in trace.steps)
    for number, (_, _, squares) in frames(trace):
        (image,) = squares.images
        assert (
            image.get_array().flatten().tolist()
            == trace.steps[number].state.accumulator[0].tolist()
        )
        assert image.get_clim() == (-largest, largest)


def test_one_frame_names_its_keys(trace):
    axes = draw_frame(trace, 1).axes
    for axis in axes[:2]:
        assert [label.get_text() for label in axis.get_xticklabels()] == [
            name.strip() for name in NAMES
        ]


@pytest.fixture
def stepper(trace):
    return step_through_softmax(trace)


def text_of(stepper):
    return unescape(stepper.words.value.removeprefix("<pre>").removesuffix("</pre>"))


@cache
def png(trace, number):
    return picture(draw_frame(trace, number), "").png


def test_the_stepper_opens_at_the_first_tile(stepper, trace):
    assert (stepper.slider.value, stepper.slider.min, stepper.slider.max) == (0, 0, 2)
    assert stepper.play.max == 2
    assert text_of(stepper) == as_text(trace, 0)
    assert stepper.image.value == png(trace, 0)
    row, image, words = stepper.children
    assert (row.children, image, words) == (
        (stepper.play, stepper.slider),
        stepper.image,
        stepper.words,
    )


def test_moving_a_control_changes_picture_and_text(stepper, trace):
    for number in (2, 1, 0):
        control = stepper.play if number % 2 else stepper.slider
        control.value = number
        assert stepper.slider.value == stepper.play.value == number
        assert text_of(stepper) == as_text(trace, number)
        assert stepper.image.value == png(trace, number)


def test_names_of_keys_are_escaped(stepper):
    assert "&lt;s&gt;" in stepper.words.value
    assert "<s>" not in stepper.words.value


def test_without_a_front_end_the_picture_remains(stepper, trace):
    stepper.slider.value = 1
    shown = stepper._repr_mimebundle_()
    assert b64decode(shown["image/png"]) == png(trace, 1)
    words = "tile 1 of 3: scores, weights under the largest so far, and the accumulator"
    assert shown["text/plain"] == f"[picture: {words}]"
    assert "application/vnd.jupyter.widget-view+json" in shown
