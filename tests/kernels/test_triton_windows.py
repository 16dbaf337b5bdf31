"""Windows of the portable kernels of attention: tiles before the window are not read."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import partial

import pytest
import torch

pytest.importorskip("triton")

from tinyllm.check import TABLES, run_case
from tinyllm.check.attention_cases import prefill_maker, segment_maker
from tinyllm.check.cases import Case, Draw
from tinyllm.kernels import TORCH
from tinyllm.kernels import triton as kernels
from tinyllm.kernels.triton import attention, split_plan, tuning
from tinyllm.lab.trace import record_trace

ROW = tuning.LAUNCHES["interpreter"]["attention"]
TILE = 16
ROW = replace(ROW, blocks={**ROW.blocks, "block_n": TILE})


def invalidate(arguments: dict, window: int) -> None:
    """Let all keys and values before the window be NaN."""
    w, (tokens, steps) = arguments["q"].shape[2], arguments["lengths"].tolist()
    for name in ("prompt_k", "prompt_v"):
        arguments[name][:, :, : max(0, tokens + steps - window)] = float("nan")
    for name in ("response_k", "response_v"):
        arguments[name][:, :, : max(0, steps - window) * w] = float("nan")


@pytest.mark.parametrize("padded", [False, True], ids=["whole", "padded"])
@pytest.mark.parametrize("w", [1, 3])
@pytest.mark.parametrize("window", [1, 17, 40, 41])
def test_keys_before_the_window_are_not_read(window, w, padded, interpreted, monkeypatch):
    monkeypatch.setattr(split_plan, "num_processors", lambda device: 8)
    make = segment_maker(2, 2, 1, w, 16, 70, 40, padded=padded, window=window)
    for tokens, steps in ((70, 40), (65, 16), (1, 0)):
        arguments = make(Draw(0, torch.float32, interpreted))
        arguments["lengths"].copy_(torch.tensor([tokens, steps]))
        if padded:
            arguments["prompt_positions"].sub_(
                arguments["prompt_positions"][:, tokens - 1 : tokens].clamp(max=0)
            )
        invalidate(arguments, window)
        expected = TABLES["segment_attention"].reference(**arguments)
        found = kernels.segment_attention(**arguments, launch=ROW)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("w", [1, 2])
def test_a_score_is_capped_before_its_shift(w, interpreted):
    """With ALiBi, and in a window."""
    asked = {"alibi": True, "softcap": 2.0, "window": 12}
    for name, make in (
        ("segment_attention", segment_maker(1, 4, 2, w, 16, 37, 6, size=3.0, **asked)),
        ("prefill_attention", prefill_maker(1, 4, 2, 37, 50, 16, **asked)),
    ):
        found = run_case(
            TABLES[name], Case("", make), getattr(kernels, name), torch.float32, interpreted
        )
        assert found[1] is None, name


@pytest.mark.parametrize("size", [1e-3, 1e4])
def test_scores_much_smaller_and_much_larger_than_their_cap(size, interpreted):
    make = segment_maker(1, 4, 2, 2, 16, 37, 6, softcap=30.0, size=size)
    run = kernels.segment_attention
    assert (
        run_case(TABLES["segment_attention"], Case("", make), run, torch.float32, interpreted)[1]
        is None
    )


def tiles_read(w: int, tokens: int, steps: int, window: int | None) -> dict[str, Counter]:
    """Tiles of keys of the prompt and of the response that each program of a split takes."""
    make = segment_maker(1, 1, 1, w, 16, tokens, steps)
    arguments = make(Draw(0, torch.float32, torch.device("cpu")))
    beam_index = arguments.pop("beam_index", None)
    plan = kernels.split_plan_of(
        arguments["q"].shape, arguments["prompt_k"], arguments["response_k"], ROW
    )
    arguments["workspace"] = attention._workspace(arguments["q"].shape, arguments["prompt_k"], plan)
    if beam_index is not None:
        arguments["beam_mask"] = kernels.make_beam_mask(beam_index, arguments["lengths"])
    run = partial(kernels.segment_attention, window=window, launch=ROW)
    accesses = record_trace("segment_attention", run, arguments).accesses
    return {
        name: Counter(a.program[0] for a in accesses if a.tensor == name)
        for name in ("prompt_k", "response_k")
    }


@pytest.mark.parametrize(
    ("w", "tokens", "steps", "window", "prompt", "response"),
    [
        (1, 150, 5, None, {0: 3, 1: 3, 2: 3, 3: 1}, {3: 1}),
        (1, 150, 5, 70, {0: 2, 1: 2, 2: 1}, {2: 1}),  # from token 85 on, in tile 5 of 10
        (1, 150, 5, 75, {0: 2, 1: 2, 2: 1}, {2: 1}),  # token 80 begins it
        (1, 150, 5, 76, {0: 3, 1: 3}, {2: 1}),  # and 79 is in the one before
        (1, 100, 80, 33, {}, {0: 1, 1: 1, 2: 1}),  # from step 47 on, in tile 2 of 5
        (1, 50, 20, 20, {}, {0: 1, 1: 1}),  # the response and nothing else
        (
            1,
            50,
            20,
            21,
            {0: 1},
            {0: 1, 1: 1},
        ),  # the last token of the prompt, alone in its tile, too
    ],
)
def test_splits_divide_the_tiles_within_the_window(
    w, tokens, steps, window, prompt, response, interpreted, monkeypatch
):
    monkeypatch.setattr(split_plan, "num_processors", lambda device: 16)
    found = tiles_read(w, tokens, steps, window)
    assert found == {"prompt_k": Counter(prompt), "response_k": Counter(response)}


def test_a_list_of_slots_is_read_from_where_the_window_may_begin(interpreted, monkeypatch):
    monkeypatch.setattr(split_plan, "num_processors", lambda device: 16)
    whole, near = (
        sum(tiles_read(4, 20, 64, window)["response_k"].values()) for window in (None, 8)
    )
    assert near == 8 * 4 // TILE + 1 < whole


@pytest.mark.parametrize(
    ("window", "first"), [(None, 0), (70, 4), (200, 0), (67, 4), (66, 4), (35, 5), (1, 6)]
)
def test_a_block_of_a_prompt_begins_with_the_first_tile_it_sees(window, first, interpreted):
    keys, rows, t, n = 32, 32, 100, 300
    draw = Draw(0, torch.float32, interpreted)
    arguments = {"q": draw(1, 1, t, 16), "k": draw(1, 1, n, 16), "v": draw(1, 1, n, 16)}
    accesses = record_trace(
        "prefill_attention", partial(kernels.prefill_attention, window=window), arguments
    ).accesses
    found = Counter(a.program[0] for a in accesses if a.tensor == "k")
    for program in range(4):
        begin, end = n - t + (3 - program) * rows, min(n, n - t + (4 - program) * rows)
        seen_from = 0 if window is None else max(0, begin - window + 1) // keys
        assert found[program] == -(-end // keys) - seen_from
    assert -(-(n - t + rows) // keys) - found[3] == first
    expected = TABLES["prefill_attention"].reference(**arguments, window=window)
    for x in (arguments["k"], arguments["v"]):
        x[:, :, : first * keys] = float("nan")
    found = kernels.prefill_attention(**arguments, window=window)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("window", [2**31 - 1, 2**31, 2**63])
@pytest.mark.parametrize("operation", ["segment_attention", "prefill_attention"])
def test_a_window_of_all_tokens_hides_none(operation, window, interpreted):
    draw = Draw(0, torch.float32, interpreted)
    makers = {
        "segment_attention": segment_maker(1, 2, 1, 2, 64, 5, 3),
        "prefill_attention": prefill_maker(1, 2, 1, 5, 7, 64),
    }
    arguments = makers[operation](draw)
    attend = getattr(kernels, operation)
    assert torch.equal(attend(**arguments, window=window), attend(**arguments))
    if operation == "prefill_attention":
        got = TORCH.prefill_attention(**arguments, window=window)
        assert torch.equal(got, TORCH.prefill_attention(**arguments))
