"""Beam search: the best sequences of every request go on side by side, with the semantics of transformers.

Log-probabilities, candidates and ends are torch's and transformers' own work; what follows from them is a kernel's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from tinyllm.generation.options import token_list
from tinyllm.generation.request import BeamOptions, Request
from tinyllm.generation.search import Search
from tinyllm.kernels.beams import NEVER, Hypotheses, Rules, State, taken

if TYPE_CHECKING:
    from transformers import GenerationConfig

    from tinyllm.decoder import Decoder


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


class Found(NamedTuple):
    """The best hypotheses of every request, request after request, cut to the longest."""

    sequences: Int[Tensor, "n total"]
    scores: Float[Tensor, " n"]
    parents: Int[Tensor, "n new"]


class Beams(Search):
    """The best sequences that continue each prompt (transformers' `num_beams`).

    Once all is over, what has ended is full and cannot be bettered: a turn taken in vain changes nothing of it.
    """

    def __init__(self, model: Decoder, request: Request, key: tuple | None = None) -> None:
        super().__init__(model, request, key)
        options, (_, new), like = request.beams, self.room, request.input_ids
        self.parents = torch.zeros_like(self.tokens)
        self.new = torch.zeros_like(self.column)  # the column among the new tokens
        self.state = self._empty_state()
        penalties = [float(length) ** options.length_penalty for length in range(1, new + 1)]
        self.far = torch.ones(1, device=self.device)
        far = options.early_stopping == "never" and options.length_penalty > 0
        self.rules = Rules(
            torch.tensor(penalties, device=self.device), self.far if far else None, options.early_stopping is True
        )
        self.kernels = self.runner.kernels(like)

    def _empty_state(self) -> State:
        (b, w), (tokens, new), like = (len(self.request.input_ids), self.request.beams.width), self.room, self.tokens
        running, ended = (
            Hypotheses(
                like.new_empty(b, w, tokens + new),
                torch.empty(b, w, device=self.device),
                torch.empty(b, w, new, dtype=torch.int32, device=self.device),
            )
            for _ in range(2)
        )
        full, still_open = (torch.empty(b, n, dtype=torch.bool, device=self.device) for n in (w, 1))
        tally = torch.zeros(4, dtype=torch.int32, device=self.device)
        told = (self.tokens, self.parents, self.column, self.new, self.over)
        return State(running, ended, full, still_open, *told, tally)

    def begin(self) -> None:
        """All beams at the prompt; only the first counts, so that the first step does not choose a token often."""
        (_, t), options = self.request.input_ids.shape, self.request.beams
        for hypotheses in (self.state.running, self.state.ended):
            hypotheses.sequences.fill_(options.fill)
            hypotheses.sequences[:, :, :t] = self.request.input_ids[:, None]
            hypotheses.scores.fill_(NEVER)
            hypotheses.parents.fill_(-1)
        self.state.running.scores[:, 0] = 0.0
        self.state.full.fill_(False)
        self.state.open.fill_(True)
        self.new.zero_()
        self.far.fill_(float(self.request.longest - t) ** options.length_penalty)
        self.tokens.copy_(self.request.rows[:, -1])

    def choose(self) -> None:
        request, running = self.request, self.state.running
        rows = self.ids(running.sequences.flatten(0, 1), self.tokens, self.n)
        log_probs = request.processors(rows, self.logits.log_softmax(dim=-1))
        request.record.keep(self.logits, log_probs)
        log_probs = log_probs.view(*running.scores.shape, -1)
        own = log_probs if self.whole else None  # a caller's processor may keep what it returned
        scores = torch.add(log_probs, running.scores[:, :, None], out=own).flatten(1)
        chosen = request.choose(scores, request.beams.kept)
        self.kernels.beam_step(self.state, scores, chosen, self._ends(chosen, log_probs.shape[2]), self.rules)

    def _ends(self, chosen: Int[Tensor, "b k"], v: int) -> Bool[Tensor, "b k"]:
        """Which of the candidates end, given the place of each among the `v` tokens after every beam."""
        tokens = chosen % v
        sequences = None if self.whole else self._continued(chosen // v, tokens)
        rows = self.ids(sequences, tokens.flatten(), self.n + 1)
        return self.request.criteria(rows, self.request.record.scores).view(chosen.shape)

    def _continued(self, beams: Int[Tensor, "b k"], tokens: Int[Tensor, "b k"]) -> Int[Tensor, "r total"]:
        """The sequences of some beams, each with one more token."""
        sequences = taken(self.state.running.sequences, beams)
        return sequences.index_copy_(2, self.column, tokens[..., None]).flatten(0, 1)

    def found(self) -> Found:
        """The best that ended."""
        returned, t = self.request.beams.returned, self.request.input_ids.shape[1]
        sequences, scores, parents = (x[:, :returned].flatten(0, 1) for x in self.state.ended)
        longest = int((parents >= 0).sum(dim=1).max())
        return Found(sequences[:, : t + longest].clone(), scores.clone(), parents[:, :longest].clone())
