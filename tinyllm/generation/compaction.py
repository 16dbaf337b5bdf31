"""Sequences that have ended are left out of further passes, where that pays.

The rule: compact when at most half of a pass's rows would remain, and enough further steps are expected. Compaction
reads and writes the keys and values of the remaining rows, `2 L` bytes; every step after it reads `D` bytes less, those
of the rows that have ended. With at most half of the rows left `D >= L`, and two steps pay for the copy. Where steps
are captured, they are captured anew: assumed to take as long as 64 steps, and not measured yet. How many steps remain
is unknown: as many as there were, or all that the longest answer may still have, if those are fewer.
"""

from __future__ import annotations

from jaxtyping import Bool, Int
from torch import Tensor

EAGER_STEPS = 2  # that pay for a compaction
CAPTURED_STEPS = 64
STEPS_BETWEEN_READS = 16  # of the ended rows on a GPU, where the host waits for each


def pays(rows: int, remaining: int, *, steps: int, steps_left: int, captured: bool) -> bool:
    """Whether passes of `remaining` rows instead of `rows` are worth a compaction, after `steps` steps."""
    expected = min(steps, steps_left)
    return 2 * remaining <= rows and expected >= (CAPTURED_STEPS if captured else EAGER_STEPS)


def remaining_rows(unfinished: Bool[Tensor, " r"], copies: int) -> Int[Tensor, "b w"]:
    """The rows of further passes: equally many of every prompt that has unfinished rows, at least one in all.

    A prompt with fewer unfinished rows than another keeps some that have ended.
    """
    alive = unfinished.view(-1, copies)
    width = int(alive.sum(dim=1).max())
    prompts = alive.any(dim=1).nonzero()
    order = alive[prompts[:, 0]].int().argsort(dim=1, descending=True, stable=True)
    return prompts * copies + order[:, :width]
