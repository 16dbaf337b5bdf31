"""The best of many answers to one prompt: sampled together, each scored when it ends."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, no_type_check

from jaxtyping import Int
from torch import Tensor

from tinyllm.model import Model
from tinyllm.runtime.progress import progress

SCORES = ("logprob", "vote")
FIXED = (
    "num_return_sequences",
    "num_beams",
    "on_answer",
    "output_logprobs",
    "return_dict_in_generate",
)
SHOWN = 60  # characters of an answer in the table
NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")


@dataclass(frozen=True, eq=False)
class Answer:
    """One answer: its new tokens to its end, their text (None without a tokenizer), and its score.

    `final` is what it votes for, None without `score="vote"`.
    """

    token_ids: Int[Tensor, " n"]
    text: str | None
    score: float = math.nan
    final: Any = None


@dataclass(frozen=True)
class Answers:
    """All answers in the order of sampling; `best` is the first of those with the highest score."""

    answers: tuple[Answer, ...]

    @property
    def best(self) -> Answer:
        """The answer with the highest score."""
        return max(self.answers, key=lambda answer: answer.score)

    def table(self) -> list[tuple[str, ...]]:
        """Rows of text, best first, under a head: score, tokens, final answer where there was a vote, and text."""
        votes = any(answer.final is not None for answer in self.answers)
        head = ("score", "tokens", *(("final",) if votes else ()), "text")
        rows = []
        for answer in sorted(self.answers, key=lambda answer: -answer.score):
            text = " ".join((answer.text or "").split())
            text = text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"
            final = ("-" if answer.final is None else str(answer.final),) if votes else ()
            rows.append((f"{answer.score:.4g}", str(len(answer.token_ids)), *final, text))
        return [head, *rows]

    def __str__(self) -> str:
        lines = self.table()
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
            for line in lines
        )


@no_type_check  # what users pass is checked below, with messages of our own
def best_of(
    model: Model,
    prompt: str | Int[Tensor, "1 t"],
    n: int,
    score: str | Callable[[str], float] = "logprob",
    *,
    extract: Callable[[str], Any] | None = None,
    **options: Any,
) -> Answers:
    """Sample `n` answers to a prompt and score them; `.best` of the result is the winner.

    The prompt is text, which gets no chat template, or token ids. `score` is one of three:

    - "logprob": the mean log-probability of an answer's tokens, its end token among them;
    - "vote": the share of the answers with the same final answer (self-consistency, arXiv 2203.11171);
      `extract(text)` returns the final answer, or None for no vote; by default it is `final_answer`;
    - a function of an answer's text, called when the answer ends.

    `options` are those of `Model.generate`, with `do_sample=True` by default. Only with "logprob" answers that
    have ended stay in the work until the last one ends, and cannot be split into batches.

    Raises TypeError or ValueError, before anything is sampled, for arguments that do not go together.

    >>> result = tinyllm.best_of(model, "7 * 6 =", 16, "vote", max_new_tokens=8)  # doctest: +SKIP
    >>> result.best.final, result.best.score  # doctest: +SKIP
    ('42', 0.875)
    """
    check_arguments(model, prompt, n, score, extract=extract, options=options)
    extract = extract or final_answer
    inputs = {"input_ids": prompt}
    if isinstance(prompt, str):
        inputs = model.tokenizer(prompt, return_tensors="pt")
        inputs = {name: inputs[name] for name in ("input_ids", "attention_mask")}
    found: dict[int, Answer] = {}
    with progress(total=n, desc="answers", unit="answer") as bar:

        def on_answer(index: int, token_ids: Int[Tensor, " n"]) -> None:
            answer = Answer(token_ids, text_of(model, token_ids))
            if callable(score):
                answer = replace(answer, score=checked_score(score(answer.text), answer.text))
            if score == "vote":
                answer = replace(answer, final=extract(answer.text))
            found[index] = answer
            bar.update()

        if score == "logprob":
            options = options | {"output_logprobs": True, "return_dict_in_generate": True}
        output = model.generate(
            **inputs,
            **{"do_sample": True} | options,
            num_return_sequences=n,
            num_beams=1,
            on_answer=on_answer,
        )
    answers = [found[index] for index in range(n)]
    if score == "logprob":
        answers = [
            replace(answer, score=logprobs[: len(answer.token_ids)].mean().item())
            for answer, logprobs in zip(answers, output.logprobs, strict=True)
        ]
    if score == "vote":
        votes = Counter(answer.final for answer in answers if answer.final is not None)
        answers = [replace(answer, score=votes[answer.final] / n) for answer in answers]
    return Answers(tuple(answers))


def final_answer(text: str) -> str | None:
    """The last number of an answer, without thousands separators, or else its last line; None of an empty text."""
    numbers = NUMBER.findall(text)
    if numbers:
        return numbers[-1].replace(",", "")
    lines = text.strip().splitlines()
    return lines[-1].strip() if lines else None


def text_of(model: Model, token_ids: Int[Tensor, " n"]) -> str | None:
    """Tokens as text without special tokens; None without a tokenizer."""
    if model.tokenizer is None:
        return None
    return model.tokenizer.decode(token_ids, skip_special_tokens=True)


def checked_score(score: Any, text: str | None) -> float:
    """What a function of the caller returned. Raises ValueError unless it is a number."""
    try:
        number = float(score)
    except (TypeError, ValueError):
        number = math.nan
    if isinstance(score, str) or math.isnan(number):
        raise ValueError(
            f"score(text) returned {score!r} for {text!r}: expected a number, higher for a better answer"
        )
    return number


@no_type_check
def check_arguments(
    model: Any, prompt: Any, n: Any, score: Any, *, extract: Any, options: dict[str, Any]
) -> None:
    """Raise TypeError or ValueError for what `best_of` cannot use; the options are checked by `generate`."""
    if not isinstance(model, Model):
        raise TypeError(
            f"model is a {type(model).__name__}: expected a model of tinyllm.from_pretrained or tinyllm.optimize"
        )
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise ValueError(f"n={n!r}: expected a whole number of answers, 1 or more")
    if score not in SCORES and not callable(score):
        raise ValueError(f"score={score!r}: expected one of {SCORES}, or a function of a text")
    if extract is not None and (score != "vote" or not callable(extract)):
        raise ValueError(
            f"extract={extract!r} with score={score!r}: expected a function of a text, with score='vote'"
        )
    if not isinstance(prompt, str | Tensor):
        raise TypeError(f"prompt is a {type(prompt).__name__}: expected text or token ids [1, t]")
    if isinstance(prompt, Tensor) and (prompt.ndim != 2 or len(prompt) != 1):
        raise ValueError(f"prompt has shape {list(prompt.shape)}: expected token ids [1, t]")
    if model.tokenizer is None and (isinstance(prompt, str) or score != "logprob"):
        raise ValueError(
            "the model has no tokenizer: expected token ids as prompt and score='logprob', or a model that has one; "
            "set model.tokenizer"
        )
    for name in FIXED:
        if name in options:
            raise ValueError(
                f"{name}={options[name]!r}: best_of samples n={n} answers and reads each of them; leave {name} out"
            )
