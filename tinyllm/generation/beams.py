"""Beam search: the best sequences of every request go on side by side, with the semantics of transformers.

Everything is kept in tensors of fixed size on the device: for each of `b` requests the `w` beams that are running and
the best `w` that have ended. A step makes new ones from old; the state before it stays whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from tinyllm.generation.options import token_list
from tinyllm.generation.request import BeamOptions, Request, Run
from tinyllm.runtime.finish import Finish

if TYPE_CHECKING:
    from transformers import GenerationConfig

    from tinyllm.cache import Cache
    from tinyllm.decoder import Decoder

NEVER = -1.0e9  # added to the score of what must not be chosen, as transformers does


def beam_options(options: GenerationConfig) -> BeamOptions:
    """What a beam search is told. Ended sequences are filled up as in transformers: pad token 0 counts as none."""
    eos, pad, width = token_list(options.eos_token_id), token_list(options.pad_token_id), options.num_beams
    return BeamOptions(
        width=width,
        kept=max(2, 1 + len(eos)) * width,
        returned=options.num_return_sequences or 1,
        length_penalty=1.0 if options.length_penalty is None else float(options.length_penalty),
        early_stopping=options.early_stopping or False,
        fill=((pad[0] if pad else 0) or eos[0]) if eos else -1,
    )


class Hypotheses(NamedTuple):
    """`k` sequences of every request: tokens, score, and for every new token the row that it continued."""

    sequences: Int[Tensor, "b k total"]
    scores: Float[Tensor, "b k"]
    parents: Int[Tensor, "b k new"]

    def take(self, order: Int[Tensor, "b n"]) -> Hypotheses:
        """Those that `order` names, in its order."""
        return Hypotheses(*(x.take_along_dim(order.view(*order.shape, *[1] * (x.ndim - 2)), dim=1) for x in self))

    def and_then(self, others: Hypotheses) -> Hypotheses:
        """These, and after them others."""
        return Hypotheses(*(torch.cat(pair, dim=1) for pair in zip(self, others, strict=True)))


class State(NamedTuple):
    """What runs and what has ended; `full`: the slots of `ended` that are taken; `open`: a better end is possible."""

    running: Hypotheses
    ended: Hypotheses
    full: Bool[Tensor, "b w"]
    open: Bool[Tensor, "b 1"]


class Found(NamedTuple):
    """The best hypotheses of every request, request after request, cut to the longest."""

    sequences: Int[Tensor, "n total"]
    scores: Float[Tensor, " n"]
    parents: Int[Tensor, "n new"]


@torch.no_grad()
def beam_search(model: Decoder, request: Request) -> tuple[Found, Cache]:
    """The best sequences that continue each prompt (transformers' `num_beams`)."""
    (b, t), options = request.input_ids.shape, request.beams
    state, n = _start(request), t
    run, finish = Run(model, request), Finish(request.input_ids.device, at_once=request.watched)
    logits = run.prefill()
    while True:
        rows = state.running.sequences[:, :, :n].flatten(0, 1)
        scores = request.processors(rows, logits.log_softmax(dim=-1))
        request.record.keep(logits, scores)
        before = state
        state, over = _advanced(state, scores.view(b, options.width, -1), n, request)
        n += 1
        if finish(over):
            state = before if finish.late else state
            break
        if n == request.total:
            break
        tokens = state.running.sequences[:, :, n - 1].flatten()
        logits = run.advance(tokens, state.running.parents[:, :, n - 1 - t].flatten().long())
    return _found(state.ended, t, options.returned), run.cache


def _start(request: Request) -> State:
    """All beams at the prompt; only the first counts, so that the first step does not choose the same token often."""
    (b, t), w, device = request.input_ids.shape, request.beams.width, request.input_ids.device
    sequences = torch.full((b, w, request.total), request.beams.fill, device=device)
    sequences[:, :, :t] = request.input_ids[:, None]
    scores = torch.full((b, w), NEVER, device=device)
    parents = torch.full((b, w, request.total - t), -1, dtype=torch.int32, device=device)
    running = Hypotheses(sequences, scores.clone(), parents)
    running.scores[:, 0] = 0.0
    full = torch.zeros(b, w, dtype=torch.bool, device=device)
    return State(running, Hypotheses(sequences, scores, parents), full, full.new_ones(b, 1))


def _advanced(
    state: State, log_probs: Float[Tensor, "b w v"], n: int, request: Request
) -> tuple[State, Bool[Tensor, ""]]:
    """The state after one more token, given the log-probabilities of every next one; and whether that was the last."""
    t, options = request.input_ids.shape[1], request.beams
    candidates = _candidates(state.running, log_probs, n, request)
    rows = candidates.sequences[:, :, : n + 1].flatten(0, 1)
    ends = request.criteria(rows, request.record.scores).view(candidates.scores.shape)
    going_on = candidates._replace(scores=candidates.scores + ends.float() * NEVER)
    running = going_on.take(going_on.scores.topk(options.width).indices)
    ended, full = _ended(state, candidates, ends, n + 1 - t, options)
    still_open = state.open & _improvable(running, ended, full, n + 1, request)
    stopped = full.all() if options.early_stopping is True else torch.zeros_like(full.all())
    over = ~still_open.any() | stopped | ends.all()
    return State(running, ended, full, still_open), over


def _candidates(
    running: Hypotheses,
    log_probs: Float[Tensor, "b w v"],
    n: int,
    request: Request,
) -> Hypotheses:
    """The best continuations of every request among all tokens of all its beams."""
    b, w, v = log_probs.shape
    scores = (log_probs + running.scores[:, :, None]).flatten(1)
    chosen = request.choose(scores, request.beams.kept)
    beams = chosen // v
    candidates = running.take(beams)._replace(scores=scores.gather(1, chosen))
    candidates.sequences[:, :, n] = chosen % v
    candidates.parents[:, :, n - request.input_ids.shape[1]] = beams + w * torch.arange(b, device=beams.device)[:, None]
    return candidates


def _ended(
    state: State, candidates: Hypotheses, ends: Bool[Tensor, "b k"], length: int, options: BeamOptions
) -> tuple[Hypotheses, Bool[Tensor, "b w"]]:
    """The best that have ended, new ones among them; of the candidates only the best `width` may end."""
    may_end = ends & (torch.arange(options.kept, device=ends.device) < options.width)
    scores = candidates.scores / length**options.length_penalty
    if options.early_stopping is True:
        scores = scores + state.full.all(dim=1, keepdim=True).float() * NEVER
    scores = scores + (~state.open).float() * NEVER
    scores = scores + (~may_end).float() * NEVER
    both = state.ended.and_then(candidates._replace(scores=scores))
    best = both.scores.topk(options.width).indices
    return both.take(best), torch.cat([state.full, may_end], dim=1).gather(1, best)


def _improvable(
    running: Hypotheses,
    ended: Hypotheses,
    full: Bool[Tensor, "b w"],
    n: int,
    request: Request,
) -> Bool[Tensor, "b 1"]:
    """Whether the best that runs could still end better than the worst that has; an estimate unless "never"."""
    t, options = request.input_ids.shape[1], request.beams
    far = options.early_stopping == "never" and options.length_penalty > 0
    length = (request.longest if far else n) - t
    best = running.scores[:, :1] / length**options.length_penalty
    worst = torch.where(full, ended.scores.min(dim=1, keepdim=True).values, NEVER)
    return (best > worst).any(dim=1, keepdim=True)


def _found(ended: Hypotheses, t: int, returned: int) -> Found:
    sequences, scores, parents = (x[:, :returned].flatten(0, 1) for x in ended)
    longest = int((parents >= 0).sum(dim=1).max())
    return Found(sequences[:, : t + longest], scores, parents[:, :longest])
