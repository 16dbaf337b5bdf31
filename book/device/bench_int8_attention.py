"""Attention of a decode step over keys and values in bf16 and in int8 on this machine's GPU, at the sizes of Llama.

    python book/device/bench_int8_attention.py --json int8.json [--repeats 5] [--tune]

Time is per call inside a replayed graph that rotates over copies of the memory, so that no key is in the cache. Both
formats alternate; figures are medians over the rounds. `bytes` must move: every key and value of a prompt once, every
live slot of the response once, in int8 a scale of each, queries and results. With --tune every cell is timed with other
tiles for int8, too.
"""

from __future__ import annotations

import argparse
import datetime
import gc
import json
import statistics
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
import triton
from torch import Tensor

from tinyllm.bench.attention_rows import SHAPES
from tinyllm.kernels.int8 import quantize
from tinyllm.kernels.kernel_set import KeyValueScales
from tinyllm.kernels.triton import attention, make_beam_mask, segment_attention, split_plan_of
from tinyllm.kernels.triton.timing import cache_bytes, milliseconds, replayed
from tinyllm.kernels.triton.tuning import LAUNCHES, LaunchConfig

DTYPE = torch.bfloat16
STEPS = 64
MEMORY = ("prompt_k", "prompt_v", "response_k", "response_v")
# Keys of a tile, warps and stages, worth measuring.
TILES = ((32, 4, 3), (32, 4, 4), (32, 8, 4), (64, 4, 3), (64, 8, 3), (128, 4, 3), (128, 8, 3))


@dataclass(frozen=True)
class Cell:
    """One row of the table; `kind`: the sequences of a prompt are beams or independent samples."""

    shape: str
    batch: int
    kind: str
    width: int
    prompt: int


CELLS = (
    *(
        Cell("llama-3-8b", 1, kind, width, prompt)
        for prompt in (2048, 8192)
        for kind, width in (("beams", 1), ("beams", 4), ("samples", 64), ("samples", 256))
    ),
    Cell("llama-2-7b", 16, "beams", 4, 1024),
)


def beam_index_of_search(batch: int, width: int, steps: int) -> Tensor:
    """The beam index [batch, width, steps] of a search that reorders at random in every step."""
    generator = torch.Generator().manual_seed(0)
    index = torch.zeros(batch, width, steps, dtype=torch.int64)
    for step in range(steps):
        parents = torch.randint(width, (batch, width, 1), generator=generator)
        index[:, :, :step] = index[:, :, :step].gather(1, parents.expand(-1, -1, step))
        index[:, :, step] = torch.arange(width)
    return index.int()


class Problem:
    """The memory of a cell in both formats."""

    def __init__(self, cell: Cell, device: torch.device) -> None:
        h, g, d = SHAPES[cell.shape]
        b, w = cell.batch, cell.width
        lengths = (cell.prompt, cell.prompt, STEPS * w, STEPS * w)
        self.cell = cell
        self.q = torch.randn(b, w, h, d, device=device, dtype=DTYPE).transpose(1, 2)
        self.memory = {
            name: torch.randn(b, g, n, d, device=device, dtype=DTYPE)
            for name, n in zip(MEMORY, lengths, strict=True)
        }
        self.common = {
            "lengths": torch.tensor([cell.prompt, STEPS], dtype=torch.int32, device=device)
        }
        live_slots = b * STEPS * w
        if cell.kind == "beams" and w > 1:
            beam_index = beam_index_of_search(b, w, STEPS).to(device)
            self.common |= {"beam_index": beam_index, "beam_mask": make_beam_mask(beam_index)}
            own = torch.arange(w, device=device)
            live_slots = int((beam_index[..., None] == own).flatten(2).any(dim=1).sum())
        self.rows = 2 * g * (b * cell.prompt + live_slots)  # keys and values that are read
        self.other_bytes = 2 * self.q.numel() * self.q.element_size()

    def arguments(self, *, int8: bool) -> dict:
        """Copies of the memory, with what belongs to them."""
        if not int8:
            memory = {name: x.clone() for name, x in self.memory.items()}
            return {"q": self.q, **memory, **self.common}
        rounded = {name: quantize(x) for name, x in self.memory.items()}
        scales = KeyValueScales(*(scale for _, scale in rounded.values()))
        codes = {name: codes for name, (codes, _) in rounded.items()}
        return {"q": self.q, **codes, "scales": scales, **self.common}

    def num_bytes(self, *, int8: bool) -> int:
        """Bytes that a call must move."""
        d = self.q.shape[-1]
        row_bytes = d + 4 if int8 else d * DTYPE.itemsize
        return self.rows * row_bytes + self.other_bytes


def sweep_of(
    problem: Problem, device: torch.device, *, int8: bool, launch: LaunchConfig | None = None
) -> tuple[Callable[[], None], int]:
    """A replayed graph of calls, each over a copy of the memory, and their number."""
    fitting = 3 * cache_bytes(device) // problem.num_bytes(int8=int8)
    copies = max(2, min(64, fitting))
    calls = [problem.arguments(int8=int8) for _ in range(copies)]
    memory = calls[0]["prompt_k"], calls[0]["response_k"]
    plan = split_plan_of(problem.q.shape, *memory, launch)
    workspace = attention._workspace(problem.q.shape, memory[0], plan)

    def sweep() -> None:
        for call in calls:
            segment_attention(**call, workspace=workspace, launch=launch)

    replay, _ = replayed(sweep, device)

    def run(_memory_of_graph: object = (calls, workspace)) -> None:
        replay()

    return run, copies


def error_of(problem: Problem) -> float:
    """The largest difference of int8 to the same keys and values dequantised, in fp32; relative to the mean square."""
    int8 = problem.arguments(int8=True)
    scales = int8["scales"]._asdict()
    wide = {name: int8[name].float() * scales[name][..., None] for name in MEMORY}
    expected = segment_attention(**problem.common, **wide, q=problem.q.float())
    found = segment_attention(**int8).float()
    return ((found - expected).abs().max() / expected.square().mean().sqrt()).item()


def rows_of(cell: Cell, device: torch.device, repeats: int, *, tune: bool) -> list[dict]:
    """The rows of a cell: bf16, int8, and with `tune` int8 with other tiles."""
    problem = Problem(cell, device)
    contenders = {"bf16": (False, None), "int8": (True, None)}
    if tune:
        row = LAUNCHES[device.type]["attention_int8"]
        for block_n, warps, stages in TILES:
            launch = replace(
                row, blocks={**row.blocks, "block_n": block_n}, num_warps=warps, num_stages=stages
            )
            contenders[f"int8, {block_n} keys, {warps} warps, {stages} stages"] = (True, launch)
    sweeps = {}
    for name, (int8, launch) in contenders.items():
        try:
            sweeps[name] = sweep_of(problem, device, int8=int8, launch=launch)
        except Exception as error:  # out of shared memory: the compiler's own kinds of error
            print(f"  {name}: {type(error).__name__}: {str(error).splitlines()[:1]}")
    times: dict[str, list[float]] = {name: [] for name in sweeps}
    for _ in range(repeats):
        for name, (run, copies) in sweeps.items():
            times[name].append(1e3 * milliseconds(run) / copies)
    medians = {name: statistics.median(found) for name, found in times.items()}
    return [
        {
            **vars(cell),
            "steps": STEPS,
            "format": name,
            "us": us,
            "us_min": min(times[name]),
            "us_max": max(times[name]),
            "bytes": problem.num_bytes(int8=contenders[name][0]),
            "gb_s": problem.num_bytes(int8=contenders[name][0]) / us / 1e3,
            "ratio": medians["bf16"] / us,
            "error": error_of(problem) if name == "int8" else None,
        }
        for name, us in medians.items()
    ]


def main() -> None:
    """Time every cell, print its rows, and write them."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--json", help="file for the rows")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--tune", action="store_true", help="time other tiles for int8, too")
    options = parser.parse_args()
    kind = next((kind for kind in ("xpu", "cuda") if getattr(torch, kind).is_available()), None)
    if kind is None:
        parser.error("no GPU: this needs a device that torch.xpu or torch.cuda finds")
    device = torch.device(kind)
    environment = {
        "device": getattr(torch, kind).get_device_name(device),
        "torch": torch.__version__,
        "triton": triton.__version__,
        "date": datetime.date.today().isoformat(),
    }
    print(environment)
    rows = []
    for cell in CELLS:
        gc.collect()
        getattr(torch, kind).empty_cache()
        title = f"{cell.shape}, batch {cell.batch}, {cell.width} {cell.kind}, prompt {cell.prompt}"
        print(title, flush=True)
        for row in rows_of(cell, device, options.repeats, tune=options.tune):
            rows.append(environment | row)
            error = "" if row["error"] is None else f", error {row['error']:.1e}"
            print(
                f"  {row['format']:36} {row['us']:8.1f} us {row['bytes'] / 1e6:8.1f} MB"
                f" {row['gb_s']:7.0f} GB/s, ratio {row['ratio']:.2f}{error}",
                flush=True,
            )
        if options.json:
            with open(options.json, "w") as file:
                json.dump(rows, file, indent=1)


if __name__ == "__main__":
    main()
