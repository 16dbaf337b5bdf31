"""Online softmax, watched: attention that takes its keys tile by tile, and what it keeps from one tile to the next.

Written in plain torch and for clarity (notebook 09); the case table of attention holds it to the same results as every
kernel.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

SHOWN = 4  # elements of an accumulator that are told in words


class State(NamedTuple):
    """All that one pass keeps of the keys so far, for each row of queries.

    The largest score; the sum of e^(score - maximum); and the sum of the values, each times its e^(score - maximum).
    """

    maximum: Float[Tensor, "*rows"]
    denominator: Float[Tensor, "*rows"]
    accumulator: Float[Tensor, "*rows d"]

    @property
    def out(self) -> Float[Tensor, "*rows d"]:
        """Attention over the keys so far."""
        return self.accumulator / self.denominator[..., None]

    @property
    def log_sum(self) -> Float[Tensor, "*rows"]:
        """The logarithm of the sum of e^score."""
        return self.maximum + self.denominator.log()


class Step(NamedTuple):
    """One tile of keys taken in: its scores, and the state with it.

    `rescale` is what the sums so far were multiplied by, `weights` are e^(score - maximum) of the tile.
    """

    scores: Float[Tensor, "*rows n"]
    rescale: Float[Tensor, "*rows"]
    weights: Float[Tensor, "*rows n"]
    state: State


def nothing(q: Float[Tensor, "*rows d"]) -> State:
    """The state before the first key, in float32 or wider."""
    wide = torch.promote_types(q.dtype, torch.float32)
    sums = torch.zeros(q.shape, dtype=wide, device=q.device)
    return State(torch.full_like(sums[..., 0], float("-inf")), sums[..., 0], sums)


def absorb(state: State, scores: Float[Tensor, "*rows n"], v: Float[Tensor, "*heads n d"]) -> Step:
    """Take in a tile of keys: rescale what is there to the new maximum, and add."""
    maximum = torch.maximum(state.maximum, scores.amax(dim=-1))
    rescale = (state.maximum - _finite(maximum)).exp()
    weights = (scores - _finite(maximum)[..., None]).exp()
    denominator = state.denominator * rescale + weights.sum(dim=-1)
    accumulator = state.accumulator * rescale[..., None] + weights @ v
    return Step(scores, rescale, weights, State(maximum, denominator, accumulator))


def merge(a: State, b: State) -> State:
    """The state with the keys of both: exact, whatever the order. `nothing` changes nothing."""
    maximum = torch.maximum(a.maximum, b.maximum)
    of_a, of_b = ((part.maximum - _finite(maximum)).exp() for part in (a, b))
    denominator = a.denominator * of_a + b.denominator * of_b
    return State(
        maximum, denominator, a.accumulator * of_a[..., None] + b.accumulator * of_b[..., None]
    )


def _finite(maximum: Tensor) -> Tensor:
    """Where no key is visible the maximum is minus infinity, and infinity less infinity is no number."""
    return maximum.clamp(min=torch.finfo(maximum.dtype).min)


def softmax_steps(
    q: Float[Tensor, "*heads rows d"],
    k: Float[Tensor, "*heads n d"],
    v: Float[Tensor, "*heads n d"],
    bias: Float[Tensor, "*#heads #rows n"] | None = None,
    tile: int = 16,
) -> Iterator[Step]:
    """One pass over keys and values, `tile` of them at a time; each is read once, by all rows together."""
    state, scale = nothing(q), q.shape[-1] ** -0.5
    for start in range(0, k.shape[-2], tile):
        part = slice(start, start + tile)
        k_tile, v_tile = (x[..., part, :].to(state.maximum.dtype) for x in (k, v))
        scores = q.to(k_tile.dtype) @ k_tile.mT * scale
        step = absorb(state, scores if bias is None else scores + bias[..., part], v_tile)
        state = step.state
        yield step


def tiled_attention(
    q: Float[Tensor, "b h t d"],
    k: Float[Tensor, "b g n d"],
    v: Float[Tensor, "b g n d"],
    bias: Float[Tensor, "#b 1 t n"] | None = None,
    tile: int = 16,
) -> Float[Tensor, "b t heads"]:
    """Softmax(q k^T / sqrt(d) + bias) v, tile by tile, the heads laid side by side.

    All query heads that share a key/value head, with all their tokens, are the rows that read it together.
    """
    (b, h, t, d), g = q.shape, k.shape[1]
    biases = None if bias is None else bias.repeat(1, 1, h // g, 1)
    *_, last = softmax_steps(q.reshape(b, g, -1, d), k, v, biases, tile)
    return last.state.out.to(q.dtype).view(b, h, t, d).transpose(1, 2).flatten(-2)


@dataclass(frozen=True)
class SoftmaxTrace:
    """One query over its keys, step by step; `keys` are their names, those of their tokens for instance."""

    keys: tuple[str, ...]
    tile: int
    steps: tuple[Step, ...]


def trace_softmax(
    q: Float[Tensor, " d"],
    k: Float[Tensor, "n d"],
    v: Float[Tensor, "n d"],
    tile: int = 4,
    keys: Sequence[str] | None = None,
) -> SoftmaxTrace:
    """Record one query's pass over its keys. Raises ValueError where there are more or fewer names than keys."""
    names = tuple(map(str, range(len(k))) if keys is None else keys)
    if len(names) != len(k):
        raise ValueError(f"{len(names)} names for {len(k)} keys: expected one for each")
    return SoftmaxTrace(names, tile, tuple(softmax_steps(q[None], k, v, tile=tile)))


def before(trace: SoftmaxTrace, number: int) -> State:
    """The state that a step finds."""
    return trace.steps[number - 1].state if number else nothing(trace.steps[0].state.accumulator)


def span(trace: SoftmaxTrace, number: int) -> range:
    """The keys that a step takes in, by their numbers."""
    start = number * trace.tile
    return range(start, start + trace.steps[number].scores.shape[-1])


def as_text(trace: SoftmaxTrace, number: int) -> str:
    """One step in words: its scores, and each part of the state, what it was and what it became."""
    step, found, keys = trace.steps[number], before(trace, number), span(trace, number)
    scores = zip(keys, step.scores[0].tolist(), strict=True)
    rescale, added = float(step.rescale), float(step.weights.sum())
    old, new = (tuple(x.tolist()[0] for x in state) for state in (found, step.state))
    told = (
        f"tile {number}: "
        + " ".join(f"{trace.keys[i].strip()!r} {score:.2f}" for i, score in scores),
        f"maximum      {old[0]:.2f} -> {new[0]:.2f}, so the sums are multiplied by {rescale:.3f}",
        f"denominator  {old[1]:.3f} * {rescale:.3f} + {added:.3f} = {new[1]:.3f}",
        f"accumulator  {_numbers(old[2])} -> {_numbers(new[2])}",
        f"attention over {keys.stop} keys: {_numbers(step.state.out[0].tolist())}",
    )
    return "\n".join(told)


def _numbers(values: Sequence[float]) -> str:
    shown = " ".join(f"{value:.3f}" for value in values[:SHOWN])
    return f"[{shown} ...]" if len(values) > SHOWN else f"[{shown}]"
