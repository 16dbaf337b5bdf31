"""A call that does not fit into memory: answered in smaller batches, the longest prompts together.

Where not even the samples of one prompt fit, they are drawn in batches, and their prompt is computed once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Int
from torch import Tensor

from tinyllm.generation.greedy_sample import GreedyOrSampling, SampleRows
from tinyllm.runtime.device import random_state, set_random_state
from tinyllm.runtime.progress import progress

if TYPE_CHECKING:
    from tinyllm.generation.options import CallOptions
    from tinyllm.generation.request import AnswerCallback, Request


class SubBatch(NamedTuple):
    """Rows of a batch that are answered together, without the first `cut` columns: all of them padding."""

    rows: list[int]
    cut: int


def plan_batches(
    request: Request, max_prompts: Callable[[int], int], *, trim: bool = True
) -> list[SubBatch]:
    """The rows of a batch, longest first, in as few batches as `max_prompts(tokens)` allows.

    They are of even size, so that none is nearly empty; the list is empty where a prompt does not fit alone.
    """
    width = request.input_ids.shape[1]
    mask = request.mask
    lengths = (
        [width] * len(request.input_ids) if mask is None or not trim else mask.sum(dim=1).tolist()
    )
    order = sorted(range(len(lengths)), key=lambda row: -lengths[row])
    found = []
    while order:
        longest = lengths[order[0]]
        most = max_prompts(longest)
        if not most:
            return []
        some = even_size(len(order), most)
        found.append(SubBatch(order[:some], width - longest))
        order = order[some:]
    return found


def generate_in_batches(
    answer: Callable[[list[int], Tensor, Tensor | None, CallOptions], Int[Tensor, "r total"]],
    request: Request,
    options: CallOptions,
    batches: Sequence[SubBatch],
) -> Int[Tensor, "r total"]:
    """All answers in the order of the prompts; shorter ones are filled up to the longest, as in one batch."""
    fill = (request.pad if request.beams is None else request.beams.fill) or 0
    found: list[tuple[int, Tensor]] = []
    with progress(total=len(request.input_ids), desc="prompts", unit="prompt") as bar:
        for rows, cut in batches:
            mask = None if request.mask is None else request.mask[rows, cut:]
            answers = answer(rows, request.input_ids[rows, cut:], mask, shortened(options, cut))
            full = torch.cat(
                [_repeated(request.input_ids[rows, :cut], len(answers)), answers], dim=1
            )
            found.extend(zip(rows, full.split(len(full) // len(rows)), strict=True))
            bar.update(len(rows))
    inorder = sorted(found, key=lambda pair: pair[0])
    return _filled_up([answers for _, answers in inorder], fill)


def generate_samples_in_batches(
    session: GreedyOrSampling, sampler: SampleRows
) -> Int[Tensor, "n total"]:
    """All samples of one prompt, as many at a time as the session has rows, with the tokens of a pass of all of them.

    The random numbers of every batch are those of all samples, from the same state on; after the last batch their
    state is that after the longest sample. The last batch begins earlier where it would not be full.
    """
    device = session.device
    request = session.request
    before = after = random_state(device)
    found: list[Tensor] = []
    steps = 0
    session.prefill()
    logits = session.logits
    with progress(total=sampler.total, desc="answers", unit="answer") as bar:
        for first in range(0, sampler.total, request.copies):
            start = min(first, sampler.total - request.copies)
            if first:
                set_random_state(before, device)
                session.cache.rewind(request.input_ids.shape[1], request.copies)
                session.logits = logits
            numbers = range(start, start + request.copies)
            sampler.rows.copy_(torch.tensor(numbers, dtype=torch.int64, device="cpu"))
            on_answer = numbered(request.on_answer, numbers, first=first)
            session.request = replace(request, on_answer=on_answer)
            session.decode()
            if session.length > steps:
                steps = session.length
                after = random_state(device)
            found.append(session.result().sequences[first - start :])
            bar.update(len(found[-1]))
    set_random_state(after, device)
    return _filled_up(found, request.pad or 0)


def numbered(
    on_answer: AnswerCallback | None, numbers: Sequence[int], *, first: int = 0
) -> AnswerCallback | None:
    """`on_answer` for a batch, with each row's number in the call; rows before `first` are not reported again."""
    if on_answer is None:
        return None

    def called(row: int, token_ids: Int[Tensor, " n"]) -> None:
        if numbers[row] >= first:
            on_answer(numbers[row], token_ids)

    return called


def even_size(count: int, most: int) -> int:
    """The size of as few batches as `most` allows, none of them nearly empty."""
    batches = -(-count // most)
    return -(-count // batches)


def _filled_up(answers: list[Tensor], fill: int) -> Int[Tensor, "n total"]:
    """Answers of different lengths in one tensor, as long as the longest."""
    longest = max(part.shape[1] for part in answers)
    return torch.cat([F.pad(part, (0, longest - part.shape[1]), value=fill) for part in answers])


def shortened(options: CallOptions, cut: int) -> CallOptions:
    """The options for prompts that are `cut` tokens shorter: lengths of prompt and answer together shrink with them."""
    options = copy(options)
    if options.max_length is not None:
        options.max_length -= cut
    if options.min_length:
        options.min_length = max(0, options.min_length - cut)
    return options


def _repeated(x: Tensor, rows: int) -> Tensor:
    return x.repeat_interleave(rows // len(x), dim=0)
