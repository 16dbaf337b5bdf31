"""Recorded memory of a beam search, its text and picture, compared with sequences and the cost model."""

from dataclasses import replace
from functools import partial
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import to_rgba
from matplotlib.patches import Rectangle

import models
import tinyllm
from tinyllm.cache.contiguous import ContiguousCache
from tinyllm.cache.segment import SegmentCache
from tinyllm.cache.segment_layer import aligned_slots
from tinyllm.cost.model import pass_cost, reorder_cost
from tinyllm.cost.workload import Cost, Workload
from tinyllm.draw.beam_memory import (
    PROMPT,
    RESPONSE,
    UNREAD,
    draw_beam_memory,
    draw_bytes_over_steps,
)
from tinyllm.draw.memory_over_time import draw_memory_over_time
from tinyllm.lab.beam_trace import as_text, first_wrong_read, lines, shown
from tinyllm.lab.kv_trace import _Watch, trace_beams
from tinyllm.model import restage

every_stage = pytest.mark.parametrize("stage", tinyllm.STAGES)
searches = {
    "hf": models.drawn(),
    "lengths": st.lists(st.integers(1, 6), min_size=1, max_size=3),
    "width": st.integers(1, 5),
    "new": st.integers(2, 6),
    "seed": st.integers(0, 99),
}


def traced(model, lengths, width, new, seed=0):
    ids, mask = models.ragged(model.config.vocab_size, lengths, seed=seed)
    return trace_beams(model, ids, width, new, mask), ids, mask


def shares_prompts(model):
    return model.stage.cache is not ContiguousCache


def all_slots(step):
    return [slot for buffer in step.buffers for row in buffer.rows for slot in row]


@pytest.fixture(scope="module", params=tinyllm.STAGES)
def small(request):
    model = tinyllm.optimize(models.tiny(), stage=request.param)
    return model, traced(model, [4, 2], 3, 6)[0]


@every_stage
@settings(max_examples=6, deadline=None)
@given(**searches)
def test_every_beam_reads_exactly_its_own_tokens(stage, hf, lengths, width, new, seed):
    model = tinyllm.optimize(hf, stage=stage)
    trace, ids, mask = traced(model, lengths, width, new, seed)
    assert len(trace.steps) == new
    before = [
        tuple(row[real.bool()].tolist())
        for row, real in zip(ids, mask, strict=True)
        for _ in range(width)
    ]
    for number, step in enumerate(trace.steps):
        if number:
            before = [
                (*before[parent], token)
                for parent, token in zip(step.beam_idx, step.tokens, strict=True)
            ]
        assert [step.read(beam) for beam in range(len(before))] == before == list(step.sequences)
    for request, answer in enumerate(trace.answers):  # the last token is no input
        padding = int((mask[request] == 0).sum())
        assert answer[padding:-1] in before[request * width : (request + 1) * width]


@every_stage
@settings(max_examples=5, deadline=None)
@given(**searches)
def test_recording_does_not_change_the_search(stage, hf, lengths, width, new, seed):
    model = tinyllm.optimize(hf, stage=stage)
    trace, ids, mask = traced(model, lengths, width, new, seed)
    length = {"max_new_tokens": new, "min_new_tokens": new}
    answers = model.generate(ids, mask, num_beams=width, do_sample=False, **length)
    assert trace.answers == tuple(map(tuple, answers.tolist()))
    assert (trace.stage, trace.width, trace.prompt_tokens) == (stage, width, ids.shape[1])


@every_stage
@settings(max_examples=6, deadline=None)
@given(**searches)
def test_the_cost_of_every_step_is_predicted(stage, hf, lengths, width, new, seed):
    model = tinyllm.optimize(hf, stage=stage)
    trace, ids, mask = traced(model, lengths, width, new, seed)
    (b, t), config = ids.shape, model.config
    token = 4 * 2 * config.num_hidden_layers * config.num_key_value_heads * config.head_dim
    slots = partial(aligned_slots, row_bytes=4 * config.head_dim)
    at_first = b * t if shares_prompts(model) else b * t * width
    assert trace.steps[0].forward.kv_written == at_first * token
    assert trace.steps[0].held == (b * slots(t) if shares_prompts(model) else at_first) * token
    for n, step in enumerate(trace.steps[1:]):
        work = Workload(b, 1, t + n, 4, padded=not mask.all(), copies=width, steps=n)
        assert replace(step.forward, flops=0) == replace(
            pass_cost(model.stage, config, work), flops=0
        )
        moved = reorder_cost(model.stage, config, work) if width > 1 else Cost()
        assert (step.reorder.launches, step.reorder.kv_copied) == (moved.launches, moved.kv_copied)
        room = b * width * (t + n + 1)
        if shares_prompts(model):
            room = b * (slots(t) + slots(width * (new - 1)))
        assert step.held == room * token
        assert step.copied == (
            0 if shares_prompts(model) else token * b * width * (t + n) * (1 + (width > 1))
        )
        assert step.written == token * b * width


def test_slots_have_the_state_of_the_step(small):
    model, trace = small
    for number, step in enumerate(trace.steps):
        states = {slot.step: set() for slot in all_slots(step)}
        for slot in all_slots(step):
            states[slot.step].add(slot.state)
        old = "kept" if shares_prompts(model) else "copied"
        for of, found in states.items():
            assert found == {"written" if of == number else old if of < number else "free"}
        slot_bytes = step.forward.kv_written / sum(
            slot.state == "written" for slot in all_slots(step)
        )
        assert step.forward.kv_copied == slot_bytes * sum(
            slot.state == "copied" for slot in all_slots(step)
        )


def test_buffers_are_the_storages_of_the_first_layer(small):
    model, trace = small
    g, d, layers = (
        model.config.num_key_value_heads,
        model.config.head_dim,
        model.config.num_hidden_layers,
    )
    for step in trace.steps:
        for buffer in step.buffers:
            assert buffer.shape == (len(buffer.rows), g, len(buffer.rows[0]), d)
            assert buffer.bytes == 4 * torch.Size(buffer.shape).numel()
        assert step.held == 2 * layers * sum(buffer.bytes for buffer in step.buffers)
    moves = [a.buffers[0].address != b.buffers[0].address for a, b in pairwise(trace.steps)]
    assert moves == [not shares_prompts(model)] * len(moves)


def test_readers_are_the_beams_that_read_the_slot(small):
    _, trace = small
    for step in trace.steps:
        for i, buffer in enumerate(step.buffers):
            for row, slots in enumerate(buffer.rows):
                for n, slot in enumerate(slots):
                    readers = [
                        beam for beam, path in enumerate(step.visible) if (i, row, n) in path
                    ]
                    assert list(slot.readers) == readers
                    if buffer.name == "prompt" and slot.readers:
                        assert readers == [3 * row, 3 * row + 1, 3 * row + 2]
                    if buffer.name == "beam":
                        assert set(readers) <= {row}


def test_a_missing_reorder_is_found():
    class Forgetful(ContiguousCache):
        def reorder(self, beam_idx):
            pass

    model = tinyllm.optimize(models.tiny(), stage="fused")
    trace, *_ = traced(restage(model, replace(model.stage, cache=Forgetful)), [4], 3, 6)
    wrong = [
        step
        for step in trace.steps
        if any(step.read(beam) != step.sequences[beam] for beam in range(3))
    ]
    assert wrong
    assert not any(step.reorder.launches for step in trace.steps)


def test_a_value_of_no_token_has_no_token():
    class Overwritten(ContiguousCache):
        def reorder(self, beam_idx):
            super().reorder(beam_idx)
            self.layers[0].segments[0].v[1, :, 2] = 7.0

    model = tinyllm.optimize(models.tiny(), stage="naive")
    trace, *_ = traced(restage(model, replace(model.stage, cache=Overwritten)), [4], 2, 3)
    assert [slot.token for slot in trace.steps[1].buffers[0].rows[1]].index(None) == 2
    assert "?" in as_text(trace, 1).splitlines()[2]
    assert trace.steps[1].read(1) != trace.steps[1].sequences[1]


def test_a_response_that_grows_is_copied_once():
    class Unplanned(SegmentCache):
        def __init__(self, config, prompts, copies, steps, **rest):
            super().__init__(config, prompts, copies, None, **rest)

    model = tinyllm.optimize(models.tiny(), stage="segment")
    trace, *_ = traced(restage(model, replace(model.stage, cache=Unplanned)), [4, 3], 2, 20)
    assert [buffer.name for buffer in trace.steps[-1].buffers] == ["prompt", "response"]
    slots = [len(step.buffers[1].rows[0]) for step in trace.steps[1:]]
    assert slots == 16 * [2 * 16] + 3 * [2 * 32]
    assert [number for number, step in enumerate(trace.steps) if step.copied] == [17]
    copied = {slot.step for slot in all_slots(trace.steps[17]) if slot.state == "copied"}
    assert copied == set(range(1, 17))
    for number, step in enumerate(trace.steps):
        assert [step.read(beam) for beam in range(4)] == list(step.sequences)
        assert {slot.step for slot in all_slots(step) if slot.state == "written"} == {number}


def test_half_precision():
    model = tinyllm.optimize(models.tiny().to(torch.bfloat16), stage="segment")
    trace, *_ = traced(model, [5, 3], 3, 5)
    assert all(step.read(beam) == step.sequences[beam] for step in trace.steps for beam in range(6))


def test_lines_hold_every_slot_once_in_the_column_of_its_time(small):
    _, trace = small
    for number, step in enumerate(trace.steps):
        laid = lines(trace, number)
        places = [place for line in laid for place in line.places]
        assert len(places) == len(set(places)) == len(all_slots(step))
        for line in laid:
            times = [max(0, column - trace.prompt_tokens + 1) for column in range(line.column, 99)]
            assert [step.slot(place).step for place in line.places] == times[: len(line.places)]


def test_the_text_of_a_step(smollm):
    ids = smollm.tokenizer("The capital of France is", return_tensors="pt")["input_ids"]
    told = {
        stage: as_text(trace_beams(restage(smollm, tinyllm.STAGES[stage]), ids, 2, 5), 3)
        for stage in tinyllm.STAGES
    }
    assert told["fused"].splitlines() == [
        "fused, step 3: 737,280 bytes held, 1,290,240 copied, parents [0, 0]",
        "beam 0: ~The|~capital|~of|~France|~is|~Paris|~.|+\\n",
        "beam 1: ~The|~capital|~of|~France|~is|~Paris|~.|+The",
        "beam 0 reads 'The capital of France is Paris.\\n'",
        "beam 1 reads 'The capital of France is Paris. The'",
    ]
    assert told["naive"] == told["fused"].replace("fused", "naive")
    assert told["segment"].splitlines() == [
        "segment, step 3: 599,040 bytes held, 0 copied, parents [0, 0]",
        "prompt 0:  The| capital| of| France| is",
        "response 0:  Paris| .|+\\n|_",
        "response 1:  the| ,|+The|_",
        "beam 0 reads 'The capital of France is Paris.\\n'",
        "beam 1 reads 'The capital of France is Paris. The'",
    ]
    shown_there = told["segment"].splitlines()[1:]
    assert told["sdpa"].splitlines()[1:] == told["final"].splitlines()[1:] == shown_there


def test_cells_show_blanks_and_line_ends():
    assert [shown(text) for text in (" Paris", "\n\n", "  ", "", "'")] == [
        "Paris",
        "\\n\\n",
        "  ",
        "",
        '"\'"'[1:-1],
    ]


def squares(figure):
    return [patch for patch in figure.axes[0].patches if isinstance(patch, Rectangle)]


@pytest.mark.parametrize("number", [0, 1, 5])
def test_the_picture_has_a_square_for_every_slot(small, number):
    _, trace = small
    step, figure = trace.steps[number], draw_beam_memory(trace, number)
    slots = [step.slot(place) for line in lines(trace, number) for place in line.places]
    drawn = squares(figure)
    assert len(drawn) == len(slots) == len(all_slots(step))
    assert [bool(square.get_hatch()) for square in drawn] == [
        slot.state == "copied" for slot in slots
    ]
    thick = max(square.get_linewidth() for square in drawn)
    assert [square.get_linewidth() == thick for square in drawn] == [
        slot.state == "written" for slot in slots
    ]
    assert [text.get_text() for text in figure.axes[0].texts] == [
        shown(slot.text) for slot in slots
    ]
    for square, slot in zip(drawn, slots, strict=True):
        read = PROMPT if slot.step == 0 else RESPONSE
        colour = "white" if slot.state == "free" else read if slot.readers else UNREAD
        assert square.get_facecolor() == to_rgba(colour)


def test_the_picture_has_a_line_per_beam_in_a_response(small):
    model, trace = small
    figure, step = draw_beam_memory(trace, 5), trace.steps[5]
    paths = figure.axes[0].lines
    assert len(paths) == (6 if shares_prompts(model) else 0)
    where = {
        place: (x, y)
        for y, line in enumerate(lines(trace, 5))
        for x, place in enumerate(line.places, line.column)
    }
    for beam, drawn in enumerate(paths):
        places = [
            place for place in step.visible[beam] if step.buffers[place.buffer].name == "response"
        ]
        assert [(int(x), int(y)) for x, y in drawn.get_xydata()] == [
            where[place] for place in places
        ]


def test_bytes_over_steps_are_those_of_the_trace(small):
    _, trace = small
    held, copied = draw_bytes_over_steps({"a": trace, "b": trace}).axes
    for axis, name in ((held, "held"), (copied, "copied")):
        assert [line.get_label() for line in axis.lines] == ["a", "b"]
        for line in axis.lines:
            assert list(line.get_ydata()) == [getattr(step, name) / 1e6 for step in trace.steps]


def test_memory_over_time_is_constant_between_changes():
    line, peak = (
        draw_memory_over_time([(0.0, 1000000), (0.002, 3000000), (0.003, 500000)]).axes[0].lines
    )
    assert line.get_drawstyle() == "steps-post"
    assert line.get_xydata().tolist() == [[0, 1], [2, 3], [3, 0.5]]
    assert set(peak.get_ydata()) == {3}


def test_several_prefill_passes_raise():
    model = tinyllm.optimize(models.tiny(), stage="fused")
    watched = _Watch(model, torch.ones(1, 3).long(), torch.ones(1, 3).long(), 2).model
    step, ids = watched.stage.runner.step(watched), torch.ones(2, 3).long()
    step(ids, None, model.new_cache(1, 2))
    with pytest.raises(
        ValueError, match="need several prefill passes: expected few enough for one"
    ):
        step(ids, None, model.new_cache(1, 2))


@pytest.mark.parametrize("width", [1, 3])
def test_ends_of_text_do_not_end_a_traced_search(width):
    model = tinyllm.optimize(models.tiny(eos_token_id=list(range(50))), stage="segment")
    ids = torch.full((1, 3), 55)
    assert len(model.generate(ids, max_new_tokens=6, num_beams=width, do_sample=False)[0]) < 3 + 6
    assert len(trace_beams(model, ids, width, 6).steps) == 6


class Forgetful(ContiguousCache):
    """A cache whose beams keep their rows, whichever they continue."""

    def reorder(self, beam_idx):
        pass


def test_the_first_wrong_read_is_named():
    model = tinyllm.optimize(models.tiny(), stage="fused")
    right = traced(model, [4, 2], 3, 6)[0]
    assert first_wrong_read(right, str) == "every beam reads its own tokens"
    forgetful = restage(model, replace(model.stage, cache=Forgetful))
    wrong = traced(forgetful, [4, 2], 3, 6)[0]
    found = first_wrong_read(wrong, str)
    step, beam = (int(word.strip(":")) for word in found.split()[1:4:2])
    at = wrong.steps[step]
    assert f"is {str(at.sequences[beam])!r}\n  and reads {str(at.read(beam))!r}" in found
    assert at.sequences[beam] != at.read(beam)
    before = [
        one.read(b) == own for one in wrong.steps[:step] for b, own in enumerate(one.sequences)
    ]
    assert all(before)
