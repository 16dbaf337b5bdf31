"""Online softmax, recorded step by step: attention over tiles of keys, and its state from one tile to the next.

Plain torch, written for clarity (notebook 10), and tested with the case table of every attention kernel.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

SHOWN = 4  # elements of an accumulator in a text


class State(NamedTuple):
    """The state of one pass over the keys, for each row of queries.

    The largest score; the sum of e^(score - maximum); and the sum of the values, weighted by e^(score - maximum).
    """

    maximum: Float[Tensor, "*rows"]
    denominator: Float[Tensor, "*rows"]
    accumulator: Float[Tensor, "*rows d"]

    @property
    def out(self) -> Float[Tensor, "*rows d"]:
        """Attention over the keys so far."""
        return self.accumulator / self.denominator[..., None]

    @property
    def lse(self) -> Float[Tensor, "*rows"]:
        """Log-sum-exp: the logarithm of the sum of e^score."""
        return self.maximum + self.denominator.log()


class Step(NamedTuple):
    """The step of one tile of keys: its scores, and the state after it.

    `rescale` is the factor of the sums so far; `weights` are e^(score - maximum) of the tile.
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
    """Add a tile of keys: rescale the state to the new maximum, then add the tile's sums."""
    maximum = torch.maximum(state.maximum, scores.amax(dim=-1))
    rescale = (state.maximum - _finite(maximum)).exp()
    weights = (scores - _finite(maximum)[..., None]).exp()
    denominator = state.denominator * rescale + weights.sum(dim=-1)
    accumulator = state.accumulator * rescale[..., None] + weights @ v
    return Step(scores, rescale, weights, State(maximum, denominator, accumulator))


def merge(a: State, b: State) -> State:
    """The state of the keys of both, exact in any order; merging with `nothing` returns the other state."""
    maximum = torch.maximum(a.maximum, b.maximum)
    of_a, of_b = ((part.maximum - _finite(maximum)).exp() for part in (a, b))
    denominator = a.denominator * of_a + b.denominator * of_b
    return State(
        maximum, denominator, a.accumulator * of_a[..., None] + b.accumulator * of_b[..., None]
    )


def _finite(maximum: Tensor) -> Tensor:
    """The maximum, made finite: where no key is visible it is minus infinity, and -inf - (-inf) is NaN."""
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

    All tokens of all query heads that share a key/value head are the rows of one matmul.
    """
    (b, h, t, d), g = q.shape, k.shape[1]
    biases = None if bias is None else bias.repeat(1, 1, h // g, 1)
    *_, last = softmax_steps(q.reshape(b, g, -1, d), k, v, biases, tile)
    return last.state.out.to(q.dtype).view(b, h, t, d).transpose(1, 2).flatten(-2)


@dataclass(frozen=True)
class SoftmaxTrace:
    """The steps of one query over its keys; `keys` are names, for example their tokens."""

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
    """Record one query's pass over its keys. Raises ValueError unless there is one name per key."""
    names = tuple(map(str, range(len(k))) if keys is None else keys)
    if len(names) != len(k):
        raise ValueError(f"{len(names)} names for {len(k)} keys: expected one for each")
    return SoftmaxTrace(names, tile, tuple(softmax_steps(q[None], k, v, tile=tile)))


def before(trace: SoftmaxTrace, number: int) -> State:
    """The state before a step."""
    return trace.steps[number - 1].state if number else nothing(trace.steps[0].state.accumulator)


def span(trace: SoftmaxTrace, number: int) -> range:
    """The indices of the keys of a step."""
    start = number * trace.tile
    return range(start, start + trace.steps[number].scores.shape[-1])


def as_text(trace: SoftmaxTrace, number: int) -> str:
    """One step as text: its scores, and each part of the state before and after it."""
    step, found, keys = trace.steps[number], before(trace, number), span(trace, number)
    scores = zip(keys, step.scores[0].tolist(), strict=True)
    rescale, added = float(step.rescale), float(step.weights.sum())
    old, new = (tuple(x.tolist()[0] for x in state) for state in (found, step.state))
    lines = (
        f"tile {number}: "
        + " ".join(f"{trace.keys[i].strip()!r} {score:.2f}" for i, score in scores),
        f"maximum      {old[0]:.2f} -> {new[0]:.2f}, so the sums are multiplied by {rescale:.3f}",
        f"denominator  {old[1]:.3f} * {rescale:.3f} + {added:.3f} = {new[1]:.3f}",
        f"accumulator  {_numbers(old[2])} -> {_numbers(new[2])}",
        f"attention over {keys.stop} keys: {_numbers(step.state.out[0].tolist())}",
    )
    return "\n".join(lines)


def _numbers(values: Sequence[float]) -> str:
    shown = " ".join(f"{value:.3f}" for value in values[:SHOWN])
    return f"[{shown} ...]" if len(values) > SHOWN else f"[{shown}]"
