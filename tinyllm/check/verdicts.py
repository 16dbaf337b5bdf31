"""The result of a check, and checks of results against expected ones, case by case."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

import torch
from torch import Tensor

MOST_NAMED = 6  # passed cases that a failed verdict lists
COLUMNS = 90  # of a line, as wide as a page of the course


@dataclass(frozen=True)
class Verdict:
    """The result of a check: passed cases, all cases, the largest error, the first failure as text, and what passed."""

    operation: str
    passed: int
    total: int
    worst_error: float
    failure: str | None
    right_cases: tuple[str, ...] = ()

    @property
    def right(self) -> bool:
        """Did every case pass?"""
        return self.failure is None

    def __str__(self) -> str:
        if self.right:
            return f"{self.operation}: all {self.total} cases right"
        lines = [f"the first that is not: {self.failure}"]
        if self.right_cases:
            more = len(self.right_cases) - MOST_NAMED
            listed = [*self.right_cases[:MOST_NAMED], *([f"{more} more"] if more > 0 else [])]
            lines.append(f"right: {'; '.join(listed)}")
        counts = f"{self.operation}: {self.passed} of {self.total} cases right"
        return "\n".join([counts, *map(_indented, lines)])


def _indented(text: str) -> str:
    """Lines of at most so many columns, those after the first further to the right."""
    break_at_spaces = {"break_long_words": False, "break_on_hyphens": False}
    wrapped = [
        part for line in text.splitlines() for part in wrap(line, COLUMNS - 4, **break_at_spaces)
    ]
    return "\n    ".join([f"  {wrapped[0]}", *wrapped[1:]])


def verdict(
    operation: str,
    function: Callable,
    cases: Mapping[str, tuple[tuple, Any]],
    *,
    tolerance: float = 1e-4,
) -> Verdict:
    """Run `function` on the arguments of each case: a title, and a tuple of the arguments and the expected result.

    A result is a tensor, a number or another value, or a tuple or dictionary of such. Numbers with a fraction are
    compared relative to the scale of the expected ones, all else must be equal. The function receives copies.
    """
    right, worst, failure = [], 0.0, None
    for title, (arguments, expected) in cases.items():
        error, wrong = _run(function, arguments, expected, tolerance)
        worst = max(worst, error)
        if wrong is None:
            right.append(title)
        else:
            failure = failure or f"{title}: {wrong}"
    return Verdict(operation, len(right), len(cases), worst, failure, tuple(right))


def _run(
    function: Callable, arguments: tuple, expected: Any, tolerance: float
) -> tuple[float, str | None]:
    try:
        got = function(*deepcopy(arguments))
    except Exception as error:  # a learner's function may raise anything: report it as a failure
        return float("inf"), f"{type(error).__name__}: {error}"
    return _compare("result", got, expected, tolerance)


def _compare(name: str, got: Any, expected: Any, tolerance: float) -> tuple[float, str | None]:
    """The largest error and the first difference of a result, field by field."""
    fields = _fields(expected)
    if fields is None:
        return _compare_value(name, got, expected, tolerance)
    if (found := _fields(got)) is None or list(found) != list(fields):
        return float("inf"), f"{name} is {_short(got)}, expected {_short(expected)}"
    worst = 0.0
    for key, value in fields.items():
        error, wrong = _compare(f"{name} {key}", found[key], value, tolerance)
        worst = max(worst, error)
        if wrong:
            return worst, wrong
    return worst, None


def _fields(value: Any) -> dict[Any, Any] | None:
    """The parts of a tuple, list or dictionary by name."""
    if isinstance(value, dict):
        return value
    if isinstance(value, tuple | list):
        return dict(zip(getattr(value, "_fields", range(len(value))), value, strict=True))
    return None


def _compare_value(
    name: str, got: Any, expected: Any, tolerance: float
) -> tuple[float, str | None]:
    numbers = isinstance(got, Tensor | float | int) and isinstance(expected, Tensor | float | int)
    if not numbers:
        same = type(got) is type(expected) and got == expected
        failure = f"{name} is {_short(got)}, expected {_short(expected)}"
        return (0.0, None) if same else (float("inf"), failure)
    mine, right = _tensor(got), _tensor(expected)
    if mine.shape != right.shape:
        return float("inf"), f"{name} has shape {list(mine.shape)}, expected {list(right.shape)}"
    exact = not (mine.is_floating_point() or right.is_floating_point())
    return difference(mine, right.double(), 0.0 if exact else tolerance, name)


def _tensor(value: Tensor | float | int) -> Tensor:
    if isinstance(value, Tensor):
        return value.cpu()
    dtype = torch.float64 if isinstance(value, float) else torch.int64
    return torch.tensor(value, dtype=dtype, device="cpu")


def difference(
    got: Tensor, expected: Tensor, tolerance: float, name: str = "result"
) -> tuple[float, str | None]:
    """The largest error of a tensor, relative to the scale of the expected one, and the failure as text, or None."""
    wide = got.double().to(expected.device)
    scale = expected.abs().clamp(
        min=expected.square().mean().sqrt().item()
    )  # errors of small elements are relative to the root mean square
    error = ((wide - expected).abs() / scale.clamp(min=1e-30)).nan_to_num(nan=float("inf"))
    error = error.where(wide != expected, 0.0)  # infinite ones that are equal
    worst = error.max().item() if error.numel() else 0.0
    if worst <= tolerance:
        return worst, None
    if not expected.ndim:
        return worst, f"{name} is {wide.item():.6g}, expected {expected.item():.6g}"
    at = tuple(int(i) for i in torch.unravel_index(error.argmax(), error.shape))
    where = "" if name == "result" else f"{name}: "
    return (
        worst,
        f"{where}element {list(at)} is {wide[at].item():.6g}, expected {expected[at].item():.6g}",
    )


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
