"""The exercise of notebook 03: a kernel must be right and within its budget of loads."""

import pytest
import torch
import triton
import triton.language as tl

from tinyllm.lab.gate_up import check_gate_up


@triton.jit
def one_loop(w, x, y, f, k, ROWS: tl.constexpr, BLOCK: tl.constexpr, TWICE: tl.constexpr):
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)[:, None]
    gates = tl.zeros([ROWS, BLOCK], tl.float32)
    ups = tl.zeros([ROWS, BLOCK], tl.float32)
    for start in range(0, k, BLOCK):
        column = start + tl.arange(0, BLOCK)[None, :]
        values = tl.load(x + column)
        gates += tl.load(w + row * k + column) * values
        if TWICE:
            values = tl.load(x + column)
        ups += tl.load(w + (row + f) * k + column) * values
    gate = tl.sum(gates, 1, keep_dims=True)
    tl.store(y + row, gate * tl.sigmoid(gate) * tl.sum(ups, 1, keep_dims=True))


def gate_up(w, x, twice=False, rows=4, launches=1):
    f, k = len(w) // 2, len(x)
    y = torch.empty(f)
    for _ in range(launches):
        one_loop[(f // rows,)](w, x, y, f, k, ROWS=rows, BLOCK=8, TWICE=twice)
    return y


def test_one_loop_is_within_the_budget():
    verdict = check_gate_up(gate_up)
    assert verdict.right, str(verdict)
    assert verdict.passed == verdict.total > 2


@pytest.mark.parametrize(
    "function, failure",
    [
        (lambda w, x: gate_up(w, x, twice=True), "16 elements of x are loaded; the budget: 8"),
        (lambda w, x: gate_up(w, x).neg_(), "element"),
        (lambda w, x: gate_up(w, x)[:, None], "shape [4, 1], expected [4]"),
        (lambda w, x: gate_up(w, x, launches=2), "128 weights are loaded; the budget: 64"),
        (lambda w, x: gate_up(w, x.clone()), "neither w nor x nor the result"),
        (lambda w, x: w[: len(w) // 2] @ x, "RuntimeError: nothing to record"),
    ],
    ids=["x twice", "negated", "shape", "weights twice", "a copy", "no kernel"],
)
def test_what_is_wrong_is_named(function, failure):
    verdict = check_gate_up(function)
    assert verdict.passed < verdict.total
    assert failure in verdict.failure
