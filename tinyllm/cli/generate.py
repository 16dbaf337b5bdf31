"""`tinyllm generate`: one text, continued or answered."""

from __future__ import annotations

import argparse
import sys

import torch

from tinyllm.cli.options import (
    add_answer,
    add_command,
    check_text,
    encode,
    expect_utf8,
    load,
    sampling,
)
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
        "--raw", action="store_true", help="continue the text as it is, without the chat template"
    )


def run(options: argparse.Namespace) -> int:
    """Answer; text streams as it is made, unless beams are searched."""
    from transformers import TextStreamer

    how = {"max_new_tokens": options.max_new_tokens, "num_beams": options.num_beams} | sampling(
        options
    )
    prompt = prompt_of(options)
    model = load(options)
    tokenizer, inputs = model.tokenizer, encode(model.tokenizer, prompt, options.raw)
    if options.num_beams == 1:
        model.generate(
            **inputs,
            streamer=TextStreamer(tokenizer, skip_prompt=True, skip_special_tokens=True),
            **how,
        )
        return 0
    answer = model.generate(
        **inputs, stopping_criteria=token_progress(options.max_new_tokens), **how
    )
    print(tokenizer.decode(answer[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True))
    return 0


def prompt_of(options: argparse.Namespace) -> str:
    """The prompt as it was passed."""
    if options.prompt is not None:
        return check_text(options.prompt)
    expect_utf8(sys.stdin)
    return check_text(sys.stdin.read())


def token_progress(tokens: int):
    """A bar that moves with every token, where no text can be shown before the end."""
    from transformers import StoppingCriteriaList

    bar = progress(total=tokens, unit="token")

    def moved(input_ids: torch.Tensor, scores: object, **kwargs: object) -> torch.Tensor:
        bar.update()
        return torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)

    return StoppingCriteriaList([moved])
