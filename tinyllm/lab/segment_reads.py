"""Three ways to attend to a prompt and the steps after it: the bytes that they read, predicted and counted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from itertools import product
from random import Random
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from tinyllm.attention.kernel import kernel_attention
from tinyllm.attention.metadata import DecodeMetadata, Segment
from tinyllm.attention.stock import stock_attention
from tinyllm.bench.table import aligned
from tinyllm.check import Verdict
from tinyllm.check.cases import Draw
from tinyllm.check.verdicts import verdict
from tinyllm.config import DecoderConfig
from tinyllm.cost.attention import stock_attention_cost
from tinyllm.cost.workload import Workload
from tinyllm.kernels import TORCH
from tinyllm.lab.counters import classify, count, record
from tinyllm.lab.shapes import known_config
from tinyllm.lab.trace import Trace, record_trace
from tinyllm.model import Model, restage
from tinyllm.stages import Stage

NAMES = (
    "q", "prompt_k", "prompt_v", "response_k", "response_v", "lengths", "beam_index",
)  # fmt: skip
WAYS = ("expanded", "two", "one")
Arguments = dict[str, Any]
# From the beam index [w, steps] to the slots to load [n], and whether each beam sees them [w, n]
Reads = Callable[[Tensor], tuple[Tensor, Tensor]]


class BytesRead(NamedTuple):
    """Bytes of one call by way, `WAYS`, for a prompt of `tokens` and a number of beams."""

    tokens: int
    beams: int
    predicted: tuple[int, int, int]
    counted: tuple[int, int, int]


def interpreted_stage(stage: Stage) -> Stage:
    """A stage whose attention runs as a Triton kernel, interpreted, and everything else as torch's operations."""
    from tinyllm.kernels import triton

    names = ("segment_attention", "attention_workspace", "make_beam_mask", "reorder_beam_index")
    own = {name: staticmethod(getattr(triton, name)) for name in names}
    return replace(stage, kernels=type("TritonAttention", (type(TORCH),), own)())


def attention_calls(model: Model, stage: Stage, prompt: Tensor, **search: Any) -> list[Arguments]:
    """The arguments of every call of decode attention in a generation, as they were, copied to the CPU."""
    calls = []

    def watched(q: Tensor, segments: Any, metadata: Any, options: Any) -> Tensor:
        if isinstance(metadata, DecodeMetadata):
            tables = metadata.device_lengths.clone(), metadata.beam_index.clone()
            tensors = (q, *segments[0], *segments[1], *tables)
            calls.append({name: x.cpu() for name, x in zip(NAMES, tensors, strict=True)})
        return kernel_attention(q, segments, metadata, options)

    restage(model, replace(stage, attention=watched)).generate(prompt, **search)
    return calls


def random_call(config: DecoderConfig, tokens: int, beams: int, steps: int = 6) -> Arguments:
    """A call with random queries, keys and values, after steps in which beams changed their parents at random."""
    draw, choose = Draw(0, torch.float32, torch.device("cpu")), Random(0)
    g, d = config.num_key_value_heads, config.head_dim
    paths = [[0]] * beams
    for _ in range(1, steps):
        beam_idx = [choose.randrange(beams) for _ in range(beams)]
        paths = [[*paths[before], beam] for beam, before in enumerate(beam_idx)]
    memory = (draw(1, g, n, d) for n in (tokens, tokens, steps * beams, steps * beams))
    q = draw(1, beams, config.num_attention_heads, d).transpose(1, 2)
    tables = (torch.tensor(x, dtype=torch.int32, device="cpu") for x in ([tokens, steps], [paths]))
    return dict(zip(NAMES, (q, *memory, *tables), strict=True))


def _indices(n: int) -> Tensor:
    return torch.arange(n, dtype=torch.int64, device="cpu")


def live_slots(beam_index: Tensor) -> set[tuple[int, int]]:
    """The slots of a beam index [1, w, steps] that at least one beam sees, as (step, beam that wrote it)."""
    return {(step, owner) for path in beam_index[0].tolist() for step, owner in enumerate(path)}


def trace_attention(call: Arguments, block_m: int = 64) -> Trace:
    """The loads of the Triton kernel, with at most `block_m` rows to a program and no split."""
    from tinyllm.kernels import triton
    from tinyllm.kernels.triton.beam_mask import make_beam_mask
    from tinyllm.kernels.triton.tuning import launch_for

    launch = launch_for("attention", "cpu")
    unsplit = replace(launch, blocks={**launch.blocks, "waves": 1, "block_m": block_m})
    if call["q"].shape[2] > 1:
        call = call | {"beam_mask": make_beam_mask(call["beam_index"])}
    attend = partial(triton.segment_attention, launch=unsplit)
    return record_trace("segment_attention", attend, call)


def compare_attention(
    config: DecoderConfig, prompts: Iterable[int], beams: Iterable[int]
) -> list[BytesRead]:
    """Bytes of torch's attention over an expanded cache, over two segments and a merge, and of our kernel."""
    found = []
    for tokens, w in product(prompts, beams):
        call = random_call(config, tokens, w)
        stock = [count(prepare(config, **call)).bytes for prepare in (_expanded, _two)]
        counted = (*stock, trace_attention(call).bytes)
        found.append(BytesRead(tokens, w, _predicted(config, tokens, call), counted))
    return found


def bytes_as_text(rows: Iterable[BytesRead]) -> str:
    """A table of counted bytes, with a note whether all are as predicted."""
    head = ("prompt", "beams", *WAYS, "as predicted")
    lines = [
        (str(x.tokens), str(x.beams), *(f"{n:,}" for n in x.counted), str(x.counted == x.predicted))
        for x in rows
    ]
    return aligned([head, *lines])


def attention_reading(reads: Reads) -> Callable[..., Tensor]:
    """Attention with torch's operations that loads the slots of the response chosen by `reads`, and no others.

    Its arguments are those of `check("segment_attention", ...)`, without soft cap and window.
    """
    return partial(_attend_by, reads)


def check_reads(reads: Reads) -> Verdict:
    """Whether an answer loads every slot that a beam sees once, and no other: in counted bytes of the response."""
    config, sizes = known_config("smollm2-135m"), ((2, 4), (4, 6), (8, 12))
    slot = 2 * 4 * config.num_key_value_heads * config.head_dim
    cases = {}
    for beams, steps in sizes:
        call = random_call(config, 16, beams, steps)
        title = f"bytes loaded for {beams} beams, {steps} steps"
        cases[title] = (call,), slot * len(live_slots(call["beam_index"]))
    return verdict("reads", partial(_bytes_loaded, reads), cases)


def _bytes_loaded(reads: Reads, call: Arguments) -> int:
    kv = {call[name].untyped_storage()._cdata for name in ("response_k", "response_v")}
    return classify(record(partial(_attend_by, reads, **call)), set(), kv).kv_read


def _attend_by(reads: Reads, q: Tensor, lengths: Tensor, **rest: Any) -> Tensor:
    b, _, w, _ = q.shape
    tokens, steps = lengths.tolist()
    index = rest.get("beam_index")
    if index is None:
        index = _indices(w)[:, None].expand(b, w, steps)
    out = [_attend_one(reads, i, q, index[i, :, :steps], tokens, rest) for i in range(b)]
    return torch.stack(out)


def _attend_one(
    reads: Reads, i: int, q: Tensor, paths: Tensor, tokens: int, rest: Mapping[str, Any]
) -> Tensor:
    """The result [w, h * d] of one request."""
    w, slots, seen = len(paths), *reads(paths)
    positions = rest.get("prompt_positions")
    of_prompt = _indices(tokens) if positions is None else positions[i, :tokens]
    where = torch.cat([of_prompt, of_prompt[-1:] + 1 + slots // w])
    visible = torch.cat([(of_prompt >= 0).expand(w, tokens), seen.bool()], dim=1)
    slopes = rest.get("slopes")
    bias = where.float() * 0 if slopes is None else slopes[:, None, None] * where
    bias = bias.expand(q.shape[1], w, len(where)).masked_fill(~visible, -torch.inf)
    kv = [
        torch.cat(
            [rest[f"prompt_{x}"][i, :, :tokens], rest[f"response_{x}"][i].index_select(1, slots)],
            dim=1,
        )
        for x in "kv"
    ]
    out = scaled_dot_product_attention(
        q[i], *(x.nan_to_num() for x in kv), bias, scale=rest.get("scale"), enable_gqa=True
    )
    return out.transpose(0, 1).flatten(1)


def _stock(
    config: DecoderConfig, q: Tensor, segments: Any, tokens: int, steps: int, index: Tensor | None
) -> Callable[[], Tensor]:
    known = {"mask": None, "slopes": None, "kernels": TORCH, "group": config.group}
    metadata = DecodeMetadata(tokens, steps, **known, copies=q.shape[2], beam_index=index)
    metadata.bias(q)  # computed once for all layers, so not counted
    return partial(stock_attention, q, segments, metadata)


def _expanded(config: DecoderConfig, **call: Any) -> Callable[[], Tensor]:
    """A call of torch's attention over a cache in which every beam has all its keys and values."""
    w, steps = call["beam_index"].shape[1:]
    slots = _indices(steps) * w + call["beam_index"][0]
    parts = [
        torch.cat(
            [call[f"prompt_{x}"].expand(w, -1, -1, -1), _own(call[f"response_{x}"], slots)], 2
        )
        for x in "kv"
    ]
    kv, rows = Segment(*parts), call["q"][0].transpose(0, 1)[:, :, None].contiguous()
    return _stock(config, rows, (kv,), kv.capacity, 0, None)


def _own(response: Tensor, slots: Tensor) -> Tensor:
    return response[0][:, slots].transpose(0, 1)


def _two(config: DecoderConfig, **call: Any) -> Callable[[], Tensor]:
    """A call of torch's attention over each segment, and a merge."""
    prompt = Segment(call["prompt_k"], call["prompt_v"])
    response = Segment(call["response_k"], call["response_v"])
    q, index = call["q"], call["beam_index"]
    own = index if q.shape[2] > 1 else None
    return _stock(config, q, (prompt, response), prompt.capacity, index.shape[2], own)


def _predicted(config: DecoderConfig, tokens: int, call: Arguments) -> tuple[int, int, int]:
    w = call["q"].shape[2]
    work = Workload(1, 1, tokens + 5, 4, copies=w, steps=5)
    unsegmented = replace(work.expanded, segments=1)
    stock = [stock_attention_cost(config, x).bytes for x in (unsegmented, work)]
    return (*stock, bytes_of_one(config, tokens, call["beam_index"]))


def bytes_of_one(config: DecoderConfig, tokens: int, beam_index: Tensor) -> int:
    """Bytes of our kernel in fp32: keys and values of the prompt and of live slots once, q, result and beam mask."""
    w, live = beam_index.shape[1], len(live_slots(beam_index))
    masks = (4 + (4 + 8) * live) * (
        w > 1
    )  # number of dead slots; a bit mask and an index for each slot
    q_and_result = 2 * 4 * w * config.num_attention_heads * config.head_dim
    keys_and_values = 2 * 4 * config.num_key_value_heads * config.head_dim * (tokens + live)
    return q_and_result + keys_and_values + 2 * 4 + masks
