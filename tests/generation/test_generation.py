"""`generate` against transformers' own, option by option, on tiny random models."""

import warnings

import pytest
import torch
from transformers import (
    LogitsProcessor,
    LogitsProcessorList,
    MaxLengthCriteria,
    RepetitionPenaltyLogitsProcessor,
    StoppingCriteria,
    StoppingCriteriaList,
    TextStreamer,
)
from transformers.generation.streamers import BaseStreamer

import models
import tinyllm

T = 8  # tokens of the longest prompt


def theirs(hf, *args, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return hf.generate(*args, do_sample=False, **options)


def assert_same(hf, model, *args, **options):
    expected = theirs(hf, *args, **options)
    assert model.generate(*args, **options).tolist() == expected.tolist()
    return expected


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"max_new_tokens": 1},
        {"max_new_tokens": 7},
        {"max_length": T + 5},
        {"max_length": T + 5, "max_new_tokens": 9},
        {"repetition_penalty": 1.7},
        {"repetition_penalty": 0.6},
        {"no_repeat_ngram_size": 1},
        {"no_repeat_ngram_size": 2},
        {"no_repeat_ngram_size": 3, "repetition_penalty": 1.3, "max_new_tokens": 30},
    ],
    ids=str,
)
@pytest.mark.parametrize("padded", [True, False])
def test_options(hf, model, batch, options, padded):
    batch = batch if padded else {"input_ids": batch["input_ids"][-1:].repeat(2, 1)}
    assert_same(hf, model, **batch, **options)


def test_default_is_twenty_new_tokens(hf, model, batch):
    assert assert_same(hf, model, **batch).shape[1] == T + 20


def test_default_stops_at_the_end_of_the_context(hf, model):
    ids, _ = models.ragged(61, (60,))
    assert assert_same(hf, model, ids).shape[1] == hf.config.max_position_embeddings


ENDS = {
    "one": lambda free: {"eos_token_id": free[0, T + 3].item()},
    "several": lambda free: {"eos_token_id": free[[0, 1, 2], [T + 4, T + 1, T + 6]].tolist()},
    "with pad": lambda free: {"eos_token_id": free[1, T + 2].item(), "pad_token_id": 7},
    "several, with pad": lambda free: {
        "eos_token_id": free[[0, 1], [T + 5, T]].tolist(),
        "pad_token_id": 9,
    },
    "never said": lambda free: {
        "eos_token_id": min(set(range(61)) - set(free[:, T:].flatten().tolist()))
    },
}


@pytest.mark.parametrize(
    "least",
    [
        {},
        {"min_new_tokens": 3},
        {"min_new_tokens": 20},
        {"min_length": T + 4},
        {"min_length": 30, "min_new_tokens": 2},
    ],
    ids=str,
)
@pytest.mark.parametrize("end", ENDS)
def test_ends(hf, model, batch, free, end, least):
    assert_same(hf, model, **batch, max_new_tokens=24, **ENDS[end](free), **least)


def test_a_row_that_has_ended_is_filled_with_the_pad_token(model, batch, free):
    eos = free[0, T + 3].item()
    out = model.generate(**batch, max_new_tokens=20, eos_token_id=eos, pad_token_id=7)
    after = out[0, (out[0, T:] == eos).nonzero()[0].item() + T + 1 :]
    assert after.numel() > 0
    assert set(after.tolist()) == {7}


def test_generation_stops_when_every_row_has_ended(hf, model, batch, free):
    ends = free[:, T + 2].tolist()
    assert assert_same(hf, model, **batch, max_new_tokens=20, eos_token_id=ends).shape[1] <= T + 3


class AddOne(LogitsProcessor):
    """Prefers the token after the last one; writes into the scores it is given."""

    def __call__(self, input_ids, scores):
        scores[torch.arange(len(scores)), (input_ids[:, -1] + 1) % scores.shape[1]] += 4.0
        return scores


class RowStops(StoppingCriteria):
    """Ends row i after i + 2 new tokens."""

    def __call__(self, input_ids, scores, **kwargs):
        return torch.arange(len(input_ids)) + 2 <= input_ids.shape[1] - T


@pytest.mark.parametrize("kind", [list, LogitsProcessorList])
def test_custom_logits_processor(hf, model, batch, free, kind):
    changed = assert_same(hf, model, **batch, logits_processor=LogitsProcessorList([AddOne()]))
    assert changed.tolist() != free.tolist()
    assert model.generate(**batch, logits_processor=kind([AddOne()])).tolist() == changed.tolist()


def test_custom_processors_run_after_those_of_the_options(hf, model, batch):
    custom = LogitsProcessorList([AddOne()])
    assert_same(
        hf, model, **batch, logits_processor=custom, repetition_penalty=1.5, no_repeat_ngram_size=2
    )


def test_custom_processor_replaces_the_option_of_its_type(hf, model, batch):
    custom = LogitsProcessorList([RepetitionPenaltyLogitsProcessor(3.0)])
    assert_same(hf, model, **batch, logits_processor=custom, repetition_penalty=1.1)


@pytest.mark.parametrize(
    "options", [{}, {"eos_token_id": 60}, {"eos_token_id": 60, "pad_token_id": 5}], ids=str
)
def test_custom_criterion_for_each_row(hf, model, batch, options):
    custom = StoppingCriteriaList([RowStops()])
    assert assert_same(hf, model, **batch, stopping_criteria=custom, **options).shape[1] == T + 4


@pytest.mark.parametrize("length", [T + 4, T + 40])
def test_custom_maximum_length_replaces_the_option(hf, model, batch, length):
    custom = StoppingCriteriaList([MaxLengthCriteria(length)])
    assert (
        assert_same(hf, model, **batch, stopping_criteria=custom, max_new_tokens=9).shape[1]
        == length
    )


def test_custom_maximum_length_beyond_the_context(model, batch):
    with pytest.raises(ValueError, match="expected at most 64 together"):
        model.generate(**batch, stopping_criteria=[MaxLengthCriteria(65)])


class SeesScores(StoppingCriteria):
    def __init__(self):
        self.seen = []

    def __call__(self, input_ids, scores, **kwargs):
        self.seen.append((input_ids.tolist(), None if scores is None else len(scores)))
        return torch.zeros(len(input_ids), dtype=torch.bool)


@pytest.mark.parametrize(
    "options", [{}, {"return_dict_in_generate": True, "output_scores": True}], ids=str
)
def test_what_a_criterion_is_shown(hf, model, batch, options):
    seen = [SeesScores(), SeesScores()]
    for runner, criterion in zip(
        (theirs, lambda hf, **kw: model.generate(**kw)), seen, strict=True
    ):
        runner(
            hf,
            **batch,
            max_new_tokens=3,
            stopping_criteria=StoppingCriteriaList([criterion]),
            **options,
        )
    assert seen[0].seen == seen[1].seen


def test_max_time_ends_after_the_token_on_which_it_ran_out(hf, model, batch):
    assert assert_same(hf, model, **batch, max_time=1e-9).shape[1] == T + 1


@pytest.mark.parametrize("several", [False, True])
def test_stop_strings(hf, model, free, tokenizer, several):
    ids = free[2:, :T]
    text = tokenizer.decode(free[2, T + 2 : T + 4])
    stop = [text, "zzzzz"] if several else text
    out = assert_same(hf, model, ids, stop_strings=stop, tokenizer=tokenizer, max_new_tokens=20)
    assert out.shape[1] <= T + 4


def test_stop_strings_use_the_tokenizer_of_the_model(hf, free, tokenizer):
    model = tinyllm.optimize(hf)
    model.tokenizer = tokenizer
    stop = tokenizer.decode(free[2, T + 2 : T + 4])
    expected = theirs(hf, free[2:, :T], stop_strings=stop, tokenizer=tokenizer)
    assert model.generate(free[2:, :T], stop_strings=stop).tolist() == expected.tolist()


class Recorder(BaseStreamer):
    def __init__(self):
        self.calls = []

    def put(self, value):
        self.calls.append((value.shape, value.device.type, value.dtype, value.tolist()))

    def end(self):
        self.calls.append("end")


@pytest.mark.parametrize("rows", [slice(0, 3), slice(2, 3)])
def test_streamer_is_called_as_by_transformers(hf, model, batch, free, rows):
    batch = {name: value[rows] for name, value in batch.items()}
    recorders = Recorder(), Recorder()
    theirs(hf, **batch, streamer=recorders[0], max_new_tokens=9, eos_token_id=free[0, T + 3].item())
    model.generate(
        **batch, streamer=recorders[1], max_new_tokens=9, eos_token_id=free[0, T + 3].item()
    )
    assert recorders[1].calls == recorders[0].calls
    assert recorders[1].calls[-1] == "end"


def test_text_streamer(model, free, tokenizer, capsys):
    out = model.generate(
        free[2:, :T], streamer=TextStreamer(tokenizer, skip_prompt=True), max_new_tokens=5
    )
    assert capsys.readouterr().out.strip() == tokenizer.decode(out[0, T:])


def test_options_that_sample_are_said_to_have_no_effect(model, batch, free):
    with pytest.warns(UserWarning, match="temperature, top_p has no effect without do_sample=True"):
        out = model.generate(**batch, temperature=0.5, top_p=0.5)
    assert out.tolist() == free.tolist()


class Raises(BaseStreamer, LogitsProcessor, StoppingCriteria):
    """Raises at its second call."""

    calls = 0

    def __call__(self, *args, **kwargs):
        self.put(None)
        return args[1] if len(args) > 1 and args[1] is not None else False

    def put(self, value):
        self.calls += 1
        if self.calls == 2:
            raise KeyboardInterrupt

    def end(self):
        pass


@pytest.mark.parametrize("place", ["streamer", "logits_processor", "stopping_criteria"])
def test_model_is_usable_after_an_interruption(model, batch, free, place):
    part = Raises()
    with pytest.raises(KeyboardInterrupt):
        model.generate(**batch, **{place: part if place == "streamer" else [part]})
    assert model.generate(**batch).tolist() == free.tolist()
