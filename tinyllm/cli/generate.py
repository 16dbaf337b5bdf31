"""`tinyllm generate`: one text, continued or answered."""

from __future__ import annotations

import argparse
import json
import sys

import torch

from tinyllm.answers import SCORES, Answers, best_of
from tinyllm.cli.options import (
    add_answer,
    add_command,
    check_text,
    encode,
    expect_utf8,
    load,
    ranks_of,
    sampling,
)
from tinyllm.cli.streaming import TextStreamer
from tinyllm.runtime.progress import progress


def add_to(commands) -> None:
    """Put the command into the parser."""
    command = add_command(
        commands, "generate", "Continue a prompt, or answer it where the model can chat.", run
    )
    command.add_argument(
        "prompt", nargs="?", help="the text; read from standard input unless given"
    )
    add_answer(command, longest=256)
    command.add_argument(
        "--num-beams",
        type=int,
        default=1,
        help="search in so many beams; the text comes at the end",
    )
    command.add_argument(
        "--answers",
        type=int,
        help="sample so many answers, and print the best one and all of them; at temperature 1 by default",
    )
    command.add_argument(
        "--score",
        choices=SCORES,
        help="what makes an answer the best (with --answers): the mean log-probability of its tokens, which is the "
        "default, or the number of answers that end with the same number or line",
    )
    command.add_argument(
        "--json", action="store_true", help="print the answers as JSON (with --answers)"
    )
    command.add_argument(
        "--raw", action="store_true", help="continue the text as it is, without the chat template"
    )


def run(options: argparse.Namespace) -> int:
    """Answer; text streams as it is made, unless beams are searched."""
    check_answers(options)
    how = {"max_new_tokens": options.max_new_tokens, "num_beams": options.num_beams} | sampling(
        options
    )
    prompt = prompt_of(options)
    model, tokenizer = load(options)
    inputs = encode(tokenizer, prompt, options.raw)
    if options.answers is not None:
        del how["num_beams"]
        score = options.score or SCORES[0]
        answers = best_of(model, inputs["input_ids"], options.answers, score, **how)
        print(as_json(answers, score) if options.json else f"{answers.best.text}\n\n{answers}")
        return 0
    if options.num_beams == 1:
        model.generate(**inputs, streamer=TextStreamer(tokenizer), **how)
        return 0
    answer = model.generate(
        **inputs, stopping_criteria=token_progress(options.max_new_tokens), **how
    )
    print(tokenizer.decode(answer[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True))
    return 0


def check_answers(options: argparse.Namespace) -> None:
    """Sample for --answers. Raises ValueError for options that need it, or that it excludes."""
    if options.answers is None:
        if options.json or options.score is not None:
            raise ValueError("--json and --score need several answers: pass --answers too")
        return
    if options.answers < 1:
        raise ValueError(f"--answers {options.answers}: expected a whole number, 1 or more")
    if options.num_beams != 1:
        raise ValueError("--answers are sampled and --num-beams searched: pass one of them")
    if options.temperature is None:
        options.temperature = 1.0


def as_json(answers: Answers, score: str) -> str:
    """All answers in the order of sampling, and the number of the best one, from 0 on."""
    rows = [
        {"text": answer.text, "tokens": len(answer.token_ids), "score": answer.score}
        | ({"final": answer.final} if score == "vote" else {})
        for answer in answers.answers
    ]
    best = answers.answers.index(answers.best)
    return json.dumps({"score": score, "best": best, "answers": rows}, indent=2, ensure_ascii=False)


def prompt_of(options: argparse.Namespace) -> str:
    """The prompt as it was passed; of several ranks, the first reads it."""
    if options.prompt is not None:
        return check_text(options.prompt)
    ranks = ranks_of(options)
    text = ""
    if ranks.rank == 0:
        expect_utf8(sys.stdin)
        text = sys.stdin.read()
    return check_text(ranks.share(text))


def token_progress(tokens: int):
    """A bar that moves with every token, where no text can be shown before the end."""
    bar = progress(total=tokens, unit="token")

    def moved(input_ids: torch.Tensor, scores: object, **kwargs: object) -> torch.Tensor:
        bar.update()
        return torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)

    return [moved]
