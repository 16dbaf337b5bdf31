"""Check the all-reduce of a few rows on the GPUs of one host, then time it beside torch's and the backend's.

    torchrun --nproc-per-node 2 book/device/all_reduce.py --json rows.json [--skip-check] [--replays 30]

Each time is that of one of 64 all-reduces, with the residual added, in a captured graph that is replayed again and
again: the median over the replays, of the slowest rank. On XPU the calls are queued instead. `add` is the launch that
adds the residual alone, which the others need and ours does not.
"""

from __future__ import annotations

import argparse
import datetime
import importlib
import importlib.util
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import torch
import torch.distributed as dist
import torch.distributed._symmetric_memory as symmetric_memory
from torch import Tensor

ROOT = Path(__file__).resolve().parents[2]
try:
    importlib.import_module("tinyllm.kernels")
except ImportError:  # in a checkout that is not installed, that package is elsewhere
    sys.path.append(str(ROOT))
    spec = importlib.util.spec_from_file_location("tinyllm.kernels", ROOT / "kernels/__init__.py")
    sys.modules["tinyllm.kernels"] = importlib.util.module_from_spec(spec)
from tinyllm.kernels.all_reduce import connect_one_shot  # noqa: E402
from tinyllm.kernels.triton.all_reduce import OneShotAllReduce  # noqa: E402

CALLS = 64  # of a graph
REPLAYS = 30  # of a graph that is checked
TIMED = ((1, 4096), (4, 4096), (1, 8192), (16, 4096), (64, 8192))
CHECKED = (*TIMED, (1, 1), (3, 1000), (5, 4099))
DTYPES = (torch.bfloat16, torch.float16, torch.float32)


class Ranks:
    """This process among those of the run."""

    def __init__(self) -> None:
        kind = "xpu" if torch.xpu.is_available() else "cuda"
        self.device = torch.device(kind, int(os.environ["LOCAL_RANK"]))
        torch.get_device_module(self.device).set_device(self.device)
        dist.init_process_group({"xpu": "xccl", "cuda": "nccl"}[kind], device_id=self.device)
        self.group = dist.group.WORLD
        self.rank = dist.get_rank()
        self.size = dist.get_world_size()

    def print(self, *words: object) -> None:
        """Print on rank 0."""
        if self.rank == 0:
            print(*words, flush=True)

    def gathered(self, x: Tensor) -> list[Tensor]:
        """x of every rank."""
        found = [torch.empty_like(x) for _ in range(self.size)]
        dist.all_gather(found, x)
        return found

    def slowest(self, seconds: float) -> float:
        """The largest of all ranks' numbers."""
        return max(x.item() for x in self.gathered(torch.tensor([seconds], device=self.device)))


def captured(calls: Callable[[], None], device: torch.device) -> Callable[[], None]:
    """The calls as a graph, after two runs that compile; on XPU the calls themselves."""
    calls()
    calls()
    torch.accelerator.synchronize(device)
    dist.barrier()
    if device.type != "cuda":
        return calls
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        calls()
    return graph.replay


def in_order(partials: list[Tensor], bias: Tensor | None, residual: Tensor | None) -> Tensor:
    """The sum in the order of the ranks, then bias and residual, in the format of the partial sums."""
    total = torch.zeros_like(partials[0])
    for term in (*partials, bias, residual):
        if term is not None:
            total += term.to(total.dtype)
    return total


def check(ranks: Ranks, reduce: OneShotAllReduce, dtype: torch.dtype) -> list[str]:
    """What is wrong, on this rank, with 64 calls of each size that are replayed while the ranks are late at random."""
    fitting = [size for size in CHECKED if size[0] * size[1] <= reduce.capacity]
    return [one for size in fitting for one in check_size(ranks, reduce, dtype, *size)]


def check_size(
    ranks: Ranks, reduce: OneShotAllReduce, dtype: torch.dtype, rows: int, columns: int
) -> list[str]:
    """The same for one size: every replay is compared with the sum in fp32, rounded, and that with the sum in fp64."""

    def randn(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, device=ranks.device).to(dtype)

    generator = torch.Generator(ranks.device).manual_seed(1000 * rows + ranks.rank)
    partials = randn(CALLS, rows, columns)
    generator.manual_seed(columns)
    bias = randn(columns)
    residual = randn(rows, columns)
    epilogues = [(residual if i % 2 else None, bias if i % 4 > 1 else None) for i in range(CALLS)]

    everyone = ranks.gathered(partials)
    exact = torch.empty_like(partials)
    found = []
    for i, (term, vector) in enumerate(epilogues):
        exact[i] = in_order([x[i].float() for x in everyone], vector, term).to(dtype)
        wide = in_order([x[i].double() for x in everyone], vector, term)
        error = ((exact[i] - wide).abs() / (1 + wide.abs())).max().item()
        if not error < 2 * torch.finfo(dtype).eps * ranks.size:
            found.append(f"{dtype} {rows} x {columns}, call {i}: {error} from the sum in fp64")

    outs = torch.empty_like(partials)

    def calls() -> None:
        for i in range(CALLS):
            if ranks.device.type == "cuda" and (i + ranks.rank) % 7 == 0:
                torch.cuda._sleep(20_000)
            outs[i] = reduce(partials[i], *epilogues[i])

    replay = captured(calls, ranks.device)
    wrong = torch.zeros(REPLAYS, dtype=torch.int64, device=ranks.device)
    for attempt in range(REPLAYS):
        outs.fill_(float("nan"))
        time.sleep(0.001 * ((attempt + ranks.rank) % 3))
        replay()
        wrong[attempt] = (outs != exact).sum()
    for attempt in wrong.nonzero().flatten().tolist():
        found.append(f"{dtype} {rows} x {columns}, replay {attempt}: {wrong[attempt]} are wrong")
    others = [out.view(torch.uint8) for out in ranks.gathered(outs)]
    if not all(torch.equal(other, others[0]) for other in others):
        found.append(f"{dtype} {rows} x {columns}: the ranks have different bits")
    return found


def ways(ranks: Ranks, ours: OneShotAllReduce, rows: int, columns: int):
    """By name, a function of a call's number that sums over the ranks and adds the residual; None: torch has it not."""
    shape = (CALLS, rows, columns)
    partials = torch.randn(shape, device=ranks.device).to(torch.bfloat16)
    residual = torch.randn_like(partials[0])
    shared = symmetric_memory.empty(shape, dtype=torch.bfloat16, device=ranks.device)
    shared.copy_(partials)
    name = ranks.group.group_name
    symmetric_memory.rendezvous(shared, name)
    torch_ops = torch.ops.symm_mem
    work = partials.clone()

    def backend(i: int) -> Tensor:
        dist.all_reduce(work[i])
        return work[i] + residual

    return {
        "ours": lambda i: ours(partials[i], residual),
        "torch one-shot": lambda i: (
            torch_ops.one_shot_all_reduce(shared[i], "sum", name) + residual
        ),
        "torch two-shot": lambda i: (
            torch_ops.two_shot_all_reduce_(shared[i], "sum", name) + residual
        ),
        "backend": backend,
        "add": lambda i: partials[i] + residual,
    }


def microseconds(ranks: Ranks, call: Callable[[int], Tensor], replays: int) -> float:
    """Of one call: the median over replays of the slowest rank."""

    def calls() -> None:
        for i in range(CALLS):
            call(i)

    replay = captured(calls, ranks.device)
    event = torch.get_device_module(ranks.device).Event
    events = [event(enable_timing=True) for _ in range(replays + 1)]
    dist.barrier()
    replay()
    for start in events[:-1]:
        start.record()
        replay()
    events[-1].record()
    torch.accelerator.synchronize(ranks.device)
    times = [a.elapsed_time(b) for a, b in pairwise(events)]
    return ranks.slowest(1e3 * statistics.median(times) / CALLS)


def timed(ranks: Ranks, replays: int) -> list[dict[str, object]]:
    """Rows of the result."""
    accelerator = torch.get_device_module(ranks.device)
    rows = []
    for size in TIMED:
        ours = connect_one_shot(ranks.group, ranks.device, torch.bfloat16, size[0] * size[1])
        for name, call in ways(ranks, ours, *size).items():
            try:
                us = microseconds(ranks, call, replays)
            except (RuntimeError, NotImplementedError) as error:  # torch's own, on every rank
                ranks.print(f"{name}: {str(error).splitlines()[0]}")
                continue
            ranks.print(f"{size[0]:3} x {size[1]}  {name:16} {us:7.2f} us")
            rows.append(
                {
                    "operation": name,
                    "rows": size[0],
                    "columns": size[1],
                    "dtype": "bfloat16",
                    "us": round(us, 3),
                    "ranks": ranks.size,
                    "device": accelerator.get_device_name(ranks.device),
                    "torch": torch.__version__,
                    "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
                }
            )
    return rows


def main() -> int:
    """Check, time and record; returns 1 where something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--json", type=Path, help="where to record the times; not timed if left out"
    )
    parser.add_argument("--skip-check", action="store_true")
    parser.add_argument("--replays", type=int, default=30)
    options = parser.parse_args()
    ranks = Ranks()
    most = max(rows * columns for rows, columns in CHECKED)
    wrong: list[str] = []
    for dtype in DTYPES:
        one_shot = connect_one_shot(ranks.group, ranks.device, dtype, most)
        if one_shot is None:
            return 1  # and a warning of the reason
        if not options.skip_check:
            mine = check(ranks, one_shot, dtype)
            everyone: list[list[str]] = [[] for _ in range(ranks.size)]
            dist.all_gather_object(everyone, mine)
            wrong += [f"rank {rank}: {one}" for rank, of in enumerate(everyone) for one in of]
            ranks.print(f"{dtype}: {'right' if not wrong else 'wrong'}")
    ranks.print("\n".join(wrong[:20]))
    if options.json:
        rows = timed(ranks, options.replays)
        if ranks.rank == 0:
            options.json.write_text(json.dumps(rows, indent=1) + "\n")
    dist.barrier()
    dist.destroy_process_group()
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
