"""Beam search: the best sequences of every request are continued side by side, with the semantics of transformers.

Everything is kept in tensors of fixed size on the device: for each of `b` requests the `w` beams that are running and
the best `w` that have ended.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from tinyllm.generation.greedy_sample import sample, sample_best_first
from tinyllm.generation.request import BeamOptions, Request
from tinyllm.generation.session import GenerationSession
from tinyllm.generation.values import token_list

if TYPE_CHECKING:
    from tinyllm.decoder import Decoder
    from tinyllm.generation.options import CallOptions
    from tinyllm.stages import Stage

NEVER = -1.0e9  # added to the score of what must not be chosen, as transformers does


def beam_options(options: CallOptions) -> BeamOptions:
    """The options of a beam search. Ended sequences are filled up as in transformers: pad token 0 counts as none."""
    eos = token_list(options.eos_token_id)
    pad = token_list(options.pad_token_id)
    width = options.num_beams
    return BeamOptions(
        width=width,
        kept=max(2, 1 + len(eos)) * width,
        returned=options.num_return_sequences or 1,
        length_penalty=1.0 if options.length_penalty is None else float(options.length_penalty),
        early_stopping=options.early_stopping or False,
        fill=((pad[0] if pad else 0) or eos[0]) if eos else -1,
    )


def length_penalties(longest: int, length_penalty: float) -> Float[Tensor, " n"]:
    """What a score is divided by at each length; infinite where that is more than float32 holds."""
    lengths = torch.arange(1, longest + 1, dtype=torch.float64, device="cpu")
    return (lengths**length_penalty).float()


def beam_sampling() -> Callable[[Float[Tensor, "n v"], int], Int[Tensor, "n k"]]:
    """How transformers draws continuations: it orders them since 5.24, and only the first may end."""
    import transformers
    from packaging.version import Version

    first = Version("5.24")
    return sample_best_first if Version(transformers.__version__) >= first else sample


class Hypotheses(NamedTuple):
    """`k` sequences of every request: tokens, score, and for every new token the row that it continued.

    `logprobs` are the log-probabilities of the new tokens, and have no columns where they are not requested.
    """

    sequences: Int[Tensor, "b k total"]
    scores: Float[Tensor, "b k"]
    beam_indices: Int[Tensor, "b k new"]
    logprobs: Float[Tensor, "b k kept"]

    def take(self, order: Int[Tensor, "b n"]) -> Hypotheses:
        """Those that `order` names, in its order."""
        return Hypotheses(
            *(x.take_along_dim(order.view(*order.shape, *[1] * (x.ndim - 2)), dim=1) for x in self)
        )

    def and_then(self, others: Hypotheses) -> Hypotheses:
        """These, and after them others."""
        return Hypotheses(*(torch.cat(pair, dim=1) for pair in zip(self, others, strict=True)))


class BeamState(NamedTuple):
    """What runs and what has ended; `full`: the slots of `ended` that are taken; `open`: a better end is possible."""

    running: Hypotheses
    ended: Hypotheses
    full: Bool[Tensor, "b w"]
    open: Bool[Tensor, "b 1"]

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """All of it, one by one."""
        return (*self.running, *self.ended, self.full, self.open)


class BeamResult(NamedTuple):
    """The best hypotheses of every request, request after request, cut to the longest."""

    sequences: Int[Tensor, "n total"]
    scores: Float[Tensor, " n"]
    beam_indices: Int[Tensor, "n new"]
    logprobs: Float[Tensor, "n new"] | None


class BeamSearch(GenerationSession):
    """The best sequences that continue each prompt (transformers' `num_beams`).

    Once all sequences have ended, no better one is possible: a step taken in vain changes nothing.
    """

    def __init__(
        self, decoder: Decoder, stage: Stage, request: Request, key: tuple | None = None
    ) -> None:
        super().__init__(decoder, stage, request, key)
        b = request.prompts
        w = request.beams.width
        tokens = self.max_prompt_tokens
        new = self.max_new_tokens
        kept = new if request.output_logprobs else 0
        running, ended = (
            Hypotheses(
                torch.empty(b, w, tokens + new, dtype=torch.int64, device=self.device),
                torch.empty(b, w, dtype=torch.float32, device=self.device),
                torch.empty(b, w, new, dtype=torch.int32, device=self.device),
                torch.empty(b, w, kept, dtype=torch.float32, device=self.device),
            )
            for _ in range(2)
        )
        full, still_open = (torch.empty(b, n, dtype=torch.bool, device=self.device) for n in (w, 1))
        self.state = BeamState(running, ended, full, still_open)
        self.beam_idx = torch.zeros_like(self.tokens)
        self.first_rows = w * torch.arange(b, dtype=torch.int64, device=self.device)[:, None]
        self.penalties = length_penalties(new, request.beams.length_penalty).to(self.device)
        self.final_penalty = torch.ones(1, dtype=torch.float32, device=self.device)

    def begin(self) -> None:
        """All beams at the prompt; only the first counts, so that the first step does not choose a token often."""
        (_, t) = self.request.input_ids.shape
        options = self.request.beams
        for hypotheses in (self.state.running, self.state.ended):
            hypotheses.sequences.fill_(options.fill)
            hypotheses.sequences[:, :, :t] = self.request.input_ids[:, None]
            hypotheses.scores.fill_(NEVER)
            hypotheses.beam_indices.fill_(-1)
            hypotheses.logprobs.zero_()
        self.state.running.scores[:, 0] = 0.0
        self.state.full.fill_(False)
        self.state.open.fill_(True)
        self.final_penalty.copy_(
            length_penalties(self.request.longest - t, options.length_penalty)[-1:]
        )
        self.tokens.copy_(self.request.rows[:, -1])

    def choose_tokens(self) -> None:
        request = self.request
        rows = self.visible_ids(
            self.state.running.sequences.flatten(0, 1), self.tokens, self.length
        )
        scores = request.processors(rows, self.logits.log_softmax(dim=-1))
        request.record.keep(self.logits, scores)
        state, stopped = self._advanced(scores)
        for old, new in zip(self.state.tensors, state.tensors, strict=True):
            old.copy_(new)
        self.stopped |= stopped
        self.tokens.copy_(self.state.running.sequences.index_select(2, self.column).flatten())
        self.beam_idx.copy_(
            self.state.running.beam_indices.index_select(2, self.new_column).flatten()
        )
        self.column += 1
        self.new_column += 1

    def compact(self) -> None:
        """Beams do not end one by one."""

    def _advanced(self, log_probs: Float[Tensor, "r v"]) -> tuple[BeamState, Bool[Tensor, ""]]:
        """The state after one more token, given the log-probabilities of every next one; whether it was the last."""
        state = self.state
        request = self.request
        options = self.request.beams
        candidates, last = self._candidates(log_probs)
        rows = self.visible_ids(candidates.sequences.flatten(0, 1), last, self.length + 1)
        ends = request.criteria(rows, request.record.scores).view(candidates.scores.shape)
        going_on = candidates._replace(scores=candidates.scores + ends.float() * NEVER)
        running = going_on.take(going_on.scores.topk(options.width).indices)
        penalty = self.penalties.index_select(0, self.new_column)
        ended, full = _ended(state, candidates, ends, penalty, options)
        at_the_end = options.early_stopping == "never" and options.length_penalty > 0
        still_open = state.open & _improvable(
            running, ended, full, self.final_penalty if at_the_end else penalty
        )
        stopped = ~still_open.any() | ends.all()
        if options.early_stopping is True:
            stopped = stopped | full.all()
        return BeamState(running, ended, full, still_open), stopped

    def _candidates(self, log_probs: Float[Tensor, "r v"]) -> tuple[Hypotheses, Int[Tensor, " n"]]:
        """The best continuations of every request among all tokens of all its beams, and the token each ends with."""
        running = self.state.running
        v = log_probs.shape[1]
        scores = log_probs.view(*running.scores.shape, v) + running.scores[:, :, None]
        scores = scores.flatten(1)
        chosen = self.request.select(scores, self.request.beams.kept)
        beams = chosen // v
        tokens = chosen % v
        candidates = running.take(beams)._replace(scores=scores.gather(1, chosen))
        candidates.sequences.index_copy_(2, self.column, tokens[..., None])
        rows = beams + self.first_rows
        candidates.beam_indices.index_copy_(2, self.new_column, rows.int()[..., None])
        if self.request.output_logprobs:
            logprobs = log_probs.log_softmax(dim=-1)[rows, tokens]
            candidates.logprobs.index_copy_(2, self.new_column, logprobs[..., None])
        return candidates, tokens.flatten()

    def result(self) -> BeamResult:
        """The best that ended."""
        returned = self.request.beams.returned
        t = self.request.input_ids.shape[1]
        sequences, scores, beam_indices, logprobs = (
            x[:, :returned].flatten(0, 1) for x in self.state.ended
        )
        longest = int((beam_indices >= 0).sum(dim=1).max())
        return BeamResult(
            sequences[:, : t + longest].clone(),
            scores.clone(),
            beam_indices[:, :longest].clone(),
            logprobs[:, :longest].clone() if self.request.output_logprobs else None,
        )


def _ended(
    state: BeamState,
    candidates: Hypotheses,
    ends: Bool[Tensor, "b k"],
    penalty: Float[Tensor, " 1"],
    options: BeamOptions,
) -> tuple[Hypotheses, Bool[Tensor, "b w"]]:
    """The best that have ended, new ones among them; of the candidates only the best `width` may end."""
    may_end = ends & (
        torch.arange(options.kept, dtype=torch.int64, device=ends.device) < options.width
    )
    scores = candidates.scores / penalty
    if options.early_stopping is True:
        scores = scores + state.full.all(dim=1, keepdim=True).float() * NEVER
    scores = scores + (~state.open).float() * NEVER
    scores = scores + (~may_end).float() * NEVER
    both = state.ended.and_then(candidates._replace(scores=scores))
    best = both.scores.topk(options.width).indices
    return both.take(best), torch.cat([state.full, may_end], dim=1).gather(1, best)


def _improvable(
    running: Hypotheses, ended: Hypotheses, full: Bool[Tensor, "b w"], penalty: Float[Tensor, " 1"]
) -> Bool[Tensor, "b 1"]:
    """Whether the best that runs could still end better than the worst that has; an estimate unless "never"."""
    best = running.scores[:, :1] / penalty
    worst = torch.where(full, ended.scores.min(dim=1, keepdim=True).values, NEVER)
    return (best > worst).any(dim=1, keepdim=True)
