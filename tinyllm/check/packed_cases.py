"""Cases of packed weights: every block format, one row and several, and matrices whose parts differ in format."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch

from tinyllm.check.cases import Case, Draw
from tinyllm.check.references import NormWeights
from tinyllm.kernels.block_formats import FORMATS
from tinyllm.kernels.weights import PackedWeight

PACKED = [name for name, one in FORMATS.items() if one.elements > 1]
EPS = 1e-5
GROUP = 256  # a multiple of the weights of every block
PackedCase = partial(Case, packed=True)
Parts = tuple[tuple[str, int], ...]  # the format and the rows of each part


def packed_linear_cases() -> Iterator[Case]:
    """`linear`: prologue and epilogue with each format, and what parts add to them."""
    for name in PACKED:
        parts = ((name, 46),)
        yield PackedCase(
            f"packed {name}, 1 row, RMSNorm, gated silu, residual",
            _linear_maker(1, GROUP, parts, norm="rms", activation="silu", gated=True, residuals=1),
        )
        yield PackedCase(f"packed {name}, 5 rows, bias", _linear_maker(5, GROUP, parts, bias=True))
    mixed = (("Q4_K", 20), ("Q6_K", 12), ("Q8_0", 8))
    halves = (("Q4_0", 24), ("Q5_K", 24))
    for rows in (1, 16):
        title = f"packed, {rows} row{'s' if rows > 1 else ''}"
        yield PackedCase(
            f"{title}, several tiles of Q4_K", _linear_maker(rows, 9 * GROUP, mixed[:1])
        )
        yield PackedCase(
            f"{title}, parts, strided x, LayerNorm, bias, gelu, 2 residuals",
            _linear_maker(
                rows, GROUP, mixed,
                strided=True, norm="layer", bias=True, activation="gelu", residuals=2,
            ),
        )  # fmt: skip
        yield PackedCase(
            f"{title}, a gate across parts, bias, residual",
            _linear_maker(
                rows, GROUP, halves, bias=True, activation="silu", gated=True, residuals=1
            ),
        )
    yield PackedCase("packed Q4_1, 1 row of 32", _linear_maker(1, 32, (("Q4_1", 7),)))


def _linear_maker(
    rows: int,
    k: int,
    parts: Parts,
    *,
    bias: bool = False,
    norm: str | None = None,
    activation: str | None = None,
    gated: bool = False,
    residuals: int = 0,
    strided: bool = False,
) -> Callable[[Draw], dict[str, Any]]:
    def make(draw: Draw) -> dict[str, Any]:
        weight = packed_weight(draw, k, parts)
        n = weight.shape[0]
        x = draw.strided(rows, k) if strided else draw(rows, k)
        arguments: dict[str, Any] = {"x": x, "weight": weight}
        if bias:
            arguments["bias"] = draw(n)
        if norm:
            offset = draw(k) if norm == "layer" else None
            arguments["norm"] = NormWeights(1 + 0.1 * draw(k), offset, EPS)
        if activation:
            arguments |= {"activation": activation, "gated": gated}
        outputs = n // 2 if gated else n
        return arguments | {"residuals": tuple(draw(rows, outputs) for _ in range(residuals))}

    return make


def packed_qkv_cases() -> Iterator[Case]:
    """`qkv_rope_and_store`: one part, which is one launch, and parts, which are several."""
    for title, b, t, parts, interleaved in (
        ("packed Q4_K, 1 token", 1, 1, (("Q4_K", 384),), False),
        ("packed Q4_1, 2 x 3 tokens, interleaved", 2, 3, (("Q4_1", 384),), True),
        ("packed, parts, 1 token", 1, 1, (("Q4_K", 320), ("Q6_K", 64)), False),
    ):
        yield PackedCase(title, _qkv_maker(b, t, parts, interleaved))


def _qkv_maker(b: int, t: int, parts: Parts, interleaved: bool) -> Callable[[Draw], dict[str, Any]]:
    """Four heads of 64 for queries, one for keys and one for values."""

    def make(draw: Draw) -> dict[str, Any]:
        angles = draw(1, t, 32, scale=3.0).float()
        return {
            "x": draw(b, t, GROUP),
            "weight": packed_weight(draw, GROUP, parts),
            "bias": None,
            "norm": NormWeights(1 + 0.1 * draw(GROUP), None, EPS),
            "cos": angles.cos(),
            "sin": angles.sin(),
            "k_slot": draw(b, 1, t + 6, 64),
            "v_slot": draw(b, 1, t + 6, 64),
            "interleaved": interleaved,
            "start": torch.tensor(5, dtype=torch.int32, device=draw.device),
        }

    return make


def unpack_cases() -> Iterator[Case]:
    """`unpack`: rows within a matrix, in each format, of one tile and of several."""
    for name in PACKED:
        k = 5 * GROUP if name == "Q6_K" else GROUP
        yield PackedCase(f"{name}, rows 3 to 40 of 41 x {k}", _unpack_maker(name, 41, k, 3, 40))


def _unpack_maker(
    name: str, n: int, k: int, first: int, last: int
) -> Callable[[Draw], dict[str, Any]]:
    def make(draw: Draw) -> dict[str, Any]:
        rows = draw.packed(FORMATS[name], n, k)
        return {"rows": rows, "first": first, "last": last, "dtype": draw.dtype}

    return make


def packed_weight(draw: Draw, k: int, parts: Parts) -> PackedWeight:
    """A matrix of parts, each a format and a number of rows."""
    return PackedWeight(tuple(draw.packed(FORMATS[name], n, k) for name, n in parts), draw.dtype)
