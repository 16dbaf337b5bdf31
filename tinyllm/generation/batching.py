"""A batch that does not fit into memory: answered in smaller batches, the longest prompts together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from typing import TYPE_CHECKING, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Int
from torch import Tensor

from tinyllm.runtime.progress import progress

if TYPE_CHECKING:
    from transformers import GenerationConfig

    from tinyllm.generation.request import Request


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
        left = -(-len(order) // most)
        some = -(-len(order) // left)
        found.append(SubBatch(order[:some], width - longest))
        order = order[some:]
    return found


def generate_in_batches(
    answer: Callable[[Tensor, Tensor | None, GenerationConfig], Int[Tensor, "r total"]],
    request: Request,
    options: GenerationConfig,
    batches: Sequence[SubBatch],
) -> Int[Tensor, "r total"]:
    """All answers in the order of the prompts; shorter ones are filled up to the longest, as in one batch."""
    fill = (request.pad if request.beams is None else request.beams.fill) or 0
    found: list[tuple[int, Tensor]] = []
    with progress(total=len(request.input_ids), desc="prompts", unit="prompt") as bar:
        for rows, cut in batches:
            mask = None if request.mask is None else request.mask[rows, cut:]
            answers = answer(request.input_ids[rows, cut:], mask, shortened(options, cut))
            full = torch.cat(
                [_repeated(request.input_ids[rows, :cut], len(answers)), answers], dim=1
            )
            found.extend(zip(rows, full.split(len(full) // len(rows)), strict=True))
            bar.update(len(rows))
    longest = max(answers.shape[1] for _, answers in found)
    inorder = sorted(found, key=lambda pair: pair[0])
    return torch.cat(
        [F.pad(answers, (0, longest - answers.shape[1]), value=fill) for _, answers in inorder]
    )


def shortened(options: GenerationConfig, cut: int) -> GenerationConfig:
    """The options for prompts that are `cut` tokens shorter: lengths of prompt and answer together shrink with them."""
    options = copy(options)
    if options.max_length is not None:
        options.max_length -= cut
    if options.min_length:
        options.min_length = max(0, options.min_length - cut)
    return options


def _repeated(x: Tensor, rows: int) -> Tensor:
    return x.repeat_interleave(rows // len(x), dim=0)
