"""Cases that meet every two, or every three, of the values of several parameters, instead of all of them at once.

A fault is nearly always one of two or three values that meet: of a stage and a search, say, whatever the batch is. All
values at once cost a multiple of such a covering array and find no more.
"""

from itertools import combinations, product

import pytest


def covering(axes, strength=2):
    """Rows of the product of `axes`, in which every combination of `strength` of their values occurs.

    Chosen one by one, each the first that has the most combinations that no earlier row has.
    """
    rows = {row: combinations_of(row, strength) for row in product(*axes)}
    left = set().union(*rows.values())
    chosen = []
    while left:
        row = max(rows, key=lambda row: len(rows[row] & left))
        left -= rows.pop(row)
        chosen.append(row)
    return chosen


def combinations_of(row, strength):
    """So many of a row's values each, with their places in the row."""
    return set(combinations(enumerate(row), strength))


def every_pair(**axes):
    """Mark of a test: its parameters take values of which each two of different parameters meet."""
    return parametrize(axes, 2)


def every_triple(**axes):
    """Mark of a test: its parameters take values of which each three of different parameters meet."""
    return parametrize(axes, 3)


def parametrize(axes, strength):
    rows = covering([list(values) for values in axes.values()], strength)
    return pytest.mark.parametrize(tuple(axes), rows, ids=str)
