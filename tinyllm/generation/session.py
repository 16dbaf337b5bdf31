"""Generation token by token: a decode step that always does the same, on memory that stays where it is.

The column that the next token goes to is a number on the device. Where the parts of a request allow
it, a step is then the same work every time, and a stage's runner may capture it once and replay it:
the pass through the layers, the choice, the ends, all of it. Where a part must see the text or the
host, the pass alone is captured.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from tinyllm.decoder import Decoder
from tinyllm.generation.replay import min_lengths
from tinyllm.generation.request import Request, repeat_rows
from tinyllm.runtime.graph import CapturedGraph
from tinyllm.runtime.stop import AsyncStopFlag
from tinyllm.stages import Stage


class GenerationSession(ABC):
    """A decoder at work on requests of one kind, one after the other, in the same memory.

    `tokens` are what every row is continued with next, `beam_idx` the rows that they continue (None: their own). `key`
    names the kind where complete steps may be captured and replayed; None: the passes through the layers alone.
    """

    beam_idx: Int[Tensor, " r"] | None = None

    def __init__(
        self, decoder: Decoder, stage: Stage, request: Request, key: tuple | None = None
    ) -> None:
        device = request.input_ids.device
        prompts, tokens = request.input_ids.shape
        rows = prompts * request.copies
        self.decoder = decoder
        self.request = request
        self.device = device
        self.key = key
        self.max_prompt_tokens = tokens
        self.max_new_tokens = request.total - tokens
        pad = 0 if request.pad is None else request.pad
        self.pad_is_token = 0 <= pad < decoder.config.vocab_size
        self.runner = stage.runner
        self.step = self.runner.step(decoder)
        steps = max(1, self.max_new_tokens - 1)  # the last token is never attended to
        independent = request.beams is None
        if request.cache is None:
            self.cache = stage.new_cache(
                decoder, prompts, request.copies, steps, independent=independent
            )
        else:
            self.cache = request.cache
            self.cache.resume(request.copies, steps, independent=independent)
        self.tokens = torch.zeros(rows, dtype=torch.int64, device=device)
        self.column = torch.zeros(1, dtype=torch.int64, device=device)
        self.new_column = torch.zeros_like(self.column)  # among the new tokens
        self.stopped = torch.zeros((), dtype=torch.bool, device=device)
        self.logits: Float[Tensor, "r v"] | None = None
        self.live_rows: Int[Tensor, " n"] | None = None  # of the passes, where some are left out
        self.weight_addresses: list[int] | None = None  # that captured work reads
        self.steps: dict[tuple, Callable[[], None]] = {}
        self.forward: Callable[[], None] | None = (
            None  # made in `run`: a failure before leaves no cycle
        )
        self.length = tokens

    @property
    def replayable(self) -> bool:
        """Whether a step is the same work every time."""
        return self.key is not None

    def fits(self, request: Request) -> bool:
        """Whether a further request of this kind fits into the memory, and the weights have not moved."""
        if self.weight_addresses != self.decoder.weight_addresses:
            return False
        tokens = request.input_ids.shape[1]
        new_tokens = request.total - tokens
        return tokens <= self.max_prompt_tokens and new_tokens <= self.max_new_tokens

    def rebind(self, request: Request) -> None:
        """Get ready for a further request in the same memory; captured work holds the tensors of the first."""
        old_parts = [*self.request.processors, *self.request.criteria]
        new_parts = [*request.processors, *request.criteria]
        for old, new in zip(old_parts, new_parts, strict=True):
            adopt_tensors(new, old)
        self.request = request
        self.cache.reset()

    @property
    def captures(self) -> list[CapturedGraph]:
        """The captured graphs of this session."""
        work = (self.forward, *self.steps.values())
        graphs = [one for one in work if isinstance(one, CapturedGraph)]
        return [graph for graph in graphs if graph.graph is not None]

    def close(self) -> None:
        """Drop what refers to this object: its memory is then free immediately."""
        self.steps.clear()
        self.forward = None

    def run(self) -> None:
        """Prefill the prompts, then one token after the other until all sequences have ended."""
        self.prefill()
        self.decode()

    def decode(self) -> None:
        """From the logits after the prompts, one token after the other until all sequences have ended."""
        request = self.request
        stop_flag = AsyncStopFlag(self.device, sync=request.watched)
        self.length = request.input_ids.shape[1]
        self.column.fill_(self.length)
        self.new_column.zero_()
        self.stopped.zero_()
        self.live_rows = None
        if self.forward is None:
            self.reset_steps()
        self.begin()
        self.choose_tokens()
        while True:
            self.length += 1
            self._report_tokens()
            if stop_flag(self.stopped):
                self.length -= stop_flag.late
                break
            if self.length == request.total:
                break
            self.compact()
            self._decode_step()
        if self.cache.fixed_addresses:
            self.cache.sync_from_device()

    @abstractmethod
    def begin(self) -> None:
        """Write the prompts into the sequences."""

    @abstractmethod
    def choose_tokens(self) -> None:
        """From `logits`, choose what every row is continued with, store it, and mark what has ended."""

    def reset_steps(self) -> None:
        """Drop what was captured, so that the next steps are captured anew."""
        self.steps.clear()
        self.forward = self._forward if self.replayable else self._maybe_capture(self._forward)

    @abstractmethod
    def compact(self) -> None:
        """Leave rows that have ended out of further passes, where that pays."""

    def visible_ids(
        self, sequences: Int[Tensor, "r total"], last: Int[Tensor, " r"], n: int
    ) -> Int[Tensor, "r n"]:
        """The first `n` tokens of sequences; in a replayable step a view as long, in which only the last is right."""
        return last[:, None].expand(-1, n) if self.replayable else sequences[:, :n]

    def _report_tokens(self) -> None:
        for callback in self.request.callbacks:
            callback(self.tokens[:, None], None)
        if self.request.streamer is not None:
            self.request.streamer.put(self.tokens.cpu())

    def _decode_step(self) -> None:
        """One more token. Some parts read the length: every outcome of that has a captured step of its own."""
        too_short = tuple(self.length < least for least in min_lengths(self.request.processors))
        is_last = self.length + 1 == self.request.total
        phase = (too_short, is_last)
        if phase not in self.steps:
            step = self._forward_and_choose
            self.steps[phase] = self._maybe_capture(step) if self.replayable else step
        self.steps[phase]()

    def _forward_and_choose(self) -> None:
        self.forward()
        self.choose_tokens()

    def _maybe_capture(self, work: Callable[[], None]) -> Callable[[], None]:
        """`work` as it is repeated, where the cache keeps its memory in place and no hook must see it."""
        if not self.cache.fixed_addresses or self.decoder.has_hooks:
            return work
        if self.weight_addresses is None:
            self.weight_addresses = self.decoder.weight_addresses
        return self.runner.repeat(work, self.device)

    def _forward(self) -> None:
        if self.beam_idx is not None:
            self.cache.reorder(self.beam_idx)
        ids = self.tokens
        if not self.pad_is_token:  # rows that have ended, of which nothing is used
            ids = ids.clamp(0, self.decoder.config.vocab_size - 1)
        if self.live_rows is None:
            self.logits = self._logits(ids)
        else:  # of the others, those of their last pass: nothing is chosen from them
            self.logits.index_copy_(0, self.live_rows, self._logits(ids[self.live_rows]))

    def _logits(self, ids: Int[Tensor, " n"]) -> Float[Tensor, "n v"]:
        return self.step(ids.view(-1, self.cache.copies), None, self.cache).float()

    def prefill(self) -> None:
        """The logits of the first new token; a cache that cannot share prompts gets one for every row."""
        held = self.cache.length
        repeats = self.request.copies // self.cache.copies
        ids = repeat_rows(self.request.input_ids[:, held:], repeats)
        mask = None
        if self.request.mask is not None:
            mask = repeat_rows(self.request.mask[:, held:], repeats)
        logits = [
            self.step(ids[rows], None if mask is None else mask[rows], cache)
            for rows, cache in self.cache.prefill_batches(ids.shape[1], mask)
        ]
        self.logits = repeat_rows(torch.cat(logits), self.cache.copies).float()


def adopt_tensors(new: Any, old: Any) -> None:
    """Give a logits processor or stopping criterion the tensors of another of its kind."""
    vars(new).update({name: x for name, x in vars(old).items() if isinstance(x, Tensor)})
