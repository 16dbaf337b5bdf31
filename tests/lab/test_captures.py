"""Experiments with recorded and replayed steps, on a small model."""

import pytest
import torch

import models
import tinyllm
from tinyllm.generation import session
from tinyllm.kernels import TORCH
from tinyllm.lab import captures
from tinyllm.lab.replay import HostRead
from tinyllm.model import restage
from tinyllm.stages import STAGES

PROMPT = torch.tensor([[5, 6, 7, 8]])
LENGTH = {"max_new_tokens": 8, "do_sample": False}


@pytest.fixture(scope="module")
def final():
    return tinyllm.optimize(models.tiny(), stage="final")


def test_launches_are_as_predicted(final):
    for stage in ("naive", "fused", "sdpa"):
        found = captures.launches_of_token(restage(final, STAGES[stage]))
        assert found.predicted == found.counted
    assert found.on_gpu < found.counted


def test_a_model_with_little_data_has_the_same_launches_and_reads(final):
    for stage in ("naive", "sdpa"):
        model = restage(final, STAGES[stage])
        small = captures.with_little_data(model)
        assert small.stage == model.stage
        assert captures.launches_of_token(small) == captures.launches_of_token(model)
        assert captures.host_reads_of_step(small) == captures.host_reads_of_step(model)


def test_addresses_and_sizes(final):
    naive, sdpa = (captures.changes_of_step(restage(final, STAGES[x])) for x in ("naive", "sdpa"))
    layers = final.config.num_hidden_layers
    assert naive.startswith(f"{2 * layers} of {2 * layers} tensors moved")
    assert sdpa.startswith(f"0 of {4 * layers} tensors moved")


@pytest.mark.parametrize("beams", [1, 4])
def test_a_replayed_generation_has_the_same_tokens(final, beams):
    capturing = captures.Capturing(final)
    options = LENGTH | {"num_beams": beams}
    expected = final.generate(PROMPT, **options)
    assert torch.equal(capturing.model.generate(PROMPT, **options), expected)
    assert max(step.calls for step in capturing.steps) > 2
    assert ", 0 of" not in captures.changes_of_step(restage(final, STAGES["sdpa"]))
    assert ", 0 of" in captures.changes_of_step(captures.Capturing(final).model)


def test_a_read_of_the_host_cannot_be_captured(final):
    capturing = captures.Capturing(final, TORCH.segment_attention, TORCH.rope_and_store)
    with pytest.raises(HostRead, match="the host reads a value from the device"):
        capturing.model.generate(PROMPT, **LENGTH)


def test_reads_of_the_host_by_stage(final):
    naive, sdpa = (restage(final, STAGES[x]) for x in ("naive", "sdpa"))
    assert sum(captures.host_reads_of_step(naive).values()) == 1
    more = captures.host_reads_of_step(sdpa)
    assert sum(more.values()) == 1 + 2 * final.config.num_hidden_layers


def test_a_late_flag_takes_one_more_step(final):
    sdpa = restage(final, STAGES["sdpa"])
    third = int(final.generate(PROMPT, **LENGTH)[0, PROMPT.shape[1] + 2])
    options = LENGTH | {"eos_token_id": third}
    steps, ids = captures.passes_until_end(sdpa, PROMPT, late=False, **options)
    late, same = captures.passes_until_end(sdpa, PROMPT, late=True, **options)
    assert late == steps + 1
    assert torch.equal(ids, same)
    assert session.AsyncStopFlag is not captures.LateFlag


def test_kinds_of_requests(final):
    before = final.sessions
    with captures.watched_sessions(final) as kinds:
        for options in ({}, {}, {"num_beams": 4}, {"repetition_penalty": 1.2}):
            final.generate(PROMPT, **LENGTH | options)
    assert kinds == [0, 0, 1, None]
    assert final.sessions is before


def end_step(state):
    chosen = torch.where(state.unfinished, state.logits.argmax(dim=-1), captures.PAD)
    state.sequences.index_copy_(1, state.column, chosen[:, None])
    state.column += 1
    state.unfinished &= chosen != captures.EOS


def test_the_end_of_a_step_is_checked():
    assert captures.check_end_step(end_step).right
    wrong = captures.check_end_step(captures.eager_end)
    assert wrong.right_cases == ("1 step", "2 steps, the second recorded")
