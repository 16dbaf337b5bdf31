"""The cases of attention: one segment, the two of a decode step, and a prefill."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch

from tinyllm.check.cases import Case, Draw
from tinyllm.kernels.int8 import quantize
from tinyllm.kernels.kernel_set import KeyValueScales


def attention_cases() -> Iterator[Case]:
    """One token over one segment."""
    for b, h, g, d, total in [
        (1, 4, 4, 64, 1),
        (2, 6, 2, 64, 33),
        (1, 16, 1, 80, 7),
        (3, 9, 3, 128, 100),
        (1, 8, 4, 256, 257),
    ]:
        title = f"b{b} h{h} g{g} d{d}, one token over {total}"
        yield Case(title, attention_maker(b, h, g, d, 1, total, padded=False))
        yield Case(f"{title}, padded", attention_maker(b, h, g, d, 1, total, padded=True))


def attention_maker(b, h, g, d, t, total, padded) -> Callable[[Draw], dict]:
    """q [b, h, t, d], k and v [b, g, total, d]; `padded`: a bias [b, 1, 1, total]."""

    def make(draw: Draw) -> dict:
        arguments = {"q": draw(b, h, t, d), "k": draw(b, g, total, d), "v": draw(b, g, total, d)}
        if padded:
            hidden = draw.numbers(total) < draw.numbers(b)[:, None] % total
            bias = torch.zeros(b, 1, 1, total, dtype=draw.dtype, device=draw.device)
            arguments["bias"] = bias.masked_fill(hidden[:, None, None], float("-inf"))
        return arguments

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
    # More sequences than a 64-bit word of the beam mask has
    (1, 2, 1, 65, 64, 9, 3),
    (1, 4, 2, 96, 64, 5, 1),
    (1, 3, 1, 128, 64, 9, 1),
    (2, 1, 1, 200, 64, 7, 2),
    (1, 1, 1, 1024, 64, 3, 1),
]


def segment_cases() -> Iterator[Case]:
    """Sequences that share a prompt, over both segments."""
    for sizes in SEGMENTS:
        b, h, g, w, d, t, steps = sizes
        title = f"b{b} h{h} g{g} w{w} d{d}, {t} + {steps} tokens"
        yield Case(title, segment_maker(*sizes))
        if w > 1:
            yield Case(f"{title}, independent", segment_maker(*sizes, reordered=False))
        if b > 1:
            yield Case(f"{title}, padded", segment_maker(*sizes, padded=True))
            yield Case(
                f"{title}, padded, ALiBi, another scale",
                segment_maker(*sizes, True, True, scale=0.3),
            )
    yield Case("ALiBi", segment_maker(1, 4, 2, 2, 64, 37, 6, alibi=True))
    yield Case("scores of hundreds", segment_maker(1, 4, 2, 4, 64, 37, 6, size=40.0))
    yield Case("softcap", segment_maker(1, 4, 2, 2, 64, 37, 6, softcap=2.0, size=3.0))
    yield Case(
        "softcap, then ALiBi",
        segment_maker(1, 4, 2, 2, 64, 37, 6, alibi=True, softcap=2.0, size=3.0),
    )
    for window in (1, 4, 6, 20, 42, 43, 500):
        yield Case(f"window of {window}", segment_maker(2, 4, 2, 3, 64, 37, 6, window=window))
    everything = {"padded": True, "softcap": 5.0, "window": 12, "scale": 0.2}
    yield Case(
        "padded, softcap, window, another scale",
        segment_maker(3, 6, 2, 2, 80, 90, 5, **everything),
    )
    yield Case(
        "a window that begins deep in a long prompt",
        segment_maker(1, 8, 2, 4, 128, 700, 9, window=130),
    )
    yield Case("a window that the response fills", segment_maker(1, 4, 1, 2, 64, 50, 80, window=33))
    for reordered in (True, False):
        kind = "beams" if reordered else "samples"
        yield Case(
            f"70 {kind}, padded, ALiBi, window",
            segment_maker(2, 6, 2, 70, 64, 9, 6, True, True, reordered, window=4),
        )
    yield Case("no memory to spare", segment_maker(2, 4, 2, 4, 64, 32, 8, spare=0))
    # The keys of a head begin at multiples of 64 bytes, its queries do not.
    yield Case("heads of 80, no memory to spare", segment_maker(1, 3, 3, 2, 80, 16, 4, spare=0))
    yield Case(
        "grouped heads of 80, no memory to spare", segment_maker(2, 6, 2, 2, 80, 16, 4, spare=0)
    )
    for title, make in int8_makers():
        yield Case(f"int8, {title}", in_int8(make), int8=True)


def int8_makers() -> Iterator[tuple[str, Callable[[Draw], dict]]]:
    """Of all kinds of segments one case or two, for keys and values in int8."""
    yield "one token", segment_maker(1, 4, 4, 1, 64, 1, 0)
    yield "one step", segment_maker(1, 4, 4, 1, 64, 1, 1)
    for b, h, g, w, d, t, steps in [
        (2, 6, 2, 4, 64, 33, 5),
        (1, 16, 1, 1, 80, 7, 3),
        (2, 4, 2, 3, 96, 40, 17),
        (1, 2, 1, 5, 256, 20, 2),
        (1, 16, 1, 4, 64, 70, 0),
        (1, 1, 1, 7, 128, 129, 33),
        (1, 4, 2, 96, 64, 5, 1),
    ]:
        title = f"b{b} h{h} g{g} w{w} d{d}, {t} + {steps} tokens"
        yield title, segment_maker(b, h, g, w, d, t, steps)
        if w > 1:
            yield f"{title}, independent", segment_maker(b, h, g, w, d, t, steps, reordered=False)
    yield "padded, ALiBi", segment_maker(2, 6, 2, 4, 64, 33, 5, True, True, scale=0.3)
    yield "softcap", segment_maker(1, 4, 2, 2, 64, 37, 6, softcap=2.0, size=3.0)
    yield "large scores", segment_maker(1, 4, 2, 4, 64, 37, 6, size=4.0)
    yield "a window", segment_maker(2, 4, 2, 3, 64, 37, 6, window=20)
    yield "a window deep in a long prompt", segment_maker(1, 8, 2, 4, 128, 700, 9, window=130)
    yield "a window that the response fills", segment_maker(1, 4, 1, 2, 64, 50, 80, window=33)
    yield "no memory to spare", segment_maker(2, 4, 2, 4, 64, 32, 8, spare=0)
    yield "heads of 80, no memory to spare", segment_maker(1, 3, 3, 2, 80, 16, 4, spare=0)


def in_int8(make: Callable[[Draw], dict]) -> Callable[[Draw], dict]:
    """The same with keys and values in int8: where they are NaN, their scales are."""

    def make_in_int8(draw: Draw) -> dict:
        arguments = make(draw)
        scales = []
        for name in ("prompt_k", "prompt_v", "response_k", "response_v"):
            x = arguments[name].float()
            arguments[name], scale = quantize(x.nan_to_num(nan=99.0))
            scales.append(scale.masked_fill(x.isnan().any(dim=-1), float("nan")))
        return arguments | {"scales": KeyValueScales(*scales)}

    return make_in_int8


def segment_maker(
    b, h, g, w, d, t, steps, padded=False, alibi=False, reordered=True, size=1.0, spare=3, **more
) -> Callable[[Draw], dict]:
    """q [b, h, w, d], a prompt of t tokens [b, g, t + spare, d], a response of `steps` steps.

    Memory beyond the lengths is NaN, and padding is large, so that an error shows if either is read.
    """

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


def prefill_cases() -> Iterator[Case]:
    """Tokens of a prompt, over those before them."""
    shapes = [
        (1, 4, 4, 5, 5, 64),
        (2, 6, 2, 33, 33, 64),
        (1, 3, 1, 1, 17, 80),
        (2, 4, 2, 7, 40, 128),
    ]
    for b, h, g, t, n, d in [*shapes, (1, 2, 1, 70, 70, 256), (1, 4, 2, 20, 20, 96)]:
        title = f"b{b} h{h} g{g} d{d}, {t} tokens of {n}"
        yield Case(title, prefill_maker(b, h, g, t, n, d))
        yield Case(f"{title}, padded", prefill_maker(b, h, g, t, n, d, padded=True))
    yield Case("ALiBi", prefill_maker(1, 4, 2, 37, 37, 64, alibi=True))
    yield Case(
        "padded, ALiBi, another scale",
        prefill_maker(2, 4, 2, 37, 50, 64, padded=True, alibi=True, scale=0.3),
    )
    yield Case("softcap", prefill_maker(1, 4, 2, 37, 50, 64, softcap=2.0))
    yield Case("softcap, then ALiBi", prefill_maker(1, 4, 2, 37, 50, 64, alibi=True, softcap=2.0))
    for window in (1, 9, 49, 50, 400):
        yield Case(f"window of {window}", prefill_maker(2, 4, 2, 37, 50, 64, window=window))
    yield Case("a window within a long prompt", prefill_maker(1, 2, 1, 200, 300, 64, window=70))
    everything = {"padded": True, "softcap": 5.0, "window": 12, "scale": 0.2}
    yield Case(
        "padded, softcap, window, another scale", prefill_maker(2, 4, 2, 37, 50, 80, **everything)
    )


def prefill_maker(b, h, g, t, n, d, padded=False, alibi=False, **more) -> Callable[[Draw], dict]:
    """q [b, h, t, d], k and v [b, g, n, d]."""

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
