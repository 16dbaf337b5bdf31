"""What evaluations need of a model: log-likelihoods of continuations, and answers up to a stop string.

A context that several continuations share, such as the question of a multiple choice, is computed and stored once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from tinyllm.generation.request import repeat_rows
from tinyllm.model import Model
from tinyllm.runtime.progress import progress

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

MAX_NEW_TOKENS = 256  # of an answer, where a task gives no number: as in lm-evaluation-harness
EXTRA_TOKENS = 2  # a stop string may be generated in more tokens than it is encoded in


class Pair(NamedTuple):
    """Token ids of a context, and of a continuation of it that is scored."""

    context: tuple[int, ...]
    continuation: tuple[int, ...]


class Score(NamedTuple):
    """The log-likelihood of a continuation, and whether greedy decoding would give it."""

    log_likelihood: float
    is_greedy: bool


class Padded(NamedTuple):
    """Rows of token ids, padded with 0, and the mask of what is a token; None where nothing is padded."""

    ids: Int[Tensor, "b t"]
    mask: Int[Tensor, "b t"] | None


@torch.inference_mode()
def score_pairs(model: Model, pairs: Sequence[Pair], *, batch_size: int = 16) -> list[Score]:
    """Score each continuation, `batch_size` at a time; what exceeds the model's context is cut off on the left.

    A context that is longer than its continuations is computed once for up to `batch_size` of them.
    Raises ValueError for a context or a continuation without tokens, and for a continuation that is longer than the
    context of the model.
    """
    pairs = [_cut(pair, model.config.max_position_embeddings) for pair in pairs]
    scores: dict[Pair, Score] = {}
    batches = list(_batches(set(pairs), batch_size))
    for groups in progress(batches, desc="scoring", unit="batch", delay=2):
        found = _score_rows if len(groups[0]) == 1 else _score_shared
        flat = [pair for group in groups for pair in group]
        scores |= zip(flat, found(model, groups), strict=True)
    return [scores[pair] for pair in pairs]


def _cut(pair: Pair, limit: int) -> Pair:
    """The pair with at most `limit` tokens before the last one, which the model does not read."""
    context = tuple(pair.context)
    continuation = tuple(pair.continuation)
    if not context or not continuation:
        raise ValueError(
            f"context has {len(context)} tokens, continuation {len(continuation)}: expected at least one of each"
        )
    if len(continuation) > limit:
        raise ValueError(
            f"continuation has {len(continuation)} tokens: expected at most {limit}, the context of this model"
        )
    return Pair(context[-(limit + 1 - len(continuation)) :], continuation)


def _batches(pairs: set[Pair], batch_size: int) -> Iterator[list[list[Pair]]]:
    """Groups of pairs that share a context, or of one pair: groups of one size in a batch, the longest first."""
    by_context: dict[tuple, list[Pair]] = defaultdict(list)
    for pair in sorted(pairs):
        by_context[pair.context].append(pair)
    groups = []
    for context, equal in by_context.items():
        is_shared = len(context) > max(len(pair.continuation) for pair in equal)
        size = batch_size if is_shared else 1
        groups += [equal[start : start + size] for start in range(0, len(equal), size)]
    groups.sort(key=lambda group: (len(group), _tokens(group)), reverse=True)
    for size, same_size in groupby(groups, key=len):
        rows = list(same_size)
        step = max(1, batch_size // size)
        yield from (rows[start : start + step] for start in range(0, len(rows), step))


def _tokens(group: list[Pair]) -> int:
    """The length of the longest text of a group."""
    return max(len(pair.context) + len(pair.continuation) for pair in group)


def _score_rows(model: Model, groups: list[list[Pair]]) -> list[Score]:
    """Score texts in one pass each; logits are computed where a continuation is predicted, and nowhere else."""
    pairs = [pair for group in groups for pair in group]
    texts = [(pair.context + pair.continuation)[:-1] for pair in pairs]
    ids, mask = pad(texts, model.device, side="right")
    with model.own_precision():
        x = model.hidden_states(ids, mask, model.new_cache(len(pairs)))
        scores = []
        for row, (text, pair) in enumerate(zip(texts, pairs, strict=True)):
            predicting = x[row : row + 1, len(text) - len(pair.continuation) : len(text)]
            logits = model.logits(predicting)[0]
            chosen = torch.tensor(pair.continuation, dtype=torch.int64, device=model.device)
            scores.append(_sum(*_score_tokens(logits, chosen)))
    return scores


def _score_shared(model: Model, groups: list[list[Pair]]) -> list[Score]:
    """Score the continuations of each context side by side, one token of all of them a step."""
    copies = len(groups[0])
    contexts = pad([group[0].context for group in groups], model.device, side="left")
    rows = [pair.continuation for group in groups for pair in group]
    chosen = pad(rows, model.device, side="right").ids
    steps = _continue(model, contexts, chosen, copies)
    found = [_score_tokens(logits, tokens) for logits, tokens in zip(steps, chosen.T, strict=True)]
    log_probs, is_greedy = (torch.stack(columns, dim=1) for columns in zip(*found, strict=True))
    return [
        _sum(log_probs[row, : len(tokens)], is_greedy[row, : len(tokens)])
        for row, tokens in enumerate(rows)
    ]


def _continue(
    model: Model, contexts: Padded, chosen: Int[Tensor, "r t"], copies: int
) -> Iterator[Float[Tensor, "r v"]]:
    """The logits that predict each column of `chosen`, which continues every context `copies` times."""
    steps = chosen.shape[1]
    cache = model.new_cache(len(contexts.ids), copies, max(1, steps - 1))
    repeats = copies // cache.copies  # of a cache that cannot share a context
    ids, mask = (repeat_rows(x, repeats) for x in contexts)
    logits = [
        model.step(ids[part], None if mask is None else mask[part], rows)
        for part, rows in cache.prefill_batches(ids.shape[1], mask)
    ]
    yield repeat_rows(torch.cat(logits), cache.copies)
    for column in chosen.T[:-1]:
        yield model.step(column.reshape(-1, cache.copies), None, cache)


def _score_tokens(logits: Float[Tensor, "n v"], chosen: Int[Tensor, " n"]) -> tuple[Tensor, Tensor]:
    """The log-probability of each token, and whether it is the most likely one."""
    log_probs = logits.float().log_softmax(dim=-1)
    return log_probs.gather(1, chosen[:, None])[:, 0], log_probs.argmax(dim=-1) == chosen


def _sum(log_probs: Float[Tensor, " n"], is_greedy: Tensor) -> Score:
    return Score(float(log_probs.sum()), bool(is_greedy.all()))


def pad(rows: Sequence[Sequence[int]], device: torch.device, *, side: str) -> Padded:
    """Token ids of several lengths as one tensor, padded on the "left" or on the "right"."""
    tensors = [torch.tensor(row, dtype=torch.int64, device=device) for row in rows]
    masks = [torch.ones_like(row) for row in tensors]
    options = {"batch_first": True, "padding_side": side}
    ids, mask = (torch.nn.utils.rnn.pad_sequence(x, **options) for x in (tensors, masks))
    return Padded(ids, None if mask.all() else mask)


def answer_until(
    model: Model,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Sequence[int]],
    until: Sequence[str],
    *,
    max_new_tokens: int = MAX_NEW_TOKENS,
    **options: Any,
) -> list[str]:
    """Answers of prompts, given as token ids, each up to the first stop string; what is too long is cut on the left.

    Raises ValueError where so many new tokens leave no place for a prompt.
    """
    limit = model.config.max_position_embeddings - max_new_tokens
    if limit < 1:
        raise ValueError(
            f"max_new_tokens={max_new_tokens}: expected fewer than {model.config.max_position_embeddings}, the context "
            "of this model"
        )
    ids, mask = pad([prompt[-limit:] for prompt in prompts], model.device, side="left")
    until = [text for text in until if text]
    if until:
        options["stopping_criteria"] = [StopsInAnswer(tokenizer, until, ids.shape[1])]
    mask = torch.ones_like(ids) if mask is None else mask
    pad_token = tokenizer.pad_token_id
    out = model.generate(
        ids,
        attention_mask=mask,
        max_new_tokens=max_new_tokens,
        pad_token_id=tokenizer.eos_token_id if pad_token is None else pad_token,
        **options,
    )
    texts = tokenizer.batch_decode(out[:, ids.shape[1] :], skip_special_tokens=True)
    return [_before_any(text, until) for text in texts]


def _before_any(text: str, until: Sequence[str]) -> str:
    """The text before the first of the stop strings that it holds."""
    for stop in until:
        text = text.split(stop)[0]
    return text


class StopsInAnswer:
    """A stopping criterion of `generate`: a stop string within the new tokens ends a sequence."""

    def __init__(
        self, tokenizer: PreTrainedTokenizerBase, until: Sequence[str], prompt_tokens: int
    ) -> None:
        encoded = [tokenizer.encode(stop, add_special_tokens=False) for stop in until]
        self.tokenizer = tokenizer
        self.until = until
        self.prompt_tokens = prompt_tokens
        self.last_tokens = max(len(ids) for ids in encoded) + EXTRA_TOKENS

    def __call__(
        self, input_ids: Int[Tensor, "r t"], scores: Float[Tensor, "r v"] | None, **kwargs: Any
    ) -> Tensor:
        """Which sequences end, `[r]`."""
        start = max(self.prompt_tokens, input_ids.shape[1] - self.last_tokens)
        texts = self.tokenizer.batch_decode(input_ids[:, start:])
        ends = [any(stop in text for stop in self.until) for text in texts]
        return torch.tensor(ends, dtype=torch.bool, device=input_ids.device)
