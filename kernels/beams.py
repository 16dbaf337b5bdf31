"""One token of beam search, once it is chosen, in torch's own operations: who goes on, who has ended, and what is next.

Everything is kept in tensors of fixed size on the device, which are written in place: for each of `b` requests the `w`
beams that are running and the best `w` that have ended.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

NEVER = -1.0e9  # added to the score of what must not be chosen, as transformers does


def taken(x: Shaped[Tensor, "b k *rest"], order: Int[Tensor, "b n"]) -> Shaped[Tensor, "b n *rest"]:
    """Those of `k` that `order` names for every request, in its order."""
    return x.gather(1, order.view(*order.shape, *[1] * (x.ndim - 2)).expand(-1, -1, *x.shape[2:]))


class Hypotheses(NamedTuple):
    """`k` sequences of every request: tokens, score, and for every new token the row that it continued."""

    sequences: Int[Tensor, "b k total"]
    scores: Float[Tensor, "b k"]
    parents: Int[Tensor, "b k new"]

    def take(self, order: Int[Tensor, "b n"]) -> Hypotheses:
        """Those that `order` names, in its order."""
        return Hypotheses(*(taken(x, order) for x in self))

    def and_then(self, others: Hypotheses) -> Hypotheses:
        """These, and after them others."""
        return Hypotheses(*(torch.cat(pair, dim=1) for pair in zip(self, others, strict=True)))


class State(NamedTuple):
    """What runs and what has ended; `full`: the slots of `ended` that are taken; `open`: a better end is possible.

    The next token is number `new`, and goes to `column` of the sequences: `column - new` tokens are a request's prompt,
    the same in all its sequences. `tokens` are what every row is continued with next, `parents` the rows that they
    continue. `over`: nothing is open any more. `tally` holds zeros between two steps, for kernels that count in it.
    """

    running: Hypotheses
    ended: Hypotheses
    full: Bool[Tensor, "b w"]
    open: Bool[Tensor, "b 1"]
    tokens: Int[Tensor, " r"]
    parents: Int[Tensor, " r"]
    column: Int[Tensor, " 1"]
    new: Int[Tensor, " 1"]
    over: Bool[Tensor, ""]
    tally: Int[Tensor, " 4"]


class Rules(NamedTuple):
    """What scores are divided by at each length; `far`: at the length that a running beam is judged by, if not its own.

    `early`: a request with as many ends as beams takes no more.
    """

    penalties: Float[Tensor, " new"]
    far: Float[Tensor, " 1"] | None
    early: bool


def beam_step(
    state: State, scores: Float[Tensor, "b wv"], chosen: Int[Tensor, "b k"], ends: Bool[Tensor, "b k"], rules: Rules
) -> None:
    """Write the state after one more token.

    `scores` are those of every token after every beam; `chosen` of them are the candidates, and `ends` says which end.
    The first `w` of them may end, and `w` that do not end go on: there are at least twice as many.
    """
    candidates = _candidates(state, scores, chosen)
    running = candidates._replace(scores=candidates.scores + ends.float() * NEVER)
    running = running.take(running.scores.topk(state.full.shape[1]).indices)
    penalty = rules.penalties.index_select(0, state.new)
    ended, full = _ended(state, candidates, ends, penalty, rules.early)
    still_open = state.open & _improvable(running, ended, full, penalty if rules.far is None else rules.far)
    stopped = full.all() if rules.early else torch.zeros_like(full.all())
    state.over.logical_or_(~still_open.any() | stopped | ends.all())
    for old, new in zip((*state.running, *state.ended), (*running, *ended), strict=True):
        old.copy_(new)
    state.full.copy_(full)
    state.open.copy_(still_open)
    state.tokens.copy_(running.sequences.index_select(2, state.column).flatten())
    state.parents.copy_(running.parents.index_select(2, state.new).flatten())
    state.column.add_(1)
    state.new.add_(1)


def _candidates(state: State, scores: Float[Tensor, "b wv"], chosen: Int[Tensor, "b k"]) -> Hypotheses:
    """The continuations that were chosen, the token and the row that each continues written down."""
    b, w = state.full.shape
    v = scores.shape[1] // w
    beams, first_rows = chosen // v, w * torch.arange(b, device=chosen.device)[:, None]
    candidates = state.running.take(beams)._replace(scores=scores.gather(1, chosen))
    candidates.sequences.index_copy_(2, state.column, (chosen % v)[..., None])
    candidates.parents.index_copy_(2, state.new, (beams + first_rows).int()[..., None])
    return candidates


def _ended(
    state: State, candidates: Hypotheses, ends: Bool[Tensor, "b k"], penalty: Float[Tensor, " 1"], early: bool
) -> tuple[Hypotheses, Bool[Tensor, "b w"]]:
    """The best that have ended, new ones among them; of the candidates only the best `w` may end."""
    (_, w), kept = state.full.shape, ends.shape[1]
    may_end = ends & (torch.arange(kept, device=ends.device) < w)
    scores = candidates.scores / penalty
    if early:
        scores = scores + state.full.all(dim=1, keepdim=True).float() * NEVER
    scores = scores + (~state.open).float() * NEVER
    scores = scores + (~may_end).float() * NEVER
    both = state.ended.and_then(candidates._replace(scores=scores))
    best = both.scores.topk(w).indices
    return both.take(best), torch.cat([state.full, may_end], dim=1).gather(1, best)


def _improvable(
    running: Hypotheses, ended: Hypotheses, full: Bool[Tensor, "b w"], penalty: Float[Tensor, " 1"]
) -> Bool[Tensor, "b 1"]:
    """Whether the best that runs could still end better than the worst that has; an estimate unless "never"."""
    best = running.scores[:, :1] / penalty
    worst = torch.where(full, ended.scores.min(dim=1, keepdim=True).values, NEVER)
    return (best > worst).any(dim=1, keepdim=True)
