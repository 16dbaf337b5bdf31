"""How much memory a call needs, before any of it is allocated; and how many requests fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from tinyllm.attention.kernel import kernel_attention
from tinyllm.attention.stock import stock_attention
from tinyllm.config import DecoderConfig
from tinyllm.cost.attention import copied_elements
from tinyllm.cost.cache import costs_of
from tinyllm.cost.masks import beam_bias_elements, bias_elements, kinds_of_windows
from tinyllm.cost.packed import UnpackedBytes, unpacked_bytes
from tinyllm.cost.workload import Workload
from tinyllm.decoder import Decoder
from tinyllm.generation.request import Request
from tinyllm.generation.sessions import Sessions
from tinyllm.runtime.device import free_bytes, size_as_text
from tinyllm.stages import Stage

MARGIN = 1.03  # allocators round up, and kernels take workspaces


@dataclass(frozen=True)
class CallShape:
    """What the memory of a call of `generate` depends on.

    `prompts` of `tokens`, and `new` more for each of the `copies` sequences of a prompt; `kernels`: the name of the set
    that attention runs on; `compacts`: whether sequences that have ended may leave the work; `int8`: whether keys and
    values are kept in int8.
    """

    prompts: int
    tokens: int
    new: int
    copies: int = 1
    padded: bool = False
    beams: bool = False
    kernels: str = "triton"
    compacts: bool = False
    int8: bool = False


@dataclass(frozen=True)
class MemoryNeed:
    """Bytes that a call holds at its peak, beside the weights."""

    keys_and_values: int
    activations: int  # in the layers, of the choice among all next tokens, or of a compaction
    sequences: int

    @property
    def total(self) -> int:
        """All of it, with what allocators and kernels take on top."""
        return int(MARGIN * (self.keys_and_values + self.activations + self.sequences))

    def __str__(self) -> str:
        kv = size_as_text(self.keys_and_values)
        activations = size_as_text(self.activations)
        return f"{size_as_text(self.total)} (keys and values {kv}, activations {activations})"


def memory_need(
    stage: Stage,
    config: DecoderConfig,
    call: CallShape,
    size: int,
    unpack_device: str | None = None,
) -> MemoryNeed:
    """The larger of two peaks: after the prefill, and at the last token; `size` is bytes per element.

    `unpack_device`: the type of the device on which packed weights are unpacked for matmuls; None where all are dense.
    """
    prefill = Workload(
        call.prompts,
        call.tokens,
        0,
        size,
        call.padded,
        copies=call.copies,
        independent=not call.beams,
        kernels=call.kernels,
        int8=call.int8,
    )
    steps = max(0, call.new - 2)  # the last new token is never attended to
    last = replace(prefill, tokens=1, held=call.tokens + steps, steps=steps)
    unpacked = UnpackedBytes(0, 0)
    if unpack_device is not None:
        unpacked = unpacked_bytes(stage, config, size, unpack_device)
    peaks = [_peak_at(stage, config, work, call, unpacked) for work in (prefill, last)]
    return max(peaks, key=lambda peak: peak.total)


def _peak_at(
    stage: Stage, config: DecoderConfig, work: Workload, call: CallShape, unpacked: UnpackedBytes
) -> MemoryNeed:
    costs = costs_of(stage.cache)
    rows = costs.rows_per_pass(work)
    m = config.hidden_size
    f = config.intermediate_size
    heads = config.num_attention_heads + config.num_key_value_heads
    norm_in_float32 = 6 * m
    attention = 3 * heads * config.head_dim
    layer = 3 * m + max(4 * f, attention, norm_in_float32)
    one_pass = replace(work, batch=max(1, rows // work.tokens), copies=1)
    kinds = [config.of_kind(kind) for kind in kinds_of_windows(config)]
    bias = sum(bias_elements(kind, one_pass) for kind in kinds)
    bias *= 1 + 2 * config.alibi  # made inside a layer, from distances that are wider
    if work.held and stage.attention is stock_attention:
        bias += 2 * beam_bias_elements(config, work)  # as booleans, and as numbers
    paths = 0
    if work.held and stage.attention is kernel_attention and work.kernels == "torch":
        paths = copied_elements(config, work)
    unfused = config.score_softcap is not None or (config.alibi and work.held > 0)
    keys = work.total
    if work.held:
        keys = work.held - work.steps + work.copies * (work.steps + 1)
    scores = (
        rows * config.num_attention_heads * keys * unfused
    )  # four times in float32, and the bias
    logits = work.size * work.batch * work.copies * config.vocab_size
    float_logits = 16 * work.batch * work.copies * config.vocab_size  # four times in float32
    kept = (1 + 4 * call.beams) * work.copies  # running, ended, and twice as many candidates
    keys_and_values = costs.held_bytes(config, work)
    compaction = 0
    if call.compacts and work.held:  # at most one layer's keys and values twice, and the logits
        rows_of_logits = work.batch * work.copies * config.vocab_size
        compaction = keys_and_values // config.num_hidden_layers + 8 * rows_of_logits
    in_layers = work.size * (rows * layer + bias + paths) + (16 + 4 * config.alibi) * scores
    if work.int8:
        copies = dequantize_bytes(stage, config, work if work.held else one_pass)
        in_layers += max(0, copies - work.size * rows * (layer - 3 * m - attention))
    return MemoryNeed(
        keys_and_values=keys_and_values,
        activations=max(
            in_layers + unpacked.layer,
            logits + float_logits,
            2 * logits + unpacked.head,
            compaction,
        ),
        sequences=8 * work.batch * kept * (call.tokens + 2 * call.new),
    )


def dequantize_bytes(stage: Stage, config: DecoderConfig, work: Workload) -> int:
    """Bytes of one layer's keys and values as attention reads them, where it cannot read int8, and of new ones.

    The values are in float32 for a moment, beside the keys in the number format of activations.
    """
    row = config.num_key_value_heads * config.head_dim
    new = 8 * work.rows * row
    has_kernel = stage.attention is kernel_attention and work.kernels != "torch"
    if work.held and has_kernel:
        return new
    keys = work.total
    if work.held:
        keys = work.held - work.steps + work.copies * (work.steps + 1)
    return max(new, (4 + 2 * work.size) * work.batch * keys * row)


def max_prompts(
    stage: Stage,
    config: DecoderConfig,
    call: CallShape,
    size: int,
    free: int,
    unpack_device: str | None = None,
) -> int:
    """How many prompts of this kind fit into `free` bytes at a time; 0 where not even one does."""

    def fits(prompts: int) -> bool:
        more = replace(call, prompts=prompts)
        return memory_need(stage, config, more, size, unpack_device).total <= free

    return largest(fits)


def largest(fits: Callable[[int], bool]) -> int:
    """The largest number that fits, as all below it do; 0 where 1 does not."""
    low = 0
    high = 1
    while fits(high):
        low = high
        high = 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if fits(middle):
            low = middle
        else:
            high = middle
    return low


def call_shape(decoder: Decoder, request: Request) -> CallShape:
    """What memory depends on in a request."""
    prompts, tokens = request.input_ids.shape
    return CallShape(
        prompts,
        tokens,
        request.total - tokens,
        copies=request.copies,
        padded=request.mask is not None,
        beams=request.beams is not None,
        kernels=decoder.kernels.name,
        compacts=request.compacts,
        int8=decoder.kv_dtype is not None,
    )


@dataclass(frozen=True)
class MemoryBudget:
    """The memory that a call of `generate` may take; `size` and `unpack_device` as in `memory_need`."""

    stage: Stage
    config: DecoderConfig
    size: int
    call: CallShape
    free: int
    source: str  # of the number `free`
    unpack_device: str | None = None

    def need(self, prompts: int) -> MemoryNeed:
        """What so many prompts of the call take at a time."""
        call = replace(self.call, prompts=prompts)
        return memory_need(self.stage, self.config, call, self.size, self.unpack_device)

    def fits(self, prompts: int) -> bool:
        """Whether so many prompts of the call fit at a time."""
        return self.need(prompts).total <= self.free

    @cached_property
    def fits_call(self) -> bool:
        """Whether all prompts of the call fit at a time."""
        return self.fits(self.call.prompts)

    def max_prompts(self, tokens: int) -> int:
        """How many prompts of at most so many tokens fit at a time."""
        call = replace(self.call, tokens=tokens)
        return max_prompts(
            self.stage, self.config, call, self.size, self.free, unpack_device=self.unpack_device
        )

    def max_copies(self, tokens: int) -> int:
        """How many samples of one prompt of so many tokens fit at a time; 0 where samples cannot be split.

        Beside them are the logits after the prompt, and in every step random numbers for all samples.
        """
        if self.call.beams or self.call.copies == 1:
            return 0

        def fits(copies: int) -> bool:
            call = replace(self.call, prompts=1, tokens=tokens, copies=copies)
            need = memory_need(self.stage, self.config, call, self.size, self.unpack_device).total
            scores = 4 * self.config.vocab_size * (self.call.copies + 3 * copies)
            return copies <= self.call.copies and need + MARGIN * scores <= self.free

        return largest(fits)

    def too_small(self) -> str:
        """The error message of a call that does not fit."""
        call = self.call
        fitting = self.max_prompts(call.tokens)
        need = self.need(call.prompts)
        advice = "pass a shorter prompt, or ask for fewer tokens or beams"
        if fitting or self.max_copies(call.tokens):
            advice = "pass fewer, or split_batch=True"
        return (
            f"{call.prompts} prompts of {call.tokens} tokens, {call.new} new ones for each of {call.copies} sequences "
            f"need {need}; {size_as_text(self.free)} are {self.source}: expected at most {fitting} prompts; {advice}"
        )


def find_memory_budget(
    decoder: Decoder,
    stage: Stage,
    sessions: Sessions,
    request: Request,
    limit: int | float | None = None,
) -> MemoryBudget | None:
    """The free memory, or a smaller limit; None where neither is known.

    Sessions that are kept for later are dropped where the request needs their memory.
    """
    call = call_shape(decoder, request)
    budget = _budget(decoder, stage, call, limit)
    if budget is None or budget.fits_call:
        return budget
    sessions.clear()
    return _budget(decoder, stage, call, limit)


def _budget(
    decoder: Decoder, stage: Stage, call: CallShape, limit: int | float | None
) -> MemoryBudget | None:
    free = decoder.ranks.least(free_bytes(decoder.device))
    source = f"free on {decoder.device}"
    if limit is not None and (free is None or limit < free):
        free = int(limit)
        source = "the memory_budget"
    if free is None:
        return None
    unpack_device = decoder.device.type if decoder.has_packed_weights else None
    return MemoryBudget(
        stage, decoder.config, decoder.dtype.itemsize, call, free, source, unpack_device
    )


def check_memory_budget(budget: Any) -> None:
    """Raise ValueError unless this is a number of bytes, or None."""
    is_number = isinstance(budget, int | float) and not isinstance(budget, bool)
    if budget is not None and (not is_number or not budget >= 1):
        raise ValueError(
            f"memory_budget={budget!r}: expected bytes for one call beside the weights, such as 8e9"
        )
