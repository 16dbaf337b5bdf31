"""Annotations enforced, at a price that long runs can bear: the first calls of each function, and then some.

A shape is right from the first calls on, or goes wrong later and is found by the calls that are sampled. Checking
every call makes a tiny model five times slower, and the first calls in each case of a test still half as slow again:
they are checked in every eighth case. A function that is defined anew in each call of another one is one function
here: its check takes a millisecond to make.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import is_dataclass
from functools import partial, wraps
from types import FunctionType

import jaxtyping

FIRST, EVERY, CASES = 2, 64, 8
every_call = jaxtyping.jaxtyped
current, cases = None, 0  # the test that runs, and how many of its cases have begun
starts = 0  # how often counts have started anew
counts = defaultdict(
    lambda: [0, 0]
)  # of each function: the start that it has seen, and its calls since


def some_calls(function=None, **options):
    """What jaxtyping's import hook puts over every function and class, with fewer checks."""
    if function is None:
        return partial(some_calls, **options)
    if isinstance(function, FunctionType):
        return sampled(function, partial(every_call, function, **options))
    plain = function.__init__
    function = every_call(function, **options)
    if is_dataclass(function) and function.__init__ is not plain:
        checked = function.__init__
        function.__init__ = sampled(plain, lambda: checked)
    return function


def sampled(function: Callable, check: Callable[[], Callable]) -> Callable:
    """A function whose first calls, and some of the later ones, go to what `check` makes of it."""
    count = counts[function.__module__, function.__qualname__]
    checked = None

    @wraps(function)
    def call(*args, **kwargs):
        nonlocal checked
        if count[0] != starts:
            count[:] = starts, 0
        count[1] += 1
        if count[1] > FIRST and count[1] % EVERY:
            return function(*args, **kwargs)
        checked = checked or check()  # made at its first call
        return checked(*args, **kwargs)

    return call


def enforce(modules):
    """Check the annotations of modules that are not yet imported."""
    jaxtyping.jaxtyped = some_calls
    jaxtyping.install_import_hook(modules, "beartype.beartype")


def begin_test(test):
    """Count from nothing, in every eighth case of a test."""
    global current, cases, starts
    current, cases = test, cases + 1 if test == current else 0
    starts += cases % CASES == 0
