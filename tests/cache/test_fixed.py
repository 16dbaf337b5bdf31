"""The stages on the cache at fixed addresses against transformers; and steps that are kept and replayed."""

from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import pytest
import torch
from transformers import StoppingCriteriaList

import models
import tinyllm
from models import close
from tinyllm.generation import sessions
from tinyllm.kernels import cpu
from tinyllm.runtime.graph import CapturedGraph
from tinyllm.runtime.native import unsupported_reason
from tinyllm.runtime.runner import CAPTURED, EAGER
from tinyllm.stages import pick_stage

VOCAB = 61
HOWS = {
    "greedy": {},
    "greedy, long": {"min_new_tokens": 9},
    "penalty": {"repetition_penalty": 1.3},
    "drawn": {"do_sample": True, "temperature": 1.4, "top_k": 20, "num_return_sequences": 3},
    "2 beams": {"num_beams": 2},
    "4 beams": {"num_beams": 4, "num_return_sequences": 4},
    "8 beams, early": {"num_beams": 8, "early_stopping": True},
    "5 beams, drawn": {"num_beams": 5, "do_sample": True},
    "3 beams, never": {"num_beams": 3, "early_stopping": "never", "length_penalty": 2.0},
}
FIXED = ("sdpa", "final")
LENGTHS = [(5,), (2, 5, 8), (9, 3)]


@pytest.fixture(scope="module")
def hf():
    return models.tiny(seed=2, max_position_embeddings=128)


def answer(model, lengths, seed=0, **options):
    ids, mask = models.ragged(VOCAB, lengths, seed=sum(lengths))
    torch.manual_seed(seed)
    options = {
        "do_sample": False,
        "max_new_tokens": 12,
        "eos_token_id": [7, 21],
        "pad_token_id": 1,
    } | options
    return model.generate(ids, attention_mask=mask, **options)


@pytest.mark.parametrize("how", HOWS)
def test_tokens_are_those_of_transformers(hf, how):
    ours = [tinyllm.optimize(hf, stage=stage) for stage in FIXED]
    for lengths in LENGTHS:
        for ends in ([7, 21], None):
            options = HOWS[how] | {"eos_token_id": ends}
            expected = answer(hf, lengths, **options).tolist()
            for model in ours:
                found = answer(model, lengths, **options).tolist()
                assert found == expected, (model.stage.name, lengths, ends)


def test_the_final_stage_steps_in_native_code(hf):
    model = tinyllm.optimize(hf, stage="final")
    assert cpu.unavailable() is None and unsupported_reason(model) is None
    assert type(model.stage.runner.step(model)).__name__ == "NativeStep"


@pytest.mark.parametrize("stage", FIXED)
def test_a_further_turn_computes_only_what_is_new(hf, stage):
    model, (ids, _) = tinyllm.optimize(hf, stage=stage), models.ragged(VOCAB, (6, 6), seed=3)
    options = {"do_sample": False, "max_new_tokens": 5, "eos_token_id": None}
    first = model.generate(ids, return_dict_in_generate=True, **options)
    more = torch.cat([first.sequences, ids[:, :3]], dim=1)
    again = model.generate(more, past_key_values=first.past_key_values, **options)
    assert (
        again.tolist()
        == hf.generate(more, attention_mask=torch.ones_like(more), **options).tolist()
    )


def test_a_token_with_a_mask_is_more_prompt_for_the_native_step_too(hf):
    model, (ids, mask) = tinyllm.optimize(hf, stage="final"), models.ragged(VOCAB, (5, 3), seed=5)
    logits = []
    for step in (model.step, model.stage.runner.step(model)):
        cache = model.new_cache(2, 1, 4)
        for tokens, seen in (
            (ids, mask),
            (ids[:, :1], None),
            (ids[:, 1:2], torch.tensor([[1], [0]])),
        ):
            last = step(tokens, seen, cache)
        logits.append(last.float())
    close(*logits)


@pytest.mark.parametrize("copies", [1, 3])
def test_memory_grows_where_the_number_of_steps_was_not_known(hf, copies):
    model, steps = tinyllm.optimize(hf, stage="sdpa"), 40
    ids, mask = models.ragged(VOCAB, (5, 3), seed=5)
    known, unknown = model.new_cache(2, copies, steps), model.new_cache(2, copies)
    for cache in (known, unknown):
        model.step(ids, mask, cache)
    parents = torch.tensor([0, 0, 1, 3, 5, 4])[: 2 * copies] if copies > 1 else torch.arange(2)
    for step in range(steps):
        logits = []
        for cache in (known, unknown):
            cache.reorder(parents)
            logits.append(model.step((ids[:, :1] + step).expand(-1, copies) % VOCAB, None, cache))
        close(*logits)
    assert len({layer.response.k.data_ptr() for layer in known.layers}) == len(known.layers)
    assert unknown.length == known.length == 5 + steps


class FakeReplay(CapturedGraph):
    """A graph's stand-in: what is captured runs in Python again, told of the length at its capture for ever."""

    def __init__(self, work, device):
        super().__init__(work, torch.device("cuda"))
        self.made.append(self)

    def _capture(self):
        session = self.work.__self__
        length, request = session.length, session.request

        def replay():
            now, asked = session.length, session.request
            captured = replace(asked, processors=request.processors, criteria=request.criteria)
            session.length, session.request = length, captured
            self.work()
            session.length, session.request = now, asked

        self.graph = SimpleNamespace(replay=replay)


@pytest.fixture
def replaying(hf, monkeypatch):
    """A model whose steps are replayed on the CPU as a GPU would."""
    monkeypatch.setattr(FakeReplay, "made", [], raising=False)
    monkeypatch.setattr(sessions, "total_bytes", lambda device: 1 << 30)
    runner = replace(CAPTURED, step=EAGER.step, repeat=FakeReplay)
    return tinyllm.optimize(hf, stage=replace(pick_stage("final"), runner=runner))


@pytest.mark.parametrize("how", [name for name in HOWS if name != "penalty"])
def test_steps_are_captured_once_and_serve_requests_of_their_kind(hf, replaying, how):
    ends = {"eos_token_id": [7, 21]}
    for number, (lengths, new) in enumerate(
        [((8, 5, 2), 12), ((3, 6, 6), 12), ((8, 8, 1), 9), ((2, 5, 8), 12)]
    ):
        options = (
            HOWS[how] | ends | {"max_new_tokens": max(new, HOWS[how].get("min_new_tokens", 0) + 1)}
        )
        expected = answer(hf, lengths, seed=number, **options).tolist()
        assert answer(replaying, lengths, seed=number, **options).tolist() == expected, lengths
        assert len(replaying.sessions.kept) == 1
    phases = len(next(iter(replaying.sessions.kept.values())).steps)
    assert 1 <= len(FakeReplay.made) == phases <= 3  # with ends kept out, without, and the last


@pytest.mark.parametrize("how", ["greedy", "4 beams"])
def test_requests_with_and_without_padding_are_kept_apart(hf, replaying, how):
    for lengths in ((7, 4), (6, 6), (3, 7), (5, 5)):
        expected = answer(hf, lengths, **HOWS[how]).tolist()
        assert answer(replaying, lengths, **HOWS[how]).tolist() == expected, lengths
    assert len(replaying.sessions.kept) == 2


def test_what_sees_the_text_stays_outside_of_what_is_captured(hf, replaying):
    options = HOWS["penalty"] | {"eos_token_id": None}
    assert answer(replaying, (5, 3), **options).tolist() == answer(hf, (5, 3), **options).tolist()
    (forward,) = FakeReplay.made
    assert forward.calls == 11 and forward.graph is not None
    assert not replaying.sessions.kept


def test_a_longer_request_takes_the_place_of_one_that_is_too_short_for_it(hf, replaying):
    for lengths in ((5, 5), (9, 9), (4, 4)):
        assert answer(replaying, lengths).tolist() == answer(hf, lengths).tolist()
    assert len(replaying.sessions.kept) == 1
    assert next(iter(replaying.sessions.kept.values())).max_prompt_tokens == 9


def test_a_longer_answer_takes_the_place_of_one_that_is_too_short_for_it(hf, replaying):
    for new in (4, 30, 8):
        way = {"max_new_tokens": new, "eos_token_id": None}
        assert answer(replaying, (5, 5), **way).tolist() == answer(hf, (5, 5), **way).tolist()
    assert [kept.max_new_tokens for kept in replaying.sessions.kept.values()] == [30]


def test_few_sessions_are_kept_and_none_that_are_large(replaying, monkeypatch):
    for batch in range(1, sessions.MAX_SESSIONS + 3):
        answer(replaying, (5,) * batch)
    assert [s.cache.prompts for s in replaying.sessions.kept.values()] == [3, 4, 5, 6]
    assert 0 < replaying.sessions.nbytes <= sessions.MEMORY_SHARE * (1 << 30)
    replaying.sessions.clear()
    monkeypatch.setattr(sessions, "total_bytes", lambda device: 64)
    answer(replaying, (5,))
    assert not replaying.sessions.kept


def test_captured_steps_do_not_outlive_the_weights_addresses(replaying):
    answer(replaying, (5,))
    assert replaying.sessions.captures
    replaying.to(torch.float64).to(torch.float32)
    assert not replaying.sessions.kept


def test_the_callers_own_parts_need_no_dictionary(hf, replaying):
    class Slim:
        __slots__ = ()

        def __call__(self, input_ids, scores, **kwargs):
            return torch.zeros(len(input_ids), dtype=torch.bool)

    own = {"stopping_criteria": StoppingCriteriaList([Slim()])}
    assert answer(replaying, (5,), **own).tolist() == answer(hf, (5,), **own).tolist()


def test_a_capture_that_fails_says_why_and_work_goes_on():
    calls = []
    replay = CapturedGraph(partial(calls.append, 0), torch.device("cuda"))
    replay.backend = SimpleNamespace()  # has no graphs at all
    for _ in range(4):
        replay()
    assert len(calls) == 4
    assert replay.graph is None and replay.failure.startswith("AttributeError")
