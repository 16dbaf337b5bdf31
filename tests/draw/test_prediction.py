"""A prediction: the answer is folded or hidden until the reader commits, and the score is kept."""

import pytest

from tinyllm import lab
from tinyllm.draw import prediction


@pytest.fixture(autouse=True)
def score(monkeypatch):
    monkeypatch.setattr(prediction, "SCORE", {})


def commit(box, guess):
    box.input.value = guess
    box.button.click()
    return box.reply.value


def test_the_answer_is_hidden_until_the_reader_commits():
    box = lab.predict("How many launches?", 12)
    assert box.reply.value == "" and not box.button.disabled
    assert commit(box, "12") == "Right: 12. (1 of 1 right so far)"
    assert box.button.disabled and box.input.disabled


def test_the_score_counts_each_question_once():
    commit(lab.predict("How many launches?", 12), "13")
    assert commit(lab.predict("How long?", 2.0, "ms"), "2.9").endswith("(1 of 2 right so far)")
    again = commit(lab.predict("How many launches?", 12), "12")
    assert again == "Right: 12. (2 of 2 right so far)"


@pytest.mark.parametrize(
    "answer, guess, right",
    [
        (12, "12", True),
        (12, "12.5", False),
        (1200, "1,200", True),
        (2.0, "2.9", True),
        (2.0, "3.1", False),
        (2.0, "1.4", True),
        (2.0, "1.2", False),
        (2.0, "-2", False),
        (2.0, "0", False),
        (0.0, "0", True),
    ],
)
def test_an_integer_is_exact_and_a_measured_number_is_near(answer, guess, right):
    assert commit(lab.predict("How much?", answer), guess).startswith("Right") == right


@pytest.mark.parametrize("guess, right", [("memory", True), ("arithmetic", False)])
def test_one_of_the_choices_is_picked(guess, right):
    box = lab.predict("What limits it?", "memory", choices=("arithmetic", "memory"))
    assert box.input.value is None
    assert commit(box, guess).startswith("Right: memory" if right else "Not quite: memory")


@pytest.mark.parametrize(
    "box, reply",
    [
        (lambda: lab.predict("How much?", 2.0), "'two': expected a number"),
        (lambda: lab.predict("Which?", "a", choices=("a", "b")), "pick one"),
    ],
)
def test_without_a_prediction_there_is_no_answer(box, reply):
    made = box()
    assert reply in commit(made, None if made.choices else "two").replace("&#x27;", "'")
    assert not made.button.disabled and prediction.SCORE == {}


def test_recorded_it_is_the_question_with_a_folded_answer():
    box = lab.predict("Less than <2>?", 1234.5678, "MB", choices=None)
    data = box._repr_mimebundle_()
    assert data["text/html"] == (
        "<p><b>Less than &lt;2&gt;?</b></p><details><summary>Answer</summary>1,235 MB</details>"
    )
    assert data["text/plain"] == "Less than <2>?"
    assert "application/vnd.jupyter.widget-view+json" in data


def test_recorded_choices_are_listed_and_the_answer_is_folded():
    data = lab.predict("Which?", "b", choices=("a", "b"))._repr_mimebundle_()
    assert "<ul><li>a</li><li>b</li></ul><details>" in data["text/html"]
    assert data["text/plain"] == "Which?\n- a\n- b"


def test_an_answer_that_cannot_be_predicted_is_refused():
    with pytest.raises(ValueError, match=r"'c': expected one of the choices \['a', 'b'\]"):
        lab.predict("Which?", "c", choices=("a", "b"))
    with pytest.raises(ValueError, match="'c' is a text: expected a number, or choices"):
        lab.predict("Which?", "c")


@pytest.mark.parametrize(
    "answer, text", [(10240.0, "10,240"), (0.64179, "0.6418"), (35.627, "35.63"), (46080, "46,080")]
)
def test_an_answer_has_digits_and_no_exponent(answer, text):
    assert lab.predict("How many?", answer).answer_text() == text
