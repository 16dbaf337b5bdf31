"""The commands that answer: `generate` and `chat` as a user types them."""

import json
import sys
from io import StringIO

import pytest
import torch

import tinyllm
from tinyllm.cli import main
from tinyllm.cli.chat import Chat
from tinyllm.model import restage


def test_generate_answers(capsys):
    assert main(["generate", "The capital of France is", "--raw", "--max-new-tokens", "3"]) == 0
    assert "Paris" in capsys.readouterr().out


def test_generate_answers_a_chat_from_standard_input(capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", StringIO("What is the capital of France?"))
    assert main(["generate", "--max-new-tokens", "12"]) == 0
    assert "Paris" in capsys.readouterr().out


FRANCE = ["generate", "The capital of France is", "--raw", "--max-new-tokens", "3", "--seed", "1"]


@pytest.mark.parametrize("score", ["logprob", "vote"])
def test_generate_prints_the_best_of_many_answers(capsys, score):
    assert main([*FRANCE, "--answers", "5", "--temperature", "0.3", "--score", score]) == 0
    best, table = capsys.readouterr().out.strip().rsplit("\n\n", 1)
    head, *rows = table.split("\n")
    assert "Paris" in best and " ".join(best.split()) in rows[0]
    assert head.split() == ["score", "tokens", *(["final"] if score == "vote" else []), "text"]
    assert len(rows) == 5


def test_generate_prints_answers_as_json(capsys):
    assert main([*FRANCE, "--answers", "4", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    scores = [answer["score"] for answer in record["answers"]]
    assert record["score"] == "logprob" and len(scores) == 4
    assert scores[record["best"]] == max(scores) < 0
    assert set(record["answers"][0]) == {"text", "tokens", "score"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--json"], "--json and --score need several answers: pass --answers too"),
        (["--score", "vote"], "--json and --score need several answers: pass --answers too"),
        (["--answers", "0"], "--answers 0: expected a whole number, 1 or more"),
        (
            ["--answers", "2", "--num-beams", "2"],
            "--answers are sampled and --num-beams searched: pass one of them",
        ),
    ],
)
def test_options_of_answers_that_do_not_go_together(capsys, monkeypatch, options, message):
    monkeypatch.setattr("tinyllm.model.load_model", None)
    assert main(["generate", "text", *options]) == 2
    assert capsys.readouterr().err == f"tinyllm generate: error: {message}\n"


@pytest.mark.parametrize("terminal", [True, False])
def test_generate_searches_beams_and_shows_how_far_it_is(capsys, monkeypatch, terminal):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    options = ["--raw", "--max-new-tokens", "4", "--num-beams", "3"]
    assert main(["generate", "The capital of France is", *options]) == 0
    shown = capsys.readouterr()
    assert "Paris" in shown.out
    bar = "/4 [" in shown.err and "token/s" in shown.err  # of a quick one, the beginning
    assert bar == terminal


def test_chat_answers_until_the_input_ends(capsys, monkeypatch):
    monkeypatch.setattr(
        "sys.stdin", StringIO("What is the capital of France?\n\nAnd of Germany?\n")
    )
    assert main(["chat", "--max-new-tokens", "12"]) == 0
    said = capsys.readouterr().out
    assert said.index("Paris") < said.index("Berlin")


@pytest.mark.parametrize("stage", tinyllm.STAGES)
def test_a_chat_computes_only_what_is_new(stage, smollm):
    model, passes = restage(smollm, tinyllm.STAGES[stage]), []
    model.layers[0].register_forward_pre_hook(lambda layer, args: passes.append(args[0].shape[1]))
    chat, turns = Chat(model, "You are brief."), []
    for text in ("Name a colour.", "Another."):
        passes.clear()
        chat.answer(text, max_new_tokens=8)
        turns.append((passes[0], chat.tokens.clone()))
    (first, said), (second, whole) = turns
    held = said.shape[1] - 1  # the last token of an answer has not been looked at
    prompt = whole[:, : held + second]
    assert prompt[:, : said.shape[1]].equal(said)
    assert second < first
    assert (
        model.generate(prompt, torch.ones_like(prompt), max_new_tokens=8).tolist() == whole.tolist()
    )


def test_a_chat_whose_history_reads_differently_starts_afresh(smollm):
    chat = Chat(smollm)
    chat.answer("Name a colour.", max_new_tokens=4)
    ids = torch.cat([chat.tokens, torch.tensor([[5, 6]])], dim=1)
    assert chat.held(ids) is chat.cache
    ids[0, 3] += 1
    assert chat.held(ids) is None
    assert chat.held(ids[:, :4]) is None


def test_generate_draws_the_same_tokens_with_the_same_seed(capsys):
    def answer(seed):
        options = [
            "--raw",
            "--max-new-tokens",
            "12",
            "--temperature",
            "1.5",
            "--top-k",
            "40",
            "--seed",
            seed,
        ]
        assert main(["generate", "Once upon a time", *options]) == 0
        return capsys.readouterr().out

    first, again, other = answer("3"), answer("3"), answer("4")
    assert first == again != other


def test_generate_keeps_keys_in_int8(capsys):
    command = ["generate", "hello", "--raw", "--max-new-tokens", "4", "--kv-dtype", "int8"]
    for more in ([], ["--num-beams", "3"], ["--temperature", "1"]):
        assert main([*command, *more]) == 0
        assert capsys.readouterr().out.strip()
