"""A search hears one step late that it is over, as on a GPU: no token changes."""

from unittest.mock import Mock

import pytest
import torch
from test_beam_search import RECORD, batch_of, check, every_stage, hf, ours, run, theirs
from test_generation import Recorder, SeesScores

from tinyllm.runtime.stop import AsyncStopFlag


class Late(AsyncStopFlag):
    """Answers as on a GPU, one step late, without one."""

    made = ()

    def __init__(self, device, *, sync):
        super().__init__(device, sync=sync)
        self.late, self.answers, self.arrived = (
            not sync,
            torch.zeros(2, dtype=torch.bool),
            [Mock(), Mock()],
        )
        self.calls, Late.made = 0, (*Late.made, self)

    def __call__(self, stopped):
        self.calls += 1
        return super().__call__(stopped)


@pytest.fixture
def late(monkeypatch):
    """Generation as on a GPU; says how many steps the last call took."""
    monkeypatch.setattr(Late, "made", ())
    monkeypatch.setattr("tinyllm.generation.session.AsyncStopFlag", Late)
    return lambda: Late.made[-1].calls


SEARCHES = {
    "greedy": {},
    "sampling": {"do_sample": True, "temperature": 1.5, "num_return_sequences": 2},
    "beams": {"num_beams": 4, "num_return_sequences": 4},
    "beams, early": {"num_beams": 4, "num_return_sequences": 4, "early_stopping": True},
    "beams, sampled": {"num_beams": 3, "num_return_sequences": 3, "do_sample": True},
}


MOST = 30  # new tokens


OVER = {"never": None, "soon": list(range(0, 60, 6)), "with the first token": list(range(60))}


@every_stage
@pytest.mark.parametrize("end", OVER)
@pytest.mark.parametrize("search", SEARCHES)
def test_an_answer_one_step_late_changes_nothing(stage, search, end, late):
    """Whatever limit is left when it is over: none, one step, or more."""
    options = batch_of() | SEARCHES[search] | {"eos_token_id": OVER[end]}
    needed = steps_of(options, MOST)
    assert (needed == MOST) == (end == "never")
    assert (needed <= 2) == (end == "with the first token")
    for limit in {needed, min(needed + 1, MOST), min(needed + 2, MOST)}:
        options["max_new_tokens"] = limit
        assert run(ours(stage), **options).tolist() == theirs(**options).tolist()
        assert late() == min(steps_of(options, limit) + 1, limit)


def steps_of(options, limit):
    """How many steps transformers takes."""
    return len(theirs(**options | RECORD | {"max_new_tokens": limit}).scores)


@pytest.mark.parametrize("search", ["greedy", "sampling"])
def test_a_late_answer_takes_the_last_step_back(search, monkeypatch):
    """Whenever it comes: what is returned is what an answer in time would have returned."""
    options = batch_of() | SEARCHES[search] | {"eos_token_id": OVER["soon"]}
    found = []
    for step in range(1, 9):
        for late in (False, True):
            told = Mock(late=late, side_effect=[*[False] * (step - 1 + late), True])
            monkeypatch.setattr("tinyllm.generation.session.AsyncStopFlag", Mock(return_value=told))
            found.append(run(ours("segment"), **options).tolist())
    assert found[::2] == found[1::2]
    assert all(before != after for before, after in zip(found[::2], found[2::2], strict=False))


@pytest.mark.parametrize("search", SEARCHES)
def test_steps_that_somebody_watches_are_not_taken_in_vain(search, late):
    options = SEARCHES[search] | {"eos_token_id": OVER["soon"], "max_new_tokens": MOST}
    right = check("segment", **options)
    assert late() == len(right.scores) < MOST
    seen = SeesScores()
    run(ours("segment"), **batch_of() | options, stopping_criteria=[seen])
    assert late() == len(seen.seen) == len(right.scores)


def test_a_streamer_is_given_no_token_too_many(late):
    recorders = Recorder(), Recorder()
    for model, recorder in zip((hf(), ours("segment")), recorders, strict=True):
        run(
            model,
            **batch_of() | {"eos_token_id": OVER["soon"], "max_new_tokens": MOST},
            streamer=recorder,
        )
    assert recorders[0].calls == recorders[1].calls


@pytest.mark.parametrize("end", ["soon", "with the first token"])
@pytest.mark.parametrize("search", [name for name in SEARCHES if "beams" in name])
def test_beams_that_are_over_stay_as_they_are(search, end, monkeypatch):
    """However many steps are taken after the end: that a GPU's answer comes late is then no harm."""
    options = batch_of() | SEARCHES[search] | {"eos_token_id": OVER[end], "max_new_tokens": MOST}
    expected, calls = run(ours("segment"), **options).tolist(), []

    class Deaf:
        late = False

        def __init__(self, *args, **kwargs):
            calls.append([])

        def __call__(self, stopped):
            calls[-1].append(bool(stopped))
            return False

    monkeypatch.setattr("tinyllm.generation.session.AsyncStopFlag", Deaf)
    assert run(ours("segment"), **options).tolist() == expected
    assert len(calls[-1]) == MOST and sum(calls[-1]) > 1
