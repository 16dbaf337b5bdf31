"""Checks a format of blocks, one of ours or a reader's own: what it stores comes back, and is near what was packed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from tinyllm.check import Verdict
from tinyllm.kernels.weights import PackedRows

SHAPES = ((1, 256), (3, 512), (8, 768))


def check_format(
    name: str,
    pack: Callable[[Float[Tensor, "n k"]], PackedRows],
    *,
    most_bits: float,
    most_error: float,
) -> Verdict:
    """Pack matrices, and unpack them: shapes, bytes, rows alone, a second time, and the mean error.

    The error is relative to the mean magnitude of normal weights.
    """
    failures = [failure for shape in SHAPES for failure in _failures(pack, shape, most_bits)]
    errors = [_error(pack, shape) for shape in SHAPES] if not any(failures) else [float("inf")]
    worst = max(errors)
    failures.append(None if worst <= most_error else f"the mean error is {worst:.2f} of a weight")
    found = [failure for failure in failures if failure]
    passed = len(failures) - len(found)
    return Verdict(name, passed, len(failures), worst, found[0] if found else None)


def _failures(
    pack: Callable[[Tensor], PackedRows], shape: tuple[int, int], most_bits: float
) -> Iterator[str | None]:
    """What is wrong with the blocks of one matrix; None for each question whose answer is right."""
    weights = _normal_weights(shape)
    rows = pack(weights)
    yield _unless(tuple(rows.shape) == shape, f"{list(shape)} became {list(rows.shape)}")
    if tuple(rows.shape) != shape:
        return
    bits = 8 * rows.blocks.nbytes / weights.numel()
    yield _unless(bits <= most_bits, f"{bits:.2f} bits a weight, at most {most_bits}")
    values = rows.unpack()
    yield _unless(
        torch.equal(rows.arranged(planar=True).unpack(), values), "fields apart give other values"
    )
    last = rows.unpack(shape[0] - 1, shape[0])
    yield _unless(torch.equal(last, values[-1:]), "the last row alone has other values")
    again = pack(values).unpack()
    near = (again - values).abs().max() <= 1e-3 * values.abs().max()
    yield _unless(bool(near), "what was unpacked changes when it is packed again")


def _error(pack: Callable[[Tensor], PackedRows], shape: tuple[int, int]) -> float:
    weights = _normal_weights(shape)
    return float((pack(weights).unpack() - weights).abs().mean() / weights.abs().mean())


def _normal_weights(shape: tuple[int, int]) -> Tensor:
    """Normal weights; a row of zeros among several."""
    generator = torch.Generator("cpu").manual_seed(sum(shape))
    weights = torch.randn(shape, generator=generator, dtype=torch.float32, device="cpu")
    if len(weights) > 1:
        weights[1] = 0
    return weights


def _unless(right: bool, failure: str) -> str | None:
    return None if right else failure
