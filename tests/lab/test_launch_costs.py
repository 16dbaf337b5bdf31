"""Published costs of a launch: each has a source, and the table shows it."""

import pytest

from tinyllm.lab.launch_costs import LAUNCH_COSTS, XPU_GRAPH, launch_cost, launch_costs_as_text


def test_every_cost_has_a_source_and_a_date():
    for cost in (*LAUNCH_COSTS, XPU_GRAPH):
        assert cost.source.startswith("https://github.com/")
    assert all(cost.microseconds > 0 and len(cost.date) == 7 for cost in LAUNCH_COSTS)
    assert XPU_GRAPH.graph_ms < XPU_GRAPH.eager_ms


def test_the_table_fits_a_page_and_names_the_sources():
    text = launch_costs_as_text()
    assert max(map(len, text.splitlines())) <= 90
    assert all(cost.source in text and f"{cost.microseconds:.1f}" in text for cost in LAUNCH_COSTS)


def test_a_cost_is_found_by_name():
    assert launch_cost("graph").what == "SYCL graph of 10 kernels"
    with pytest.raises(ValueError, match="launch cost 'driver': expected one of"):
        launch_cost("driver")
