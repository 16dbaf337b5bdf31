"""Checks implementations against float64, over the case tables of tests, exercises and `python -m tinyllm check`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from tinyllm.check.cases import Case, Draw, complete_runs, sampled_runs
from tinyllm.check.references import HeadNorms, NormWeights
from tinyllm.check.tables import TABLES, TOLERANCES, UNEQUAL_CODES, Table
from tinyllm.check.verdicts import Verdict, difference, verdict
from tinyllm.kernels.kernel_set import KeyValueScales
from tinyllm.kernels.weights import DenseWeight, PackedRows, PackedWeight

__all__ = ["TABLES", "Verdict", "check", "run_case", "verdict"]


def check(
    operation: str,
    function: Callable,
    *,
    dtypes: Iterable[torch.dtype] = (torch.float32,),
    device: str | torch.device = "cpu",
    without: Collection[str] = (),
    packed: bool = True,
    int8: bool = False,
    every: int = 1,
    sample: bool = False,
) -> Verdict:
    """Run `function` through the case table of `operation` against float64.

    `function` has the arguments of the function of that name in `tinyllm.check.references`. Cases with an argument in
    `without` are left out, with `packed=False` those whose weight is in blocks, and unless `int8=True` those whose keys
    and values are int8; of the others, every `every`-th runs, or with `sample=True` those of `cases.sampled_runs`.
    Raises ValueError for an operation without a table.
    """
    if operation not in TABLES:
        raise ValueError(f"operation {operation!r} has no table: expected one of {list(TABLES)}")
    table, right, worst, failure = TABLES[operation], [], 0.0, None
    cases = [
        case for case in table.cases if (packed or not case.packed) and (int8 or not case.int8)
    ]
    cases = [case for case in cases if not without or case.arguments.isdisjoint(without)][::every]
    runs_of = sampled_runs if sample else complete_runs
    runs = runs_of(cases, tuple(dtypes))
    for case, dtype in runs:
        error, wrong = run_case(table, case, function, dtype, torch.device(device))
        worst = max(worst, error)
        title = f"{case.title}, {str(dtype).removeprefix('torch.')}"
        right += [title] if wrong is None else []
        failure = failure or (wrong and f"{title}: {wrong}")
    return Verdict(operation, len(right), len(runs), worst, failure, tuple(right))


def run_case(
    table: Table, case: Case, function: Callable, dtype: torch.dtype, device: torch.device
) -> tuple[float, str | None]:
    """The largest error of one case, relative to the scale of the result, and the failure as text, or None."""
    arguments = case.make(Draw(0, dtype, device))
    before = _widen(arguments)
    expected = _tensors(table.reference(**before))
    try:
        got = _tensors(function(**arguments))
    except Exception as error:  # a learner's function may raise anything: report it as a failure
        return float("inf"), f"{type(error).__name__}: {error}"
    written = [name for name in table.written if name in arguments]
    in_place = [arguments[name] for name in written]
    pairs = [*zip(in_place, expected[len(expected) - len(written) :], strict=True)]
    unreturned = sum(name in table.unreturned for name in written)
    pairs += zip(got, expected[: len(expected) - unreturned], strict=True)
    worst = 0.0
    for mine, right in pairs:
        if mine.shape != right.shape:
            return float("inf"), f"shape {list(mine.shape)}, expected {list(right.shape)}"
        if right.dtype == torch.int8:
            error, wrong = 0.0, _unequal_codes(mine, right, UNEQUAL_CODES[dtype])
        else:
            error, wrong = difference(mine, right, TOLERANCES[dtype])
        worst = max(worst, error)
        if wrong:
            return worst, wrong
    kept = {name: x for name, x in before.items() if name not in table.written}
    overwritten = _overwritten(kept, _widen(arguments))
    return worst, f"the argument {overwritten} was overwritten" if overwritten else None


def _overwritten(before: dict[str, Any], after: dict[str, Any]) -> str | None:
    """The first tensor among the arguments that changed."""
    for name, value in before.items():
        both = zip(tree_leaves(value), tree_leaves(after[name]), strict=True)
        tensors = [(x.nan_to_num(), y.nan_to_num()) for x, y in both if isinstance(x, Tensor)]
        if not all(torch.equal(x, y) for x, y in tensors):
            return name
    return None


def _unequal_codes(got: Tensor, expected: Tensor, share: float) -> str | None:
    """Of numbers rounded to int8, the failure as text: those near the middle of two codes may become either."""
    distance = (got.int().to(expected.device) - expected.int()).abs()
    unequal = (distance > 0).double().mean().item()
    if got.dtype == torch.int8 and distance.max() <= 2 and unequal <= share:
        return None
    return f"{unequal:.1%} of the codes, {got.dtype}, differ, by up to {distance.max()}: expected {share:.1%}, by 2"


def _widen(value: Any) -> Any:
    """The arguments in float64, on the CPU."""
    if isinstance(value, Tensor):
        return value.cpu().to(
            torch.float64 if value.is_floating_point() else value.dtype, copy=True
        )
    if isinstance(value, dict):
        return {key: _widen(inner) for key, inner in value.items()}
    if isinstance(value, DenseWeight):
        return DenseWeight(_widen(value.data))
    if isinstance(value, PackedWeight):
        return DenseWeight(value.unpack().cpu().double())
    if isinstance(value, PackedRows):
        return value._replace(blocks=value.blocks.cpu().clone())
    if isinstance(value, NormWeights | HeadNorms | KeyValueScales):
        return type(value)(*map(_widen, value))
    if isinstance(value, tuple):
        return tuple(map(_widen, value))
    return value


def _tensors(result: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return result if isinstance(result, tuple) else (result,)
