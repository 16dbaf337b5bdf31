"""Annotations enforced, at a price that long runs can bear: the first calls of each function in a test, and then some.

A shape is right from the first calls on, or goes wrong later and is found by the calls that are sampled. Checking
every call makes a tiny model five times slower.
"""

from functools import partial, wraps
from types import FunctionType

import jaxtyping

FIRST, EVERY = 4, 64
every_call = jaxtyping.jaxtyped
tests = 0  # begun so far: counts start anew with each


def some_calls(function=None, **options):
    """What jaxtyping's import hook puts over every function and class, for functions with fewer checks."""
    if function is None:
        return partial(some_calls, **options)
    checked = every_call(function, **options)
    if not isinstance(function, FunctionType):
        return checked
    test, calls = 0, 0

    @wraps(function)
    def call(*args, **kwargs):
        nonlocal test, calls
        test, calls = tests, calls + 1 if test == tests else 1
        return (checked if calls <= FIRST or calls % EVERY == 0 else function)(*args, **kwargs)

    return call


def enforce(modules):
    """Check the annotations of modules that are not yet imported."""
    jaxtyping.jaxtyped = some_calls
    jaxtyping.install_import_hook(modules, "beartype.beartype")


def begin_test():
    """Count from nothing."""
    global tests
    tests += 1
