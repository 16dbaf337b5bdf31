"""Checks made by hand: the verdict names the case and the value, and lists the cases that passed."""

from typing import NamedTuple

import pytest
import torch

from tinyllm.check import Verdict, check, verdict

HALF = torch.tensor(0.5)


class Part(NamedTuple):
    out: torch.Tensor
    lse: torch.Tensor


def test_the_case_and_the_value_are_named_and_what_passed_is_listed():
    cases = {
        "small scores": ((HALF, HALF), HALF + 2.0**0.5 - 2.0**0.5 + 0.693147),
        "scores shifted by 100": ((HALF + 100, HALF), 100.53),
    }
    found = verdict("merge", lambda a, b: torch.log(a.exp() + b.exp()), cases)
    assert str(found) == (
        "merge: 1 of 2 cases right\n"
        "  the first that is not: scores shifted by 100: result is inf, expected 100.53\n"
        "  right: small scores"
    )
    assert not found.right and found.right_cases == ("small scores",)


def test_all_right():
    cases = {"one": ((1, 2), 3), "two": ((0.5, 0.25), 0.75)}
    assert str(verdict("add", lambda a, b: a + b, cases)) == "add: all 2 cases right"


@pytest.mark.parametrize(
    "answer, expected, failure",
    [
        (float("nan"), 0.53, "result is nan, expected 0.53"),
        (3, 4, "result is 3, expected 4"),
        ("a", "b", "result is 'a', expected 'b'"),
        (None, 4, "result is None, expected 4"),
        (torch.zeros(2), torch.zeros(3), "result has shape [2], expected [3]"),
        (torch.tensor([1, 5]), torch.tensor([1, 2]), "element [1] is 5, expected 2"),
        (Part(HALF, HALF), Part(HALF, 2 * HALF), "result lse is 0.5, expected 1"),
        ((1, 2), (1, 2, 3), "result is (1, 2), expected (1, 2, 3)"),
        ({"a": [1, 2]}, {"a": [1, 3]}, "result a 1 is 2, expected 3"),
        (0.1001, 0.1, "result is 0.1001, expected 0.1"),
        (True, "True", "result is True, expected 'True'"),
    ],
)
def test_each_kind_of_result_is_compared(answer, expected, failure):
    assert verdict("f", lambda: answer, {"c": ((), expected)}).failure == f"c: {failure}"
    assert verdict("f", lambda: expected, {"c": ((), expected)}).right


def test_infinite_values_that_are_equal_pass():
    both = torch.tensor([float("-inf"), 1.0])
    assert verdict("f", lambda: both.clone(), {"a row with no key": ((), both)}).right


def test_an_error_is_a_failure_with_its_text():
    def unwritten():
        raise NotImplementedError("yours to write")

    found = verdict("f", unwritten, {"c": ((), 1)})
    assert found.failure == "c: NotImplementedError: yours to write"


def test_the_function_receives_copies():
    kept = torch.zeros(2)
    assert verdict(
        "f", lambda x: x.add_(1), {"a": ((kept,), kept + 1), "b": ((kept,), kept + 1)}
    ).right
    assert not kept.any()


def test_many_passed_cases_are_counted():
    found = Verdict("f", 8, 9, 0.0, "i: wrong", tuple("abcdefgh"))
    assert str(found).endswith("\n  right: a; b; c; d; e; f; 2 more")


def test_a_check_of_an_operation_lists_what_passed():
    def only_narrow(x, weight, eps):
        scaled = torch.nn.functional.rms_norm(x, x.shape[-1:], weight, eps)
        return scaled if x.shape[-1] <= 64 else 2 * scaled

    found = check("rms_norm", only_narrow)
    assert found.right_cases and found.passed == len(found.right_cases) < found.total
    assert str(found).splitlines()[2].startswith(f"  right: {found.right_cases[0]}")


def test_a_verdict_is_as_wide_as_a_page():
    failure = "error " * 40 + "\n" + "its second line " * 10
    text = str(Verdict("f", 6, 7, 0.0, failure, tuple(f"case {i} of seven" for i in range(6))))
    assert max(map(len, text.splitlines())) <= 90
    words = " ".join(text.split())
    assert words.count("error") == 40 and words.count("its second line") == 10
    assert all(line.startswith("  ") for line in text.splitlines()[1:])
