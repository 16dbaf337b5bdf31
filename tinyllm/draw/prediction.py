"""A question whose answer is hidden until the reader has predicted it, and the reader's score."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from ipywidgets import HTML, Button, HBox, HTMLMath, RadioButtons, Text, VBox

# Whether the last prediction of each question was right.
SCORE: dict[str, bool] = {}
WITHIN = 1.5  # a measured number counts as right within this factor


class Prediction(VBox):
    """The question, an input or radio buttons, and a button; where widgets cannot be shown, a folded answer."""

    def __init__(
        self, question: str, answer: int | float | str, unit: str, choices: tuple[str, ...]
    ) -> None:
        self.question, self.answer, self.unit, self.choices = question, answer, unit, choices
        options = {"options": list(choices), "value": None, "layout": {"width": "max-content"}}
        self.input = RadioButtons(**options) if choices else Text(placeholder="a number")
        self.button, self.reply = Button(description="Predict"), HTML()
        self.button.on_click(lambda button: self.commit())
        row = [self.input, *([HTML(escape(unit))] if unit else []), self.button]
        super().__init__([HTMLMath(f"<b>{escape(question)}</b>"), HBox(row), self.reply])

    def commit(self) -> None:
        """Compare what the reader entered with the answer, and show both and the score."""
        guess: int | float | str | None = self.input.value
        if not self.choices:
            guess = _number(str(guess))
        if guess is None:
            expected = "pick one" if self.choices else f"{self.input.value!r}: expected a number"
            self.reply.value = escape(expected)
            return
        SCORE[self.question] = is_right(guess, self.answer)
        self.button.disabled = self.input.disabled = True
        word = "Right" if SCORE[self.question] else "Not quite"
        score = f"{sum(SCORE.values())} of {len(SCORE)} right so far"
        self.reply.value = escape(f"{word}: {self.answer_text()}. ({score})")

    def answer_text(self) -> str:
        """The answer with its unit."""
        return f"{_as_text(self.answer)} {self.unit}".rstrip()

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        listed = "".join(f"<li>{escape(choice)}</li>" for choice in self.choices)
        answer = f"<details><summary>Answer</summary>{escape(self.answer_text())}</details>"
        question = f"<p><b>{escape(self.question)}</b></p>{listed and f'<ul>{listed}</ul>'}"
        lines = [self.question, *(f"- {choice}" for choice in self.choices)]
        still = {"text/html": question + answer, "text/plain": "\n".join(lines)}
        return super()._repr_mimebundle_(**kwargs) | still


def predict(
    question: str, answer: int | float | str, unit: str = "", choices: Sequence[str] | None = None
) -> Prediction:
    """A question for the reader: the answer is shown when the reader has committed to a prediction.

    An integer must be predicted exactly, another number within a factor of 1.5; with `choices`, one of them is picked.
    Raises ValueError where the answer is not among the choices, and where it is a text without choices.
    """
    if choices is not None and answer not in choices:
        raise ValueError(f"answer {answer!r}: expected one of the choices {list(choices)}")
    if choices is None and isinstance(answer, str):
        raise ValueError(f"answer {answer!r} is a text: expected a number, or choices")
    return Prediction(question, answer, unit, tuple(choices or ()))


def is_right(guess: int | float | str, answer: int | float | str) -> bool:
    """Whether a prediction counts: a choice or an integer is equal, another number is near."""
    if isinstance(guess, str) or isinstance(answer, str | int) or answer == 0:
        return guess == answer
    return guess / answer > 0 and max(guess / answer, answer / guess) <= WITHIN


def _number(text: str) -> int | float | None:
    """A number as a reader enters it, with or without commas between thousands."""
    try:
        return float(text.replace(",", ""))
    except ValueError:
        return None


def _as_text(answer: int | float | str) -> str:
    if isinstance(answer, str):
        return answer
    has_fraction = isinstance(answer, float) and abs(answer) < 1000  # above, no exponent
    return f"{answer:.4g}" if has_fraction else f"{answer:,.0f}"
