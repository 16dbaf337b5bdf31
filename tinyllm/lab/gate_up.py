"""The exercise of notebook 03: gate and up in one GEMV, with a budget of loads that a trace counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from tinyllm.check import Verdict
from tinyllm.check.tables import TOLERANCES
from tinyllm.lab.trace import Trace, record_trace

# Sizes f and k: gate and up have f rows each, of k floats.
CASES = ((4, 8), (12, 16), (8, 48), (16, 24))


def check_gate_up(gate_up: Callable[[Tensor, Tensor], Tensor]) -> Verdict:
    """Check silu(gate x) * (up x) and its loads, in cases that fit into tiles of 4 rows and blocks of 8 columns.

    `gate_up` receives w [2f, k], gate above up, and x [k], and returns [f]. The budget: each weight is loaded once, x
    once by each program, and each output stored once, all in one launch. Needs Triton's interpreter.
    """
    right, worst, failure = [], 0.0, None
    for f, k in CASES:
        error, wrong = _run_case(gate_up, f, k)
        worst = max(worst, error)
        title = f"f = {f}, k = {k}"
        right += [title] if wrong is None else []
        failure = failure or (wrong and f"{title}: {wrong}")
    return Verdict("gate_up", len(right), len(CASES), worst, failure, tuple(right))


def _run_case(
    gate_up: Callable[[Tensor, Tensor], Tensor], f: int, k: int
) -> tuple[float, str | None]:
    generator = torch.Generator().manual_seed(f * k)
    draw = partial(torch.randn, generator=generator, dtype=torch.float32, device="cpu")
    w, x = draw(2 * f, k), draw(k)
    gate, up = (w.double() @ x.double()).chunk(2)
    expected = gate * gate.sigmoid() * up
    results: list[Tensor] = []

    def run(w: Tensor, x: Tensor) -> Tensor:
        results.append(gate_up(w, x))
        return results[0]

    try:
        trace = record_trace("gate_up", run, {"w": w, "x": x})
    except LookupError as error:
        return float("inf"), f"neither w nor x nor the result: {error}"
    except Exception as error:  # a learner's function may raise anything: report it as a failure
        return float("inf"), f"{type(error).__name__}: {error}"
    (got,) = results
    if got.shape != expected.shape:
        return float("inf"), f"shape {list(got.shape)}, expected {list(expected.shape)}"
    difference = (got.double() - expected).abs()
    error = float(difference.max() / expected.abs().max())
    if not error <= TOLERANCES[torch.float32]:
        at = int(difference.nan_to_num(torch.inf).argmax())
        return error, f"element {at} is {float(got[at]):.6g}, expected {float(expected[at]):.6g}"
    return error, _over_budget(trace, f, k)


def _over_budget(trace: Trace, f: int, k: int) -> str | None:
    """The first count that is not that of the budget, as text."""
    loads = Counter(trace.touched("load", "w"))
    if set(loads.values()) != {1} or len(loads) != 2 * f * k:
        return f"right, but {loads.total()} weights are loaded; the budget: {2 * f * k}, each once"
    budget = k * len(trace.programs)
    loaded = len(trace.touched("load", "x"))
    if loaded > budget:
        return (
            f"right, but {loaded} elements of x are loaded; the budget: {budget}, "
            f"{k} by each of {len(trace.programs)} programs"
        )
    stored = len(trace.touched("store", "out"))
    if stored != f:
        return f"right, but {stored} elements are stored; the budget: {f}"
    return None
