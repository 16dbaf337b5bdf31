"""One case table per operation: the sizes and strides at which implementations are checked against float64."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch

from tinyllm.check import references
from tinyllm.check.attention_cases import attention_cases, prefill_cases, segment_cases
from tinyllm.check.cases import Case, Draw
from tinyllm.check.packed_cases import packed_linear_cases, packed_qkv_cases, unpack_cases
from tinyllm.check.references import HeadNorms, NormWeights
from tinyllm.kernels.weights import DenseWeight

TOLERANCES = {torch.float32: 2e-5, torch.float16: 4e-3, torch.bfloat16: 3e-2}
# The share of int8 codes that may be the neighbour of float64's: what was rounded before lies between two elsewhere. A
# wrong way of rounding gives half of them.
UNEQUAL_CODES = {torch.float32: 0.01, torch.float16: 0.05, torch.bfloat16: 0.2}
EPS = 1e-5
ROWS = (1, 2, 3, 7, 16, 33, 64)
WIDTHS = (1, 5, 64, 80, 96, 128, 256, 576, 1000, 4096)
HEAD_DIMS = (64, 80, 96, 128, 256)


@dataclass(frozen=True)
class Table:
    """An operation, its float64 reference, and its cases.

    `written` names the arguments that the operation writes in place; they are the last of the reference's results, in
    this order. `unreturned`: the last of them, which an implementation does not return.
    """

    name: str
    reference: Callable
    cases: tuple[Case, ...]
    written: tuple[str, ...] = ()
    unreturned: tuple[str, ...] = ()


def _norm_cases(bias: bool) -> Iterator[Case]:
    sizes = [(rows, 576) for rows in ROWS] + [(3, width) for width in WIDTHS]
    for rows, m in sizes:
        for strided in (False, True) if (rows, m) == (7, 576) else (False,):
            yield Case(
                f"{rows} x {m}{' strided' if strided else ''}",
                _norm_maker(rows, m, bias, False, strided),
            )
    yield Case(
        "3 x 576, so small that epsilon counts", _norm_maker(3, 576, bias, False, False, scale=3e-3)
    )


def _norm_maker(
    rows: int, m: int, bias: bool, add: bool, strided: bool, scale: float = 1.0
) -> Callable[[Draw], dict]:
    def make(draw: Draw) -> dict:
        x = draw.strided(rows, m) if strided else draw(rows, m, scale=scale)
        arguments = {"x": x, "weight": draw(m), "eps": EPS}
        arguments |= {"bias": draw(m)} if bias else {}
        return arguments | ({"residual": draw(rows, m, scale=scale)} if add else {})

    return make


def _norm_and_add_cases() -> Iterator[Case]:
    for rows, m, strided in [(1, 576, False), (7, 576, True), (33, 80, False), (3, 4096, False)]:
        make = _norm_maker(rows, m, bias=False, add=True, strided=strided)
        yield Case(f"{rows} x {m}{' strided' if strided else ''}", make)
    small = _norm_maker(3, 576, bias=False, add=True, strided=False, scale=3e-3)
    yield Case("3 x 576, so small that epsilon counts", small)


def _rope_cases() -> Iterator[Case]:
    shapes = (
        [(2, 6, 2, t, 64) for t in (1, 5)]
        + [(1, 4, 4, 3, d) for d in HEAD_DIMS]
        + [(3, 16, 1, 2, 64)]
    )
    for b, h, g, t, d in shapes:
        for interleaved in (False, True):
            for rotated in (d, d // 2):
                for shared in (True, False) if t > 1 else (True,):
                    layout = "interleaved" if interleaved else "half-split"
                    owner = "shared" if shared else "own"
                    title = (
                        f"b{b} h{h} g{g} t{t} d{d}, {rotated} rotated, {layout}, {owner} positions"
                    )
                    yield Case(title, _rope_maker(b, h, g, t, d, rotated, interleaved, shared))


def _rope_maker(b, h, g, t, d, rotated, interleaved, shared, scale=1.0) -> Callable[[Draw], dict]:
    def make(draw: Draw) -> dict:
        merged = draw(b, t, (h + 2 * g) * d, scale=scale).unflatten(-1, (-1, d)).transpose(1, 2)
        q, k, v = merged.split([h, g, g], dim=1)
        angles = draw(1 if shared else b, t, rotated // 2, scale=3.0).float()
        k_cache, v_cache = (draw(b, g, t + 4, d).fill_(float("nan")) for _ in range(2))
        slots = {"k_slot": k_cache[:, :, 2 : 2 + t], "v_slot": v_cache[:, :, 2 : 2 + t]}
        tables = {"cos": angles.cos(), "sin": angles.sin()}
        return {"q": q, "k": k, "v": v, **tables, **slots, "interleaved": interleaved}

    return make


def _rope_into_memory_cases() -> Iterator[Case]:
    for b, h, g, t, d, start in [(2, 6, 2, 4, 64, 8), (1, 3, 3, 1, 80, 5), (3, 4, 1, 3, 128, 0)]:
        yield Case(
            f"b{b} h{h} g{g} t{t} d{d}, from slot {start} of 13",
            _rope_into_memory_maker(b, h, g, t, d, start),
        )


def _rope_of_normed_cases() -> Iterator[Case]:
    for b, h, g, t, d, rotated in [
        (2, 6, 2, 5, 64, 64),
        (1, 4, 1, 1, 256, 256),
        (3, 3, 3, 2, 80, 40),
        (1, 8, 2, 3, 128, 128),
    ]:
        for interleaved in (False, True):
            title = f"b{b} h{h} g{g} t{t} d{d}, {rotated} rotated{', interleaved' * interleaved}, heads normalised"
            yield Case(title, _rope_of_normed_maker(b, h, g, t, d, rotated, interleaved))
    yield Case(
        "heads so small that epsilon counts",
        _rope_of_normed_maker(1, 4, 2, 3, 64, 64, False, scale=3e-3),
    )


def _rope_of_normed_maker(b, h, g, t, d, rotated, interleaved, scale=1.0) -> Callable[[Draw], dict]:
    def make(draw: Draw) -> dict:
        arguments = _rope_maker(b, h, g, t, d, rotated, interleaved, True, scale)(draw)
        return arguments | {"norms": HeadNorms(1 + 0.3 * draw(d), 1 + 0.3 * draw(d), EPS)}

    return make


def _rope_into_memory_maker(b, h, g, t, d, start) -> Callable[[Draw], dict]:
    def make(draw: Draw) -> dict:
        arguments = _rope_maker(b, h, g, t, d, d, False, False)(draw)
        arguments |= {"k_slot": draw(b, g, 13, d), "v_slot": draw(b, g, 13, d)}
        return arguments | {"start": torch.tensor(start, dtype=torch.int32, device=draw.device)}

    return make


def _rope_int8_cases() -> Iterator[Case]:
    """Keys and values that are rounded while they are stored."""
    for title, make in _rope_int8_makers():
        yield Case(f"int8, {title}", _in_int8(make), int8=True)


def _rope_int8_makers() -> Iterator[tuple[str, Callable[[Draw], dict]]]:
    for b, h, g, t, d, start in [(2, 6, 2, 4, 64, 8), (1, 3, 3, 1, 80, 5), (3, 4, 1, 3, 128, 0)]:
        title = f"b{b} h{h} g{g} t{t} d{d}, from slot {start} of 13"
        yield title, _rope_into_memory_maker(b, h, g, t, d, start)
    for t, d, interleaved in [(5, 64, False), (1, 96, True), (130, 64, False)]:
        title = f"b2 h6 g2 t{t} d{d}, half of the elements rotated{', interleaved' * interleaved}"
        yield title, _rope_maker(2, 6, 2, t, d, d // 2, interleaved, False)
    yield "heads normalised", _rope_of_normed_maker(1, 8, 2, 3, 128, 128, False)
    yield "rows of zeros", _rope_maker(1, 4, 2, 3, 64, 64, False, True, scale=0.0)


def _in_int8(make: Callable[[Draw], dict]) -> Callable[[Draw], dict]:
    """The same with int8 memory, a few slots longer where the case has as many as tokens."""

    def make_in_int8(draw: Draw) -> dict:
        arguments = make(draw)
        for name in ("k", "v"):
            b, g, n, d = arguments[f"{name}_slot"].shape
            memory = draw.integers(255, b, g, n + 4, d).sub(127).to(torch.int8)
            scale = draw(b, g, n + 4).float()
            arguments[f"{name}_slot"] = memory[:, :, 2 : 2 + n]
            arguments[f"{name}_scale"] = scale[:, :, 2 : 2 + n]
        return arguments

    return make_in_int8


def _activation_cases(gated: bool) -> Iterator[Case]:
    for rows, f in [(rows, 1536) for rows in (1, 3, 64)] + [(2, f) for f in (1, 7, 255, 1000)]:
        for name in references.ACTIVATIONS:
            title = f"{rows} x {f} {name}"
            if gated:
                yield Case(
                    title,
                    lambda draw, r=rows, n=f, a=name: {"gate_up": draw(r, 2 * n), "activation": a},
                )
            else:
                yield Case(
                    title,
                    lambda draw, r=rows, n=f, a=name: {
                        "x": draw(r, n),
                        "bias": draw(n),
                        "activation": a,
                    },
                )


def _linear_cases() -> Iterator[Case]:
    plain = [(rows, 576, 192) for rows in (1, 2, 3, 4, 5, 8, 16)] + [
        (1, 64, 7),
        (2, 1000, 33),
        (1, 1536, 576),
        (3, 5, 3),
    ]
    for rows, k, n in plain:
        yield Case(f"{rows} x {k} -> {n}", _linear_maker(rows, k, n))
    for rows in (1, 4):
        yield Case(f"{rows} rows, bias", _linear_maker(rows, 96, 40, bias=True))
        for residuals in (1, 2):
            yield Case(
                f"{rows} rows, bias, {residuals} residuals",
                _linear_maker(rows, 96, 40, True, residuals=residuals),
            )
        yield Case(f"{rows} rows, RMSNorm", _linear_maker(rows, 576, 40, norm="rms"))
        yield Case(f"{rows} rows, RMSNorm, bias", _linear_maker(rows, 96, 40, True, norm="rms"))
        yield Case(
            f"{rows} rows, LayerNorm, bias", _linear_maker(rows, 576, 40, True, norm="layer")
        )
        for name in references.ACTIVATIONS:
            yield Case(
                f"{rows} rows, bias, {name}", _linear_maker(rows, 96, 40, True, activation=name)
            )
            yield Case(
                f"{rows} rows, RMSNorm, gated {name}",
                _linear_maker(rows, 96, 46, norm="rms", activation=name, gated=True),
            )
        yield Case(
            f"{rows} rows, RMSNorm of x so small that epsilon counts",
            _linear_maker(rows, 96, 40, norm="rms", scale=3e-3),
        )
        everything = _linear_maker(
            rows, 100, 46, True, "layer", "silu", gated=True, residuals=2, strided=True
        )
        yield Case(f"{rows} strided rows, LayerNorm, bias, gated silu, 2 residuals", everything)


def _linear_maker(
    rows,
    k,
    n,
    bias=False,
    norm=None,
    activation=None,
    gated=False,
    residuals=0,
    strided=False,
    scale=1.0,
) -> Callable[[Draw], dict]:
    def make(draw: Draw) -> dict:
        lines = draw.strided(rows, k) if strided else draw(rows, k, scale=scale)
        arguments: dict[str, Any] = {"x": lines, "weight": DenseWeight(draw(n, k, scale=k**-0.5))}
        if bias:
            arguments["bias"] = draw(n)
        if norm:
            arguments["norm"] = NormWeights(
                1 + 0.1 * draw(k), draw(k) if norm == "layer" else None, EPS
            )
        if activation:
            arguments |= {"activation": activation, "gated": gated}
        if residuals:
            outputs = n // 2 if gated else n
            arguments["residuals"] = tuple(draw(rows, outputs) for _ in range(residuals))
        return arguments

    return make


def _qkv_cases() -> Iterator[Case]:
    for b, t, h, g, d, m in [
        (1, 1, 4, 2, 64, 96),
        (1, 4, 3, 1, 80, 100),
        (3, 5, 2, 2, 16, 64),
        (2, 1, 9, 3, 64, 576),
    ]:
        for norm, bias in ((None, False), ("rms", False), ("layer", True)):
            for interleaved, rotated in ((False, d), (True, d // 2), (False, d // 2)):
                title = f"b{b} t{t} h{h} g{g} d{d}, {rotated} rotated{', interleaved' * interleaved}, norm {norm}"
                yield Case(title, _qkv_maker(b, t, h, g, d, m, norm, bias, interleaved, rotated))
    for b, t, h, d, m in [(1, 1, 4, 64, 96), (2, 3, 3, 80, 100)]:
        make = _qkv_maker(b, t, h, h, d, m, "layer", True, False, d // 2, per_head=True)
        yield Case(f"b{b} t{t} h{h} d{d}, head by head", make)


def _qkv_maker(
    b, t, h, g, d, m, norm, bias, interleaved, rotated, **more
) -> Callable[[Draw], dict]:
    def make(draw: Draw) -> dict:
        n = (h + 2 * g) * d
        projection = _linear_maker(b * t, m, n, bias, norm)(draw)
        memory = {"k_slot": draw(b, g, t + 6, d), "v_slot": draw(b, g, t + 6, d)}
        angles = draw(1 if t > 1 else b, t, rotated // 2, scale=3.0).float()
        return {
            "x": projection["x"].view(b, t, m), "weight": projection["weight"], "bias": projection.get("bias"),
            "norm": projection.get("norm"), "cos": angles.cos(), "sin": angles.sin(), **memory,
            "interleaved": interleaved, "start": torch.tensor(5, dtype=torch.int32, device=draw.device),
            **more,
        }  # fmt: skip

    return make


TABLES = {
    table.name: table
    for table in (
        Table("rms_norm", references.rms_norm, tuple(_norm_cases(bias=False))),
        Table("norm_and_add", references.norm_and_add, tuple(_norm_and_add_cases())),
        Table("layer_norm", references.layer_norm, tuple(_norm_cases(bias=True))),
        Table(
            "rope_and_store",
            references.rope_and_store,
            (
                *_rope_cases(),
                *_rope_into_memory_cases(),
                *_rope_of_normed_cases(),
                *_rope_int8_cases(),
            ),
            ("k_slot", "v_slot", "k_scale", "v_scale"),
            unreturned=("k_scale", "v_scale"),
        ),
        Table(
            "activate_and_multiply",
            references.activate_and_multiply,
            tuple(_activation_cases(gated=True)),
        ),
        Table(
            "bias_and_activate", references.bias_and_activate, tuple(_activation_cases(gated=False))
        ),
        Table("linear", references.linear, (*_linear_cases(), *packed_linear_cases())),
        Table("unpack", references.unpack, tuple(unpack_cases())),
        Table("attention", references.attention, tuple(attention_cases())),
        Table(
            "qkv_rope_and_store",
            references.qkv_rope_and_store,
            (*_qkv_cases(), *packed_qkv_cases()),
            ("k_slot", "v_slot"),
        ),
        Table("segment_attention", references.segment_attention, tuple(segment_cases())),
        Table("prefill_attention", references.prefill_attention, tuple(prefill_cases())),
    )
}
