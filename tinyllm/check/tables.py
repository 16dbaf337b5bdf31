"""One case table per operation: the sizes and strides at which implementations are checked against float64."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from tinyllm.check import references
from tinyllm.check.references import HeadNorms, NormWeights
from tinyllm.kernels.weights import DenseWeight

TOLERANCES = {torch.float32: 2e-5, torch.float16: 4e-3, torch.bfloat16: 3e-2}
EPS = 1e-5
ROWS = (1, 2, 3, 7, 16, 33, 64)
WIDTHS = (1, 5, 64, 80, 96, 128, 256, 576, 1000, 4096)
HEAD_DIMS = (64, 80, 96, 128, 256)


class Draw:
    """Reproducible random tensors of one format on one device."""

    def __init__(self, seed: int, dtype: torch.dtype, device: torch.device) -> None:
        self.generator = torch.Generator("cpu").manual_seed(seed)
        self.dtype = dtype
        self.device = device

    def __call__(self, *shape: int, scale: float = 1.0) -> Tensor:
        values = torch.randn(shape, generator=self.generator, dtype=torch.float32, device="cpu")
        return (scale * values).to(self.device, self.dtype)

    def integers(self, high: int, *shape: int) -> Tensor:
        """Numbers from 0 to below `high`."""
        return torch.randint(
            high, shape, generator=self.generator, dtype=torch.int32, device="cpu"
        ).to(self.device)

    def numbers(self, end: int, start: int = 0) -> Tensor:
        """start, start + 1, ... below `end`."""
        return torch.arange(start, end, dtype=torch.int64, device=self.device)

    def slopes(self, heads: int) -> Tensor:
        """ALiBi's of so many heads."""
        return 2.0 ** -self.numbers(heads + 1, start=1).float()

    def strided(self, rows: int, width: int) -> Tensor:
        """Rows that are not adjacent in memory: the first `width` columns of a wider matrix."""
        return self(rows, width + 3)[:, :width]


@dataclass(frozen=True)
class Case:
    """One row of a table: `make(draw)` gives the arguments."""

    title: str
    make: Callable[[Draw], dict[str, Any]]

    @property
    def arguments(self) -> frozenset[str]:
        """The names of the arguments."""
        return frozenset(self.make(Draw(0, torch.float32, torch.device("cpu"))))


@dataclass(frozen=True)
class Table:
    """An operation, its float64 reference, and its cases.

    `written` names the arguments that the operation writes in place; they are the last of its results, in this order.
    """

    name: str
    reference: Callable
    cases: tuple[Case, ...]
    written: tuple[str, ...] = ()


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


def _attention_cases() -> Iterator[Case]:
    for b, h, g, d, total in [
        (1, 4, 4, 64, 1),
        (2, 6, 2, 64, 33),
        (1, 16, 1, 80, 7),
        (3, 9, 3, 128, 100),
        (1, 8, 4, 256, 257),
    ]:
        title = f"b{b} h{h} g{g} d{d}, one token over {total}"
        yield Case(title, _attention_maker(b, h, g, d, 1, total, padded=False))
        yield Case(f"{title}, padded", _attention_maker(b, h, g, d, 1, total, padded=True))


def _attention_maker(b, h, g, d, t, total, padded) -> Callable[[Draw], dict]:
    def make(draw: Draw) -> dict:
        arguments = {"q": draw(b, h, t, d), "k": draw(b, g, total, d), "v": draw(b, g, total, d)}
        if padded:
            hidden = draw.numbers(total) < draw.numbers(b)[:, None] % total
            bias = torch.zeros(b, 1, 1, total, dtype=draw.dtype, device=draw.device)
            arguments["bias"] = bias.masked_fill(hidden[:, None, None], float("-inf"))
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


SEGMENTS = [  # b, h, g, w, d, tokens of the prompt, steps after it
    (1, 4, 4, 1, 64, 1, 0),
    (1, 4, 4, 1, 64, 1, 1),
    (2, 6, 2, 4, 64, 33, 5),
    (1, 8, 8, 1, 128, 100, 7),
    (1, 16, 1, 1, 80, 7, 3),
    (2, 4, 2, 3, 96, 40, 17),
    (1, 2, 1, 5, 256, 20, 2),
    (1, 2, 2, 64, 64, 9, 3),
    (1, 16, 1, 4, 64, 70, 0),
    (1, 3, 3, 16, 80, 17, 9),
    (3, 9, 3, 2, 64, 65, 1),
    (1, 1, 1, 7, 128, 129, 33),
]


def _segment_cases() -> Iterator[Case]:
    for sizes in SEGMENTS:
        b, h, g, w, d, t, steps = sizes
        title = f"b{b} h{h} g{g} w{w} d{d}, {t} + {steps} tokens"
        yield Case(title, _segment_maker(*sizes))
        if w > 1:
            yield Case(f"{title}, paths of their own", _segment_maker(*sizes, reordered=False))
        if b > 1:
            yield Case(f"{title}, padded", _segment_maker(*sizes, padded=True))
            yield Case(
                f"{title}, padded, ALiBi, another scale",
                _segment_maker(*sizes, True, True, scale=0.3),
            )
    yield Case("ALiBi", _segment_maker(1, 4, 2, 2, 64, 37, 6, alibi=True))
    yield Case("scores of hundreds", _segment_maker(1, 4, 2, 4, 64, 37, 6, size=40.0))
    yield Case("softcap", _segment_maker(1, 4, 2, 2, 64, 37, 6, softcap=2.0, size=3.0))
    yield Case(
        "softcap, then ALiBi",
        _segment_maker(1, 4, 2, 2, 64, 37, 6, alibi=True, softcap=2.0, size=3.0),
    )
    for window in (1, 4, 6, 20, 42, 43, 500):
        yield Case(f"window of {window}", _segment_maker(2, 4, 2, 3, 64, 37, 6, window=window))
    everything = {"padded": True, "softcap": 5.0, "window": 12, "scale": 0.2}
    yield Case(
        "padded, softcap, window, another scale",
        _segment_maker(3, 6, 2, 2, 80, 90, 5, **everything),
    )
    yield Case(
        "a window that begins deep in a long prompt",
        _segment_maker(1, 8, 2, 4, 128, 700, 9, window=130),
    )
    yield Case(
        "a window that the response fills", _segment_maker(1, 4, 1, 2, 64, 50, 80, window=33)
    )
    yield Case("no memory to spare", _segment_maker(2, 4, 2, 4, 64, 32, 8, spare=0))
    # The keys of a head begin at multiples of 64 bytes, its queries do not.
    yield Case("heads of 80, no memory to spare", _segment_maker(1, 3, 3, 2, 80, 16, 4, spare=0))
    yield Case(
        "grouped heads of 80, no memory to spare", _segment_maker(2, 6, 2, 2, 80, 16, 4, spare=0)
    )


def _segment_maker(
    b, h, g, w, d, t, steps, padded=False, alibi=False, reordered=True, size=1.0, spare=3, **more
) -> Callable[[Draw], dict]:
    """Memory beyond the lengths is NaN, and padding is large, so that an error shows if either is read."""

    def make(draw: Draw) -> dict:
        prompt, response = (
            [draw(b, g, length + spare, d) for _ in range(2)] for length in (t, steps * w)
        )
        for memory, length in ((prompt, t), (response, steps * w)):
            for x in memory:
                x[:, :, length:] = float("nan")
        arguments: dict[str, Any] = {"q": draw(b, w, h, d, scale=size).transpose(1, 2)}
        arguments |= dict(
            zip(
                ("prompt_k", "prompt_v", "response_k", "response_v"), prompt + response, strict=True
            )
        )
        arguments["lengths"] = torch.tensor([t, steps], dtype=torch.int32, device=draw.device)
        if w > 1 and reordered:
            arguments["beam_index"] = draw.integers(w, b, w, steps + spare)
        if padded:
            positions = draw.numbers(t + spare) - (7 * draw.numbers(b) % t)[:, None]
            for x in prompt:
                x.masked_fill_((positions < 0)[:, None, :, None], 99.0)
            arguments["prompt_positions"] = positions.int()
        if alibi:
            arguments["slopes"] = draw.slopes(h)
        return arguments | more

    return make


def _prefill_cases() -> Iterator[Case]:
    shapes = [
        (1, 4, 4, 5, 5, 64),
        (2, 6, 2, 33, 33, 64),
        (1, 3, 1, 1, 17, 80),
        (2, 4, 2, 7, 40, 128),
    ]
    for b, h, g, t, n, d in [*shapes, (1, 2, 1, 70, 70, 256), (1, 4, 2, 20, 20, 96)]:
        title = f"b{b} h{h} g{g} d{d}, {t} tokens of {n}"
        yield Case(title, _prefill_maker(b, h, g, t, n, d))
        yield Case(f"{title}, padded", _prefill_maker(b, h, g, t, n, d, padded=True))
    yield Case("ALiBi", _prefill_maker(1, 4, 2, 37, 37, 64, alibi=True))
    yield Case(
        "padded, ALiBi, another scale",
        _prefill_maker(2, 4, 2, 37, 50, 64, padded=True, alibi=True, scale=0.3),
    )
    yield Case("softcap", _prefill_maker(1, 4, 2, 37, 50, 64, softcap=2.0))
    yield Case("softcap, then ALiBi", _prefill_maker(1, 4, 2, 37, 50, 64, alibi=True, softcap=2.0))
    for window in (1, 9, 49, 50, 400):
        yield Case(f"window of {window}", _prefill_maker(2, 4, 2, 37, 50, 64, window=window))
    yield Case("a window within a long prompt", _prefill_maker(1, 2, 1, 200, 300, 64, window=70))
    everything = {"padded": True, "softcap": 5.0, "window": 12, "scale": 0.2}
    yield Case(
        "padded, softcap, window, another scale", _prefill_maker(2, 4, 2, 37, 50, 80, **everything)
    )


def _prefill_maker(b, h, g, t, n, d, padded=False, alibi=False, **more) -> Callable[[Draw], dict]:
    def make(draw: Draw) -> dict:
        arguments: dict[str, Any] = {
            "q": draw(b, t, h, d).transpose(1, 2),
            "k": draw(b, g, n, d),
            "v": draw(b, g, n, d),
        }
        if padded:
            padding = (3 + 4 * draw.numbers(b))[:, None] % n
            arguments["positions"] = (draw.numbers(n) - padding).int()
        if alibi:
            arguments["slopes"] = draw.slopes(h)
        return arguments | more

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
            (*_rope_cases(), *_rope_into_memory_cases(), *_rope_of_normed_cases()),
            ("k_slot", "v_slot"),
        ),
        Table(
            "activate_and_multiply",
            references.activate_and_multiply,
            tuple(_activation_cases(gated=True)),
        ),
        Table(
            "bias_and_activate", references.bias_and_activate, tuple(_activation_cases(gated=False))
        ),
        Table("linear", references.linear, tuple(_linear_cases())),
        Table("attention", references.attention, tuple(_attention_cases())),
        Table(
            "qkv_rope_and_store",
            references.qkv_rope_and_store,
            tuple(_qkv_cases()),
            ("k_slot", "v_slot"),
        ),
        Table("segment_attention", references.segment_attention, tuple(_segment_cases())),
        Table("prefill_attention", references.prefill_attention, tuple(_prefill_cases())),
    )
}
