"""How much memory a call needs, before any of it is allocated; and how many requests fit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tinyllm.cost.attention import bias_elements, kinds_of_windows
from tinyllm.cost.cache import costs_of
from tinyllm.cost.workload import Workload
from tinyllm.runtime.device import free_bytes

if TYPE_CHECKING:
    from tinyllm.config import DecoderConfig
    from tinyllm.decoder import Decoder
    from tinyllm.generation.request import Request
    from tinyllm.stages import Stage

MARGIN = 1.03  # allocators round up, and kernels take workspaces


@dataclass(frozen=True)
class Call:
    """What the memory of a call of `generate` depends on: prompts of `tokens`, `new` more for each of `copies` rows."""

    prompts: int
    tokens: int
    new: int
    copies: int = 1
    padded: bool = False
    beams: bool = False


@dataclass(frozen=True)
class Need:
    """Bytes that a call holds at its worst moment, beside the weights."""

    keys_and_values: int
    activations: int  # in the layers, or of the search among all next tokens after them
    sequences: int

    @property
    def total(self) -> int:
        """All of it, with what allocators and kernels take on top."""
        return int(MARGIN * (self.keys_and_values + self.activations + self.sequences))

    def __str__(self) -> str:
        parts = {"keys and values": self.keys_and_values, "activations": self.activations}
        listed = ", ".join(f"{name} {as_size(size)}" for name, size in parts.items())
        return f"{as_size(self.total)} ({listed})"


def need(stage: Stage, config: DecoderConfig, call: Call, size: int) -> Need:
    """The worse of two moments: all prompts taken in, or the last token; `size` is bytes per element."""
    prompt = Workload(call.prompts, call.tokens, 0, size, call.padded, copies=call.copies)
    steps = max(0, call.new - 2)  # the last new token is never looked at
    last = replace(prompt, tokens=1, held=call.tokens + steps, steps=steps)
    moments = [_moment(stage, config, work, call) for work in (prompt, last)]
    return max(moments, key=lambda moment: moment.total)


def _moment(stage: Stage, config: DecoderConfig, work: Workload, call: Call) -> Need:
    cache = costs_of(stage.cache)
    rows, b = cache.rows_at_once(work), work.batch
    m, f, d = config.hidden_size, config.intermediate_size, config.head_dim
    heads = config.num_attention_heads + config.num_key_value_heads
    layer = 3 * m + max(4 * f, 3 * heads * d, 6 * m)  # feed-forward, attention, or a norm in float32
    part = replace(work, batch=max(1, rows // work.tokens), copies=1)
    bias = sum(bias_elements(one, part) for one in (config.of_kind(kind) for kind in kinds_of_windows(config)))
    spelled_out = config.score_softcap is not None or (config.alibi and work.held > 0)
    keys = work.held - work.steps + work.copies * (work.steps + 1) if work.held else work.total
    products = rows * config.num_attention_heads * keys * spelled_out  # of q and k: four in float32, and what is added
    scores = b * work.copies * config.vocab_size * (work.size + 16)  # as they come, and four times in float32
    kept = (1 + 4 * call.beams) * work.copies  # running, ended, and twice as many candidates
    return Need(
        keys_and_values=cache.held_bytes(config, work),
        activations=max(work.size * (rows * layer + bias) + (16 + 4 * config.alibi) * products, scores),
        sequences=8 * b * kept * (call.tokens + 2 * call.new),
    )


def most_prompts(stage: Stage, config: DecoderConfig, call: Call, size: int, free: int) -> int:
    """How many prompts of this kind fit into `free` bytes at a time; 0 where not even one does."""
    fits = lambda prompts: need(stage, config, replace(call, prompts=prompts), size).total <= free  # noqa: E731
    low, high = 0, 1
    while fits(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def call_of(request: Request) -> Call:
    """What memory depends on in a request."""
    prompts, tokens = request.input_ids.shape
    padded, beams = request.mask is not None, request.beams is not None
    return Call(prompts, tokens, request.total - tokens, request.copies, padded, beams)


@dataclass(frozen=True)
class Room:
    """The memory that a call of `generate` may take, `size` bytes per element of the model."""

    stage: Stage
    config: DecoderConfig
    size: int
    call: Call
    free: int
    said: str  # where `free` comes from

    def takes(self, prompts: int) -> bool:
        """Whether so many prompts of the call fit at a time."""
        return need(self.stage, self.config, replace(self.call, prompts=prompts), self.size).total <= self.free

    def prompts(self, tokens: int) -> int:
        """How many prompts of at most so many tokens fit at a time."""
        return most_prompts(self.stage, self.config, replace(self.call, tokens=tokens), self.size, self.free)

    def too_small(self) -> str:
        """What is said of a call that does not fit."""
        call, at_once = self.call, self.prompts(self.call.tokens)
        wanted = need(self.stage, self.config, call, self.size)
        less = "pass a shorter prompt, or ask for fewer tokens or beams"
        return (
            f"{call.prompts} prompts of {call.tokens} tokens, {call.new} new ones for each of {call.copies} sequences "
            f"need {wanted}; {as_size(self.free)} are {self.said}: expected at most {at_once} prompts; "
            f"{'pass fewer, or split_batch=True' if at_once else less}"
        )


def room_for(model: Decoder, request: Request, budget: int | float | None = None) -> Room | None:
    """What there is for a request: what is free, or a smaller budget; None where neither is known.

    Searches that are kept for later make room where they must.
    """
    call = call_of(request)
    room = _room(model, call, budget)
    if room is None or room.takes(call.prompts):
        return room
    model.searches.clear()
    return _room(model, call, budget)


def _room(model: Decoder, call: Call, budget: int | float | None) -> Room | None:
    free, said = free_bytes(model.device), f"free on {model.device}"
    if budget is not None and (free is None or budget < free):
        free, said = int(budget), "the memory_budget"
    return None if free is None else Room(model.stage, model.config, model.dtype.itemsize, call, free, said)


def check_budget(budget: object) -> None:
    """Raise ValueError unless this is a number of bytes, or None."""
    if budget is not None and (isinstance(budget, bool) or not isinstance(budget, int | float) or not budget >= 1):
        raise ValueError(f"memory_budget={budget!r}: expected bytes for one call beside the weights, such as 8e9")


def as_size(size: int | float) -> str:
    """Bytes as people read them."""
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"
