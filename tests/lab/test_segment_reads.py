"""Bytes of three ways to attend to two segments, and the check of an answer's reads."""

import pytest
import torch

from tinyllm.check import check
from tinyllm.lab.segment_reads import (
    attention_reading,
    bytes_as_text,
    check_reads,
    compare_attention,
    live_slots,
    random_call,
)
from tinyllm.lab.shapes import known_config

CONFIG = known_config("smollm2-135m")


def visible(paths):
    return (paths[..., None] == torch.arange(len(paths))).flatten(1)


def right(paths):
    seen = visible(paths)
    slots = seen.any(0).nonzero()[:, 0]
    return slots, seen[:, slots]


def all_slots(paths):
    seen = visible(paths)
    return torch.arange(seen.shape[1]), seen


def last_only(paths):
    slots, seen = right(paths)
    return slots[-1:], seen[:, -1:]


def test_live_slots_are_those_of_a_beam_index():
    index = torch.tensor([[[0, 1], [0, 0]]])
    assert live_slots(index) == {(0, 0), (1, 0), (1, 1)}


def test_predicted_bytes_are_counted(interpreter):
    rows = compare_attention(CONFIG, prompts=(16,), beams=(1, 4))
    assert [row.counted == row.predicted for row in rows] == [True, True]
    assert rows[1].counted[2] < rows[1].counted[1] < 2 * rows[1].counted[0]
    assert bytes_as_text(rows).splitlines()[1].split()[-1] == "True"


@pytest.fixture
def interpreter():
    import triton

    if not triton.knobs.runtime.interpret:
        pytest.skip("Triton compiles here; TRITON_INTERPRET=1 records loads")


def test_an_answer_is_checked_by_result_and_bytes():
    verdict = check("segment_attention", attention_reading(right), without=("softcap", "window"))
    assert verdict.right, str(verdict)
    assert check_reads(right).right


def test_all_slots_exceed_the_budget():
    verdict = check_reads(all_slots)
    assert not verdict.right
    assert "bytes loaded for 2 beams, 4 steps: result is" in str(verdict)


def test_too_few_slots_are_wrong():
    attend = attention_reading(last_only)
    assert not check("segment_attention", attend, without=("softcap", "window")).right


def test_a_call_has_beams_that_changed_their_parents():
    call = random_call(CONFIG, 16, 4)
    paths = call["beam_index"][0]
    assert not torch.equal(paths, torch.arange(4)[:, None].expand(4, 6))
    assert call["response_k"].shape == (1, 3, 24, 64)
