"""Covering arrays of cases: nothing that they promise to meet is left out, and they are short."""

from itertools import combinations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covering import covering, every_pair


@settings(deadline=None)
@given(
    sizes=st.lists(st.integers(1, 4), min_size=2, max_size=5),
    strength=st.integers(2, 3),
)
def test_all_combinations_occur(sizes, strength):
    rows = covering([range(size) for size in sizes], strength)
    for places in combinations(range(len(sizes)), strength):
        met = {tuple(row[place] for place in places) for row in rows}
        assert met == set(product(*(range(sizes[place]) for place in places)))
    assert len(set(rows)) == len(rows)


@pytest.mark.parametrize(
    ("sizes", "strength", "most"),
    [((5, 5, 3), 2, 25), ((5, 5, 3), 3, 75), ((4, 2, 2, 2, 3, 2), 2, 14), ((9, 6, 2, 3), 3, 162)],
)
def test_they_are_short(sizes, strength, most):
    assert len(covering([range(size) for size in sizes], strength)) <= most


def test_rows_are_the_same_in_every_process():
    axes = ["abc", "de", "fg"]
    assert covering(axes) == covering(axes)
    assert covering(axes)[:2] == [("a", "d", "f"), ("a", "e", "g")]


def test_a_marked_test_has_a_case_for_each_row():
    mark = every_pair(stage=["naive", "final"], search={"greedy": {}, "beams": {}})
    assert mark.args[0] == ("stage", "search")
    assert len(mark.args[1]) == 4
