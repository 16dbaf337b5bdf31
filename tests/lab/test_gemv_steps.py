"""The GEMV of notebook 03: every variant is right, and its limits are those of Little's law."""

import itertools

import pytest
import torch

from tinyllm.draw.gemv_steps import draw_gemv_steps
from tinyllm.lab import gemv_steps as steps

SWITCHES = steps.gemv_steps()


@pytest.mark.parametrize("name", SWITCHES)
@pytest.mark.parametrize(
    "n, k", [(1, 1), (3, 5), (7, 64), (12, 576), (5, 577)], ids=lambda n: str(n)
)
def test_every_variant_is_right(name, n, k):
    generator = torch.Generator().manual_seed(n * k)
    w, x = (torch.randn(shape, generator=generator) for shape in ((n, k), (k,)))
    expected = (w.double() @ x.double()).float()
    torch.testing.assert_close(steps.gemv(w, x, SWITCHES[name]), expected, rtol=1e-4, atol=1e-4)


def test_rows_may_be_the_same_memory():
    row = torch.arange(6.0)
    y = steps.gemv(row.view(1, 6).expand(4, 6), row, SWITCHES["wide loads"])
    assert y.tolist() == [55.0] * 4


@pytest.mark.parametrize(
    "w, x",
    [
        (torch.ones(2, 3), torch.ones(4)),
        (torch.ones(3, 2).T, torch.ones(3)),
        (torch.ones(2, 3, dtype=torch.float64), torch.ones(3)),
    ],
    ids=["size", "columns", "dtype"],
)
def test_other_tensors_are_refused(w, x):
    with pytest.raises(ValueError, match="expected float32 rows"):
        steps.gemv(w, x, steps.Switches())


def test_switches_that_are_not_built_are_refused():
    with pytest.raises(ValueError, match="expected width, sums, prefetch, rows of"):
        steps.gemv(torch.ones(2, 3), torch.ones(3), steps.Switches(width=3))


def test_each_step_has_one_switch_more():
    values = list(SWITCHES.values())
    for before, after in itertools.pairwise(values[1:]):
        assert sum(a != b for a, b in zip(before, after, strict=True)) == 1
    assert values[0] == steps.Switches()


def test_additions_in_flight_limit_the_rate():
    four = steps.Switches(threads=2, width=16, sums=4)
    assert steps.chain_rate(steps.Switches(), 1e-9) == pytest.approx(4e9)
    assert steps.chain_rate(four, 1e-9) == pytest.approx(2 * 16 * 4 * 4e9)


def test_latencies_are_those_of_a_processor():
    assert 1e-10 < steps.addition_seconds(5) < 1e-7
    assert 5e-9 < steps.load_seconds(5) < 1e-5


def test_a_slow_call_does_not_count():
    weights, calls = [torch.ones(1000)] * 2, []

    def run(w):
        calls.append(w)
        if len(calls) == 3:
            torch.ones(1 << 22).sort()

    assert steps.matmul_rate(run, weights, repeats=3) > 1e7
    assert len(calls) == 6


def test_a_table_and_a_chart_show_every_step():
    found = [
        steps.Step("one thread", rate=1e9, chain=2e9, memory=20e9),
        steps.Step("wide loads", rate=15e9, chain=32e9, memory=20e9),
    ]
    assert [step.predicted for step in found] == [2e9, 20e9]
    lines = steps.steps_as_text(found, load=128e-9).splitlines()
    assert lines[1].split() == ["one", "thread", "2.0", "20.0", "1.0", "2"]
    assert lines[2].split()[-1] == "30"
    (axes,) = draw_gemv_steps(found, {"torch": 8e9}, 20e9).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        "one thread",
        "wide loads",
        "torch",
    ]
    assert [bar.get_width() for bar in axes.patches] == [1, 15, 8]
