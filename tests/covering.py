"""Cases that meet every two, or every three, of the values of several parameters, instead of all of them at once.

Most faults are of two or three values that meet: of a stage and a search, say, whatever the batch is. All values at
once cost a multiple of such a covering array. Each value has to make a difference in every case: a fault that changes
tokens seldom needs many cases.
"""

from itertools import combinations, product

import pytest


def covering(axes, strength=2):
    """Rows of the product of `axes`, in which every combination of `strength` of their values occurs.

    Chosen one by one, each the first that has the most combinations that no earlier row has. They are in the order of
    the product.
    """
    rows = {row: combinations_of(row, strength) for row in product(*axes)}
    left = set().union(*rows.values())
    chosen = set()
    while left:
        row = max(rows, key=lambda row: len(rows[row] & left))
        left -= rows[row]
        chosen.add(row)
    return [row for row in rows if row in chosen]


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
