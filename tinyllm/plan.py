"""How much memory a call needs, before any of it is allocated; and how many requests fit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tinyllm.ops.cost import Workload
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
    rows, b = stage.cache.rows_at_once(work), work.batch
    m, f, d = config.hidden_size, config.intermediate_size, config.head_dim
    heads = config.num_attention_heads + config.num_key_value_heads
    layer = 3 * m + max(4 * f, 3 * heads * d, 6 * m)  # feed-forward, attention, or a norm in float32
    bias = work.padded * rows * work.total
    scores = b * work.copies * config.vocab_size * (work.size + 16)  # as they come, and four times in float32
    kept = (1 + 4 * call.beams) * work.copies  # running, ended, and twice as many candidates
    return Need(
        keys_and_values=stage.cache.held_bytes(config, work),
        activations=max(work.size * (rows * layer + bias), scores),
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


def prompts_that_fit(model: Decoder, request: Request) -> int | None:
    """How many prompts of a request can be answered at a time; None where the system does not tell what is free."""
    free, call = free_bytes(model.device), call_of(request)
    if free is None or need(model.stage, model.config, call, model.dtype.itemsize).total <= free:
        return None if free is None else call.prompts
    return most_prompts(model.stage, model.config, call, model.dtype.itemsize, free)


def too_large(model: Decoder, request: Request, at_once: int) -> str:
    """What is said of a request that does not fit."""
    call, free = call_of(request), free_bytes(model.device)
    wanted = need(model.stage, model.config, call, model.dtype.itemsize)
    way_out = (
        "pass fewer, or split_batch=True" if at_once else "pass a shorter prompt, or ask for fewer tokens or beams"
    )
    return (
        f"{call.prompts} prompts of {call.tokens} tokens, {call.new} new ones for each of {call.copies} sequences need "
        f"{wanted}; {as_size(free or 0)} are free on {model.device}: expected at most {at_once} prompts; {way_out}"
    )


def as_size(size: int | float) -> str:
    """Bytes as people read them."""
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"
