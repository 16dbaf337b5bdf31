"""A step of beam search in one launch against torch's, over random states; and whole searches against transformers."""

from dataclasses import replace

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("triton")

import models
import tinyllm
from tinyllm.kernels import plain
from tinyllm.kernels import triton as kernels
from tinyllm.kernels.beams import NEVER, Hypotheses, Rules, State
from tinyllm.measure.counters import OperationLog
from tinyllm.measure.kernel_calls import KernelCalls
from tinyllm.runtime.runner import CAPTURED
from tinyllm.stages import pick_stage

FILL = 99
PENALTIES = (-1.5, 0.0, 0.6, 1.0, 3.0)
EARLY = (True, False, "never")
SHARES = {"none": 0.0, "some": 0.5, "all": 1.0}


class Drawn:
    """A state in the middle of a search, after `at` of `new` tokens, and candidates, no two of which score alike."""

    def __init__(self, b, w, ends, new, at, *, seed=0, full="some", still_open="some", device="cpu"):
        self.b, self.w, self.new, self.at, self.prompt, self.device = b, w, new, at, 3, device
        self.generator = torch.Generator().manual_seed(seed)
        self.kept = max(2, 1 + ends) * w
        self.v = max(11, self.kept // w + 3)
        self.candidates()
        self.state = copied(self.make_state(SHARES[full], SHARES[still_open]), device)

    def candidates(self):
        """Others, of which `w` at least do not end."""
        scores = -self.distinct(self.b, self.w * self.v)
        chosen = scores.topk(self.kept).indices
        ends = self.distinct(self.b, self.kept).argsort() < torch.randint(
            self.kept - self.w + 1, (self.b, 1), generator=self.generator
        )
        self.scores, self.chosen, self.ends = (x.to(self.device) for x in (scores, chosen, ends))

    def distinct(self, rows, columns):
        """Odd multiples of 1 / 64, no two of a row alike."""
        numbers = torch.stack([torch.randperm(4 * columns, generator=self.generator) for _ in range(rows)])
        return numbers[:, :columns] / 16 + 1 / 64

    def chance(self, rows, columns, share):
        return torch.rand(rows, columns, generator=self.generator) < share

    def make_state(self, full, still_open):
        b, w, end = self.b, self.w, self.prompt + self.at
        running, ended = self.hypotheses(), self.hypotheses()
        lengths = torch.randint(self.at + 1, (b, w, 1), generator=self.generator)
        ended.sequences[torch.arange(self.prompt + self.new) >= self.prompt + lengths] = FILL
        ended.parents[torch.arange(self.new) >= lengths] = -1
        still_open = self.chance(b, 1, still_open)
        slots = torch.where(self.chance(b, w, full) | ~still_open, -self.distinct(b, w) / 4 - 1 / 256, NEVER)
        slots = slots.sort(dim=1, descending=True).values
        tokens, parents = torch.zeros(2, b * w, dtype=torch.int64)
        return State(
            running, ended._replace(scores=slots), slots > NEVER, still_open, tokens, parents, torch.tensor([end]),
            torch.tensor([self.at]), torch.tensor(False), torch.zeros(4, dtype=torch.int32),
        )  # fmt: skip

    def hypotheses(self):
        b, w = self.b, self.w
        sequences = torch.randint(50, (b, w, self.prompt + self.new), generator=self.generator)
        sequences[:, :, : self.prompt] = 7
        sequences[:, :, self.prompt + self.at :] = FILL
        parents = torch.randint(b * w, (b, w, self.new), generator=self.generator, dtype=torch.int32)
        parents[:, :, self.at :] = -1
        return Hypotheses(sequences, -self.distinct(b, w), parents)

    def rules(self, length_penalty=1.0, early=False):
        penalties = torch.tensor([float(n) ** length_penalty for n in range(1, self.new + 1)], device=self.device)
        far = torch.tensor([float(self.new + 3) ** length_penalty], device=self.device)
        return Rules(penalties, far if early == "never" and length_penalty > 0 else None, early is True)

    def step(self, kernel_set, state, rules):
        kernel_set.beam_step(state, self.scores, self.chosen, self.ends, rules)
        return state


def copied(state, device=None):
    running, ended, *rest = state
    copy = lambda x: x.to(device, copy=True)  # noqa: E731
    return State(*(Hypotheses(*map(copy, some)) for some in (running, ended)), *map(copy, rest))


def assert_step(drawn, rules, steps=1):
    """Both make the same of it; says what."""
    right = copied(drawn.state)
    for _ in range(steps):
        assert_same(drawn.step(kernels, drawn.state, rules), drawn.step(plain, right, rules))
        drawn.candidates()
    return drawn.state


def assert_same(mine, right):
    """Of those that were not to be chosen, the scores alone."""
    for name, x, y in zip(State._fields[2:], mine[2:], right[2:], strict=True):
        assert x.equal(y) or name in ("tokens", "parents"), name
    runs = right.running.scores > NEVER / 2
    for x, y in ((mine.tokens, right.tokens), (mine.parents, right.parents)):
        assert x[runs.flatten()].equal(y[runs.flatten()])
    for x, y, counts in ((mine.running, right.running, runs), (mine.ended, right.ended, right.full)):
        assert x.scores.equal(y.scores)
        assert x.sequences[counts].equal(y.sequences[counts])
        assert x.parents[counts].equal(y.parents[counts])


@st.composite
def states(draw):
    new = draw(st.integers(1, 12))
    return Drawn(
        *(
            draw(st.integers(1, 4)),
            draw(st.integers(1, 8)),
            draw(st.integers(0, 4)),
            new,
            draw(st.integers(0, new - 1)),
        ),
        seed=draw(st.integers(0, 999)),
        full=draw(st.sampled_from(list(SHARES))),
        still_open=draw(st.sampled_from(list(SHARES))),
    )


@settings(
    max_examples=100, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(drawn=states(), penalty=st.sampled_from(PENALTIES), early=st.sampled_from(EARLY))
def test_random_states(drawn, penalty, early, interpreted):
    assert_step(drawn, drawn.rules(penalty, early))


# Sizes that no block divides, ranked in tiles, moved in several blocks of columns: w, kinds of end, tokens before.
WIDE = [(16, 1, 40), (33, 1, 17), (64, 1, 9), (64, 3, 5), (40, 2, 0), (9, 13, 70)]


@pytest.mark.parametrize("early", EARLY)
@pytest.mark.parametrize("sizes", WIDE, ids=str)
def test_wide(sizes, early, interpreted):
    w, ends, at = sizes
    drawn = Drawn(2, w, ends, at + 2, at, seed=w)
    assert_step(drawn, drawn.rules(0.6, early), steps=2)


@pytest.mark.gpu
@pytest.mark.parametrize("early", EARLY)
@pytest.mark.parametrize("sizes", [(1, 0, 3), (2, 1, 0), (4, 1, 300), (8, 1, 33), (5, 3, 12), *WIDE], ids=str)
def test_on_gpu(sizes, early, accelerator):
    w, ends, at = sizes
    for b in (1, 7, 200):
        for penalty in PENALTIES:
            drawn = Drawn(b, w, ends, at + 3, at, seed=b, device=accelerator)
            assert_step(drawn, drawn.rules(penalty, early), steps=3)


@pytest.mark.parametrize("early", EARLY)
@pytest.mark.parametrize(("new", "at"), [(12, 0), (134, 126)])
def test_step_after_step_to_the_last_column(new, at, early, interpreted):
    drawn = Drawn(2, 4, 2, new, at, full="none", still_open="all")
    state = assert_step(drawn, drawn.rules(0.37, early), steps=new - at)
    assert int(state.new) == new and int(state.column) == 3 + new
    assert not state.running.sequences.eq(FILL).any() and state.running.parents.ge(0).all()


@pytest.mark.parametrize("early", EARLY)
@pytest.mark.parametrize("closed", [[0], [1, 2], [0, 1, 2]], ids=str)
def test_what_is_over_stays_as_it_is(early, closed, interpreted):
    drawn = Drawn(3, 5, 1, 9, 4, full="all", still_open="all", seed=3)
    drawn.state.open[closed] = False
    before = copied(drawn.state)
    after = assert_step(drawn, drawn.rules(1.0, early))
    for x, y in zip((*before.ended, before.full), (*after.ended, after.full), strict=True):
        assert x[closed].equal(y[closed])
    assert not after.open[closed].any()
    assert bool(after.over) or len(closed) < 3


@pytest.mark.parametrize("requests", [1, 3])
@pytest.mark.parametrize(
    ("ends", "full", "early", "over"),
    [
        ("none", "none", False, False),
        ("all", "none", False, True),  # nothing can go on
        ("none", "all", True, True),  # as many as there are beams
        ("none", "all", False, False),
        ("all but one", "none", False, False),
    ],
)
def test_whether_it_is_over(requests, ends, full, early, over, interpreted):
    """All requests must agree; and what is over stays so."""
    drawn = Drawn(requests, 3, 1, 5, 2, full=full, still_open="all")
    drawn.state.ended.scores.sub_(1000)  # whatever runs is better
    drawn.ends.fill_(ends != "none")
    if ends == "all but one":
        drawn.ends[-1, -1] = False
        drawn.scores[-1, drawn.chosen[-1, -1]] = -1 / 128
    rules = drawn.rules(1.0, early)
    assert bool(assert_step(drawn, rules).over) == over
    drawn.state.over.fill_(True)
    assert assert_step(drawn, rules).over


def test_requests_that_are_over_for_different_reasons_are_not_over_together(interpreted):
    """The first can have nothing better, the second has as many as it may."""
    drawn = Drawn(2, 3, 1, 5, 2, full="none", still_open="all")
    drawn.ends.fill_(False)
    drawn.state.open[0] = False
    drawn.state.full[1] = True
    drawn.state.ended.scores[1] = torch.tensor([-1000.0, -1001.0, -1002.0])
    assert not assert_step(drawn, drawn.rules(1.0, True)).over


@pytest.mark.parametrize("score", [NEVER, -5.0])
def test_among_equals_those_go_first_that_count(score, interpreted):
    """A beam that was never to be chosen may end, with the score of an empty slot."""
    drawn = Drawn(1, 2, 1, 5, 2, full="none", still_open="all")
    drawn.scores.fill_(score)
    drawn.chosen, drawn.ends = torch.arange(4)[None], torch.tensor([[False, True, True, True]])
    state = drawn.step(kernels, drawn.state, drawn.rules(0.0))
    assert state.full.tolist() == [[True, False]]
    assert (state.ended.sequences[0, 0, 5], state.ended.parents[0, 0, 2]) == (1, 0)
    assert state.running.sequences[0, :, 5].tolist() == [0, 1]


def test_scores_that_are_minus_infinity_come_last(interpreted):
    drawn = Drawn(2, 3, 1, 5, 2, full="none", still_open="all")
    drawn.scores.scatter_(1, drawn.chosen[:, 2:], float("-inf"))
    drawn.ends.fill_(False)
    drawn.ends[:, 0] = True
    scores = assert_step(drawn, drawn.rules()).running.scores
    assert scores[:, 0].gt(NEVER).all() and scores[:, 1].le(NEVER).all() and scores[:, 2].isinf().all()


@pytest.mark.parametrize("sizes", [(64, 4), (65, 1)], ids=str)
def test_more_candidates_than_it_ranks_are_left_to_torch(sizes, interpreted, monkeypatch):
    monkeypatch.setattr(kernels.beams, "_beam_step", None)
    drawn = Drawn(1, *sizes, 2, 1)
    assert_step(drawn, drawn.rules())


def test_strided_arguments_are_refused(interpreted):
    drawn = Drawn(2, 3, 1, 5, 2)
    drawn.ends = drawn.ends.T.contiguous().T
    with pytest.raises(ValueError, match=r"ends is .*expected dense"):
        drawn.step(kernels, drawn.state, drawn.rules())


SEARCHES = {
    "3 beams": {"num_beams": 3, "num_return_sequences": 3},
    "5 beams, early": {"num_beams": 5, "num_return_sequences": 5, "early_stopping": True, "length_penalty": -1.0},
    "4 beams, never": {"num_beams": 4, "num_return_sequences": 4, "early_stopping": "never", "length_penalty": 2.0},
    "4 beams, never, no penalty": {"num_beams": 4, "early_stopping": "never", "length_penalty": 0.0},
    "33 beams": {"num_beams": 33, "num_return_sequences": 33},
    "drawn": {"num_beams": 4, "do_sample": True, "num_return_sequences": 2},
    "record": {"num_beams": 3, "output_scores": True, "return_dict_in_generate": True},
    "penalty": {"num_beams": 3, "repetition_penalty": 1.3, "num_return_sequences": 3},
    "least": {"num_beams": 3, "min_new_tokens": 5},
    "soon": {"num_beams": 4, "num_return_sequences": 4, "eos_token_id": list(range(0, 60, 6))},
    "no end": {"num_beams": 4, "num_return_sequences": 4, "eos_token_id": None},
}


@pytest.fixture(scope="module")
def hf():
    return models.tiny(seed=2)


def on(kernel_set, hf):
    """A model whose turns run these kernels beside their passes."""
    runner = replace(CAPTURED, kernels=lambda x: kernel_set)
    return tinyllm.optimize(hf, stage=replace(pick_stage("final"), runner=runner))


def found(model, how, lengths=(2, 5, 8), device="cpu"):
    """What a model answers."""
    ids, mask = (x.to(device) for x in models.ragged(61, lengths, seed=sum(lengths)))
    options = {"do_sample": False, "max_new_tokens": 8, "eos_token_id": [7, 21, 40], "pad_token_id": 1} | how
    torch.manual_seed(0)
    said = model.generate(ids, attention_mask=mask, **options)
    return getattr(said, "sequences", said).tolist()


@pytest.mark.parametrize("how", SEARCHES.values(), ids=SEARCHES)
def test_whole_searches_are_those_of_transformers(hf, how, interpreted):
    assert found(on(kernels, hf), how) == found(hf, how)


@pytest.mark.gpu
@pytest.mark.parametrize("how", [how for how in SEARCHES.values() if "do_sample" not in how], ids=str)
def test_captured_searches_are_those_of_transformers_on_gpu(how, accelerator):
    """One capture serves one request after the other."""
    hf = models.tiny(seed=2, hidden_size=64, head_dim=16)
    batches = [(2, 5, 8), (8, 1, 3), (4, 7, 4)]
    expected = [found(hf, how | {"max_new_tokens": 20}, lengths) for lengths in batches]
    model = tinyllm.optimize(hf, stage="final").to(accelerator)
    for lengths, right in zip(batches, expected, strict=True):
        assert found(model, how | {"max_new_tokens": 20}, lengths, accelerator) == right


def test_a_turn_calls_it_once_among_few_others(hf, monkeypatch):
    """Beside torch's softmax and choice, and transformers' ends: one operation, and nothing after it."""
    log, found = OperationLog(), []
    choose = tinyllm.generation.beams.Beams.choose

    def logged(search):
        log.operations.clear()
        with log:
            choose(search)
        found.append([operation.name for operation in log.operations])

    monkeypatch.setattr(tinyllm.generation.beams.Beams, "choose", logged)
    ids, mask = models.ragged(61, (5, 3), seed=8)
    on(KernelCalls(plain, log), hf).generate(ids, mask, num_beams=4, max_new_tokens=5, eos_token_id=[7, 21])
    for names in found:
        assert names[-1] == "ours::beam_step" and names.count("ours::beam_step") == 1
        assert len(names) <= 11 and names[:3] == ["aten::_log_softmax", "aten::add.out", "aten::topk"]
