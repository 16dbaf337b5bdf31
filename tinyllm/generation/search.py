"""What every search does token by token: a turn that always does the same, on memory that stays where it is.

The column that the next token goes to is a number on the device. Where the parts of a request allow it, a turn is then
the same work every time, and a stage's runner may capture it once and replay it: the passes through the layers, the
choice, the ends, all of it. Where a part must see the text or the host, the pass alone is captured.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int
from torch import Tensor

from tinyllm.generation.request import Request, repeated
from tinyllm.runtime.finish import Finish
from tinyllm.runtime.graph import Replay

if TYPE_CHECKING:
    from tinyllm.decoder import Decoder


class Search(ABC):
    """A model at work on requests of one kind, one after the other, in the same memory.

    `tokens` are what every row is continued with next, `parents` the rows that they continue (None: their own).
    `key` says the kind where whole turns may be captured and replayed; None: the passes through the layers alone.
    """

    parents: Int[Tensor, " r"] | None = None

    def __init__(self, model: Decoder, request: Request, key: tuple | None = None) -> None:
        device, (prompts, tokens) = request.input_ids.device, request.input_ids.shape
        self.model, self.request, self.device, self.key = model, request, device, key
        self.room = tokens, request.total - tokens
        self.runner = model.stage.runner
        self.step = self.runner.step(model)
        steps = max(1, self.room[1] - 1)  # the last token is never looked at
        if request.cache is None:
            self.cache = model.new_cache(prompts, request.copies, steps)
        else:
            self.cache = request.cache
            self.cache.resume(request.copies, steps)
        self.tokens = torch.zeros(prompts * request.copies, dtype=torch.int64, device=device)
        self.column = torch.zeros(1, dtype=torch.int64, device=device)
        self.over = torch.zeros((), dtype=torch.bool, device=device)
        self.logits: Float[Tensor, "r v"] | None = None
        self.turns: dict[object, Callable[[], None]] = {}
        self.forward: Callable[[], None] | None = None  # until it runs: what fails before then leaves no cycle behind
        self.n = tokens

    @property
    def whole(self) -> bool:
        """Whether a turn is the same work every time."""
        return self.key is not None

    def fits(self, request: Request) -> bool:
        """Whether a further request of this kind has room in the memory."""
        tokens = request.input_ids.shape[1]
        return tokens <= self.room[0] and request.total - tokens <= self.room[1]

    def renew(self, request: Request) -> None:
        """Get ready for a further request, in the same memory; what is captured knows the tensors of the first."""
        parts = ([*each.processors, *each.criteria] for each in (self.request, request))
        for old, new in zip(*parts, strict=True):
            vars(new).update({name: value for name, value in vars(old).items() if isinstance(value, Tensor)})
        self.request = request
        self.cache.forget()

    @property
    def captures(self) -> list[Replay]:
        """What was captured of it."""
        replays = [work for work in (self.forward, *self.turns.values()) if isinstance(work, Replay)]
        return [replay for replay in replays if replay.graph is not None]

    def close(self) -> None:
        """Let go of what refers to this object: its memory is then free at once."""
        self.turns.clear()
        self.forward = None

    def run(self) -> None:
        """Take the prompts in, then one token after the other until all is over."""
        request, finish = self.request, Finish(self.device, at_once=self.request.watched)
        self.n = request.input_ids.shape[1]
        self.column.fill_(self.n)
        self.over.zero_()
        if self.forward is None:
            self.forward = self._forward if self.whole else self._again(self._forward)
        self.begin()
        self.logits = self._prefill()
        self.choose()
        while True:
            self.n += 1
            for watcher in request.watchers:
                watcher(self.tokens[:, None], None)
            if request.streamer is not None:
                request.streamer.put(self.tokens.cpu())
            if finish(self.over):
                self.n -= finish.late
                break
            if self.n == request.total:
                break
            self._turn()
        if self.cache.fixed:
            self.cache.settle()

    @abstractmethod
    def begin(self) -> None:
        """Write the prompts down."""

    @abstractmethod
    def choose(self) -> None:
        """From `logits`, choose what every row goes on with, write it down, and see what has ended."""

    def ids(self, sequences: Int[Tensor, "r total"], last: Int[Tensor, " r"], n: int) -> Int[Tensor, "r n"]:
        """The first `n` tokens of sequences; in a turn that is replayed as many, of which only the last is told."""
        return last[:, None].expand(-1, n) if self.whole else sequences[:, :n]

    def _turn(self) -> None:
        """One more token. Some parts look at the length: for each thing that they may find, a turn of its own."""
        from tinyllm.generation.parts import least_lengths

        least = tuple(self.n < length for length in least_lengths(self.request.processors))
        phase = (least, self.n + 1 == self.request.total)
        if phase not in self.turns:
            self.turns[phase] = self._again(self._advance) if self.whole else self._advance
        self.turns[phase]()

    def _advance(self) -> None:
        self.forward()
        self.choose()

    def _again(self, work: Callable[[], None]) -> Callable[[], None]:
        """`work` as it is repeated, where the cache keeps its memory in place and nobody wants to see it."""
        return self.runner.repeat(work, self.device) if self.cache.fixed and not self.model.hooked else work

    def _forward(self) -> None:
        if self.parents is not None:
            self.cache.reorder(self.parents)
        self.logits = self.step(self.tokens.view(-1, self.cache.copies), None, self.cache).float()

    def _prefill(self) -> Float[Tensor, "r v"]:
        """Logits of the first new token; a cache that cannot share prompts is given one for every row."""
        held, apart = self.cache.length, self.request.copies // self.cache.copies
        ids, mask = (
            None if x is None else repeated(x[:, held:], apart) for x in (self.request.input_ids, self.request.mask)
        )
        parts = self.cache.prompt_parts(ids.shape[1], mask)
        logits = [self.step(ids[rows], None if mask is None else mask[rows], cache) for rows, cache in parts]
        return repeated(torch.cat(logits), self.cache.copies).float()
