"""Attention of a decode step over both segments on this machine's GPU, beside torch's, at the sizes of Llama.

    python book/device/bench_attention.py --json attention.json [--prompts 128 1024 8192] [--repeats 5]
    python book/device/bench_attention.py --layouts --json layouts.json
    python book/device/bench_attention.py --tune

Time is per call inside a replayed graph that rotates over copies of the memory, so that no key is in the cache.
The implementations alternate; figures are medians over the rounds. `bytes` must move: every key and value of a prompt
once, every live slot of the response once, queries and results. The peers: stock attention over an expanded contiguous
cache, as in transformers; stock attention over each segment and a merge, as in the stage `segment`; and FlexAttention
over both segments in one memory, with a precomputed block mask, for the shapes named by --flex.
"""

from __future__ import annotations

import argparse
import copy
import dataclasses
import datetime
import gc
import itertools
import json
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parent))
from bench_triton import timing, tuning

from tinyllm.bench.attention_rows import SHAPES
from tinyllm.kernels.torch_attention import attention_with_lse, bias_of_mask, merge_by_lse
from tinyllm.kernels.triton import attention
from tinyllm.kernels.triton.beam_mask import make_beam_mask
from tinyllm.kernels.triton.split_plan import split_plan_of

DTYPE = torch.bfloat16
# The order in memory of the response's dimensions (request, head, step, sequence, element).
LAYOUTS = {
    "request, head, step, sequence": (0, 1, 2, 3, 4),  # the order of the cache
    "request, head, sequence, step": (0, 1, 3, 2, 4),  # beam first
    "step, sequence, request, head": (2, 3, 0, 1, 4),  # sequence first, as published
}


@dataclass(frozen=True)
class Cell:
    """One row of the table."""

    shape: str
    batch: int
    beams: int
    prompt: int
    response: int

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Query heads, key/value heads, head size."""
        return SHAPES[self.shape]


class Problem:
    """The memory of a cell: prompts, responses, and the beam index of a beam search."""

    def __init__(self, cell: Cell, device: torch.device) -> None:
        (h, g, d), b, w = cell.sizes, cell.batch, cell.beams
        draw = lambda *shape: torch.randn(shape, device=device, dtype=DTYPE)  # noqa: E731
        self.cell, self.q = cell, draw(b, w, h, d).transpose(1, 2)
        self.prompt = draw(b, g, cell.prompt, d), draw(b, g, cell.prompt, d)
        self.response = draw(b, g, cell.response * w, d), draw(b, g, cell.response * w, d)
        self.lengths = torch.tensor([cell.prompt, cell.response], dtype=torch.int32, device=device)
        self.beam_index = searched(b, w, cell.response).to(device)
        own = torch.arange(w, device=device)
        seen = (self.beam_index[..., None] == own).flatten(2)  # [b, w, slots]
        self.live = int(seen.any(dim=1).sum())
        self.bias = bias_of_mask(seen[:, None].repeat(1, 1, h // g, 1), DTYPE) if w > 1 else None
        self.beam_mask = make_beam_mask(self.beam_index) if w > 1 else None
        self.workspace = attention.attention_workspace(
            self.q.shape, self.prompt[0], self.response[0]
        )

    @property
    def bytes(self) -> int:
        """Bytes that must move."""
        (h, g, d), cell = self.cell.sizes, self.cell
        keys = cell.batch * cell.prompt + self.live
        return DTYPE.itemsize * (2 * keys * g * d + 2 * cell.batch * cell.beams * h * d)


def searched(b: int, w: int, steps: int) -> Tensor:
    """The beam index after `steps` steps, in which one beam in four continues another one."""
    generator = torch.Generator().manual_seed(steps)
    own = torch.arange(w).expand(b, w)
    table = torch.empty(b, w, steps, dtype=torch.int64)
    for step in range(steps):
        other = torch.randint(w, (b, w), generator=generator)
        parents = torch.where(torch.rand(b, w, generator=generator) < 0.25, other, own)
        table[:, :, :step] = table[:, :, :step].gather(1, parents[..., None].expand(-1, -1, step))
        table[:, :, step] = own
    return table.int()


def ours(
    p: Problem,
    launch: tuning.LaunchConfig | None = None,
    workspace: attention.Workspace | None = None,
) -> Tensor:
    """One launch."""
    more = {"beam_mask": p.beam_mask, "workspace": workspace or p.workspace, "launch": launch}
    return attention.segment_attention(p.q, *p.prompt, *p.response, p.lengths, p.beam_index, **more)


def two_segments(p: Problem) -> Tensor:
    """The implementation of the stage `segment`."""
    (h, g, d), b, w = p.cell.sizes, p.cell.batch, p.cell.beams
    q = p.q.reshape(b, g, -1, d)
    prompt = attention_with_lse(q, *p.prompt, None, fixed_length=True)
    out = merge_by_lse([prompt, attention_with_lse(q, *p.response, p.bias)])
    return out.reshape(b, h, w, d).transpose(1, 2).reshape(b, w, h * d)


class Expanded:
    """Attention over separate keys and values for every beam, gathered before the measurement."""

    def __init__(self, p: Problem) -> None:
        (h, g, d), b, w = p.cell.sizes, p.cell.batch, p.cell.beams
        slots = (p.beam_index.long() + w * torch.arange(p.cell.response, device=p.q.device))[
            :, :, None, :, None
        ]
        self.q = p.q.transpose(1, 2).reshape(b * w, h, 1, d)
        self.kv = [
            torch.cat([
                prompt[:, None].expand(-1, w, -1, -1, -1),
                response[:, None].expand(-1, w, -1, -1, -1).gather(3, slots.expand(-1, -1, g, -1, d)),
            ], dim=3).flatten(0, 1)
            for prompt, response in zip(p.prompt, p.response, strict=True)
        ]  # fmt: skip

    def __call__(self) -> Tensor:
        return F.scaled_dot_product_attention(self.q, *self.kv, enable_gqa=True)


class Flex:
    """FlexAttention over prompt and response side by side; the mask is a function of the beam index."""

    def __init__(self, p: Problem, compiled: Callable) -> None:
        from torch.nn.attention.flex_attention import create_block_mask

        cell, beam_index = p.cell, p.beam_index
        (_, w, t), n = (
            (cell.batch, cell.beams, cell.prompt),
            cell.prompt + cell.response * cell.beams,
        )

        def visible(b, h, query, key):
            slot = (key - t).clamp(min=0)
            return (key < t) | (beam_index[b, query.clamp(max=w - 1), slot // w] == slot % w)

        self.q = p.q.contiguous()
        self.kv = [torch.cat(pair, dim=2) for pair in zip(p.prompt, p.response, strict=True)]
        self.mask = create_block_mask(visible, cell.batch, None, w, n, device=p.q.device)
        self.compiled = compiled

    def __call__(self) -> Tensor:
        return self.compiled(self.q, *self.kv, block_mask=self.mask, enable_gqa=True)


def microseconds(
    calls: dict[str, list[Callable[[], object]]], repeats: int, device: torch.device
) -> dict[str, float]:
    """Medians over rounds of replayed graphs, each over all copies of an implementation's memory."""
    backend = getattr(torch, device.type)
    replays = {
        name: timing.replayed(lambda each=each: [call() for call in each], device)[0]
        for name, each in calls.items()
    }
    times: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(repeats):
        for name in list(calls) if turn % 2 == 0 else list(calls)[::-1]:
            start, end = backend.Event(enable_timing=True), backend.Event(enable_timing=True)
            start.record()
            replays[name]()
            end.record()
            end.synchronize()
            times[name].append(1e3 * start.elapsed_time(end) / len(calls[name]))
    return {name: statistics.median(each) for name, each in times.items()}


def copies_of(cell: Cell, device: torch.device) -> list[Problem]:
    """Copies of a problem with twice the memory of the cache."""
    first = Problem(cell, device)
    return [
        first,
        *(
            Problem(cell, device)
            for _ in range(min(63, 2 * timing.cache_bytes(device) // first.bytes))
        ),
    ]


def measure(
    cell: Cell, options: argparse.Namespace, device: torch.device, compiled: Callable
) -> dict:
    """All implementations of one cell; None for one that fails or does not fit into memory."""
    problems = copies_of(cell, device)
    calls: dict[str, list] = {"ours": [lambda p=p: ours(p) for p in problems]}
    calls["two_segments"] = [lambda p=p: two_segments(p) for p in problems]
    h, g, d = cell.sizes
    expanded = 2 * DTYPE.itemsize * cell.batch * cell.beams * (cell.prompt + cell.response) * g * d
    if expanded * len(problems) * 2.2 < torch.cuda.mem_get_info(device)[0]:
        calls["expanded"] = [Expanded(p) for p in problems]
    if (cell.prompt, cell.response) in options.flex and cell.batch in (1, 8):
        calls["flex"] = [Flex(p, compiled) for p in problems]
    exact = Expanded(problems[0])() if "expanded" in calls else None
    if exact is not None:
        got = ours(problems[0]).reshape(-1, h, 1, d)
        error = (got.float() - exact.float()).abs().max().item()
        assert error < 0.02, f"{cell}: off by {error}"
    times = microseconds(calls, options.repeats, device)
    plan = split_plan_of(problems[0].q.shape, problems[0].prompt[0], problems[0].response[0])
    row = {
        "shape": cell.shape,
        "heads": h,
        "kv_heads": g,
        "head_dim": d,
        "dtype": "bfloat16",
        "batch": cell.batch,
    }
    row |= {
        "beams": cell.beams,
        "prompt": cell.prompt,
        "response": cell.response,
        "bytes": problems[0].bytes,
    }
    names = ("ours", "expanded", "two_segments", "flex")
    return row | {
        "us": {name: round(times[name], 2) if name in times else None for name in names},
        "splits": plan.splits,
    }


def lying(p: Problem, order: tuple[int, ...]) -> Problem:
    """The problem with another order of the response in memory."""
    other = copy.copy(p)
    steps = (x.unflatten(2, (p.cell.response, p.cell.beams)) for x in p.response)
    back = [order.index(i) for i in range(5)]
    other.response = tuple(x.permute(order).contiguous().permute(back) for x in steps)
    return other


def layouts(options: argparse.Namespace, device: torch.device) -> list[dict]:
    """Microseconds of our kernel for each layout of the response; asserts equal results."""
    rows = []
    for shape, batch, beams, response in itertools.product(
        SHAPES, (1, 8, 64), (1, 4, 8), (64, 512)
    ):
        cell = Cell(shape, batch, beams, 1024, response)
        problems = copies_of(cell, device)
        laid = {name: [lying(p, order) for p in problems] for name, order in LAYOUTS.items()}
        first = ours(problems[0])
        assert all(ours(each[0]).equal(first) for each in laid.values()), cell
        calls = {name: [lambda p=p: ours(p) for p in each] for name, each in laid.items()}
        us = {
            name: round(time, 2)
            for name, time in microseconds(calls, options.repeats, device).items()
        }
        print(cell, us, flush=True)
        rows.append(dataclasses.asdict(cell) | {"us": us})
        del problems, laid, calls
        gc.collect()
        torch.cuda.empty_cache()
    return rows


def tune(device: torch.device, repeats: int) -> None:
    """Print the times of other split plans, for a few cells."""
    base = tuning.launch_for("attention", device.type)
    cells = [Cell("llama-2-7b", 1, 1, 1024, 64), Cell("llama-2-7b", 1, 4, 1024, 64), Cell("llama-2-7b", 8, 4, 1024, 64),
             Cell("llama-2-7b", 64, 4, 1024, 64), Cell("llama-3-8b", 1, 1, 1024, 64),
             Cell("llama-3-8b", 8, 4, 1024, 64), Cell("llama-2-7b", 1, 1, 128, 64),
             Cell("llama-3-8b", 64, 8, 1024, 64)]  # fmt: skip
    rows = [
        replace(
            base,
            blocks={**base.blocks, "block_n": keys, "waves": waves},
            num_warps=warps,
            num_stages=stages,
        )
        for keys, warps, stages, waves in itertools.product((64, 128), (4,), (2, 3, 4), (2, 4, 8))
        if keys * stages <= 256
    ]
    for cell in cells:
        problems, timed = copies_of(cell, device), []
        for row in rows:
            try:
                first = problems[0]
                plan = split_plan_of(first.q.shape, first.prompt[0], first.response[0], row)
                spaces = [attention._workspace(p.q.shape, p.prompt[0], plan) for p in problems]
                calls = [
                    lambda p=p, s=s, row=row: ours(p, row, s)
                    for p, s in zip(problems, spaces, strict=True)
                ]
                timed.append(
                    (microseconds({"ours": calls}, repeats, device)["ours"], plan.splits, row)
                )
            except Exception as error:
                print("failed", row, str(error)[:100])
        timed.sort(key=lambda each: each[0])
        for us, splits, row in [*timed[:4], *(each for each in timed[4:] if each[2] == base)]:
            print(
                f"{cell}: {us:8.2f} us {problems[0].bytes / us / 1e3:7.0f} GB/s splits {splits} {row}",
                flush=True,
            )


def main() -> None:
    """Check, time and record every cell."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--json", type=Path)
    parser.add_argument(
        "--tune", action="store_true", help="time other plans for a few cells, and no more"
    )
    parser.add_argument(
        "--layouts", action="store_true", help="time layouts of the response, and no more"
    )
    parser.add_argument("--prompts", type=int, nargs="+", default=[128, 1024, 8192])
    parser.add_argument("--responses", type=int, nargs="+", default=[1, 64, 512])
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8, 32, 64])
    parser.add_argument("--beams", type=int, nargs="+", default=[1, 4, 8])
    parser.add_argument(
        "--flex",
        type=lambda text: tuple(map(int, text.split("+"))),
        nargs="*",
        default=[(1024, 64)],
    )
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    device = torch.device("xpu" if torch.xpu.is_available() else "cuda")
    if options.tune:
        tune(device, options.repeats)
        return
    from torch.nn.attention.flex_attention import flex_attention

    speed, name = timing.bandwidths(device), getattr(torch, device.type).get_device_name(device)
    print(name, speed, flush=True)
    record = {"device": name, "date": datetime.date.today().isoformat(), **speed, "rows": []}
    record["versions"] = {"torch": torch.__version__, "triton": __import__("triton").__version__}
    if options.layouts:
        record["rows"] = layouts(options, device)
        options.json.write_text(json.dumps(record, indent=1) + "\n")
        return
    grid = itertools.product(
        SHAPES, options.prompts, options.responses, options.batches, options.beams
    )
    for shape, prompt, response, batch, beams in grid:
        cell = Cell(shape, batch, beams, prompt, response)
        try:
            row = measure(cell, options, device, torch.compile(flex_attention))
        except Exception as error:
            print(f"{cell}: {type(error).__name__}: {str(error)[:200]}", flush=True)
            continue
        finally:
            gc.collect()
            torch.cuda.empty_cache()
        record["rows"].append(row)
        print(
            cell,
            row["us"],
            f"{row['bytes'] / row['us']['ours'] / 1e3:.0f} GB/s, splits {row['splits']}",
            flush=True,
        )
        if options.json:
            options.json.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
