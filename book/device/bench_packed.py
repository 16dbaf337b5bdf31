"""Time the packed matmuls of Triton beside the dense one, at Llama 2 7B's sizes, on this machine's GPU.

    python book/device/bench_packed.py --json rows.json [--formats Q4_1 Q4_K] [--rows 1 4 16]
    python book/device/bench_packed.py --sweep --rows 1 --formats Q4_1 Q4_K

Time is per call inside a replayed graph that rotates over copies of the weight, more than 200 MB and thrice the cache
of them. GB/s counts the bytes of the weight; shares are of the copy and read bandwidth of the same run. `--sweep` times
tile sizes instead, and prints the best for each shape and for all. Kernels are compiled in several processes first.
"""

from __future__ import annotations

import argparse
import datetime
import importlib
import importlib.util
import itertools
import json
import math
import multiprocessing
import statistics
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
import triton

ROOT = Path(__file__).resolve().parents[2]
try:
    importlib.import_module("tinyllm.kernels")
except ImportError:  # in a checkout that is not installed, that package is elsewhere
    sys.path.append(str(ROOT))
    spec = importlib.util.spec_from_file_location("tinyllm.kernels", ROOT / "kernels/__init__.py")
    sys.modules["tinyllm.kernels"] = importlib.util.module_from_spec(spec)
from tinyllm.kernels import triton as ours  # noqa: E402
from tinyllm.kernels.block_formats import FORMATS, BlockFormat  # noqa: E402
from tinyllm.kernels.triton import timing, tuning  # noqa: E402
from tinyllm.kernels.weights import DenseWeight, PackedRows, PackedWeight, Weight  # noqa: E402

SHAPES = {
    "qkv": (12288, 4096),
    "o": (4096, 4096),
    "gate_up": (22016, 4096),
    "down": (4096, 11008),
    "lm_head": (32000, 4096),
}
DTYPE = torch.bfloat16
PACKED = [name for name, one in FORMATS.items() if one.elements > 1]
MIN_BYTES = 200 << 20  # of all copies of a weight
PROCESSES = 12


class Job(NamedTuple):
    """A matmul: a format of blocks or "dense", a shape by name, rows of x, and a launch other than the table's."""

    format: str
    shape: str
    rows: int
    launch: tuning.LaunchConfig | None = None


def make_weight(job: Job, device: torch.device) -> Weight:
    """Random weights: of packed ones random codes, and scales that keep results finite."""
    n, k = SHAPES[job.shape]
    if job.format == "dense":
        return DenseWeight(torch.randn(n, k, device=device, dtype=DTYPE))
    rows = random_rows(n, k, FORMATS[job.format], device)
    return PackedWeight((rows,), DTYPE)


def random_rows(n: int, k: int, packed: BlockFormat, device: torch.device) -> PackedRows:
    """Random codes in planes, and scales that give weights a root mean square of about k^-0.5."""
    blocks = torch.randint(256, (n, packed.row_bytes(k)), dtype=torch.uint8, device=device)
    rows = PackedRows(blocks, packed, planar=True)
    for name in {"scale", "minimum"} & rows.fields.keys():
        rows.fields[name].view(packed.scale_dtype).fill_(2.0**-10)
    size = rows.unpack(0, min(n, 64)).square().mean().sqrt().item()
    for name in {"scale", "minimum"} & rows.fields.keys():
        rows.fields[name].view(packed.scale_dtype).mul_(k**-0.5 / size)
    return rows


def compile_job(job: Job) -> str | None:
    """Run a matmul once, so that its kernel is in the compiler's cache; the error where it does not run."""
    try:
        device = torch.device("cuda")
        x = torch.randn(job.rows, SHAPES[job.shape][1], device=device, dtype=DTYPE)
        ours.linear(x, make_weight(job, device), launch=job.launch)
        torch.cuda.synchronize()
    except Exception as error:
        return f"{job}: {type(error).__name__}: {str(error)[:200]}"
    return None


def compile_all(jobs: Sequence[Job]) -> list[Job]:
    """The jobs that run."""
    with ProcessPoolExecutor(PROCESSES, mp_context=multiprocessing.get_context("spawn")) as pool:
        failures = list(pool.map(compile_job, jobs))
    print(*filter(None, failures), sep="\n", flush=True)
    return [job for job, failure in zip(jobs, failures, strict=True) if failure is None]


def copies_of(job: Job, device: torch.device) -> list[Weight]:
    """As many weights as no cache keeps."""
    first = make_weight(job, device)
    least = max(MIN_BYTES, 3 * timing.cache_bytes(device))
    return [first, *(make_weight(job, device) for _ in range(math.ceil(least / first.nbytes)))]


def microseconds(job: Job, weights: list[Weight], device: torch.device, repeats: int) -> float:
    """The median time of a call."""
    x = torch.randn(job.rows, SHAPES[job.shape][1], device=device, dtype=DTYPE)
    sweep: Callable[[], Any] = lambda: [  # noqa: E731
        ours.linear(x, weight, launch=job.launch) for weight in weights
    ]
    call, _ = timing.replayed(sweep, device)
    times = [timing.milliseconds(call) for _ in range(repeats)]
    return 1e3 * statistics.median(times) / len(weights)


def error_of(job: Job, weight: Weight, device: torch.device) -> float:
    """The norm of the error over the norm of the result, of a matmul with the weights in float32."""
    x = torch.randn(job.rows, SHAPES[job.shape][1], device=device, dtype=DTYPE)
    dense = weight.data.float() if job.format == "dense" else weight.parts[0].unpack()
    expected = x.double() @ dense.double().t()
    return ((ours.linear(x, weight).double() - expected).norm() / expected.norm()).item()


def run(jobs: Sequence[Job], device: torch.device, path: Path | None, repeats: int) -> None:
    """Measure each job; the file is written after each."""
    common = {
        "device": torch.cuda.get_device_name(device),
        "versions": {"torch": torch.__version__, "triton": triton.__version__},
        "date": datetime.date.today().isoformat(),
        **timing.bandwidths(device),
    }
    print(
        f"{common['device']}: copy {common['copy_gb_s']:.0f}, read {common['read_gb_s']:.0f} GB/s"
    )
    print(
        f"{'format':8}{'shape':10}{'rows':>5}{'us':>9}{'GB/s':>8}{'of copy':>9}{'error':>9}{'x dense':>9}"
    )
    found: list[dict[str, Any]] = []
    dense: dict[tuple[str, int], float] = {}
    for (_, shape), group in itertools.groupby(jobs, key=lambda job: (job.format, job.shape)):
        group = list(group)
        weights = copies_of(group[0], device)
        for job in group:
            us = microseconds(job, weights, device, repeats)
            speed = weights[0].nbytes / us / 1e3
            if job.format == "dense":
                dense[shape, job.rows] = us
            times_dense = dense.get((shape, job.rows), math.nan) / us
            row = {
                "format": job.format, "shape": shape, "rows": job.rows, "us": round(us, 3),
                "bytes": weights[0].nbytes, "gb_s": round(speed, 1),
                "share_of_copy": round(speed / common["copy_gb_s"], 4),
                "share_of_read": round(speed / common["read_gb_s"], 4),
                "times_dense": round(times_dense, 3), "error": error_of(job, weights[0], device),
            }  # fmt: skip
            found.append(row)
            print(
                f"{job.format:8}{shape:10}{job.rows:5}{us:9.2f}{speed:8.0f}"
                f"{row['share_of_copy']:9.1%}{row['error']:9.1e}{times_dense:9.2f}",
                flush=True,
            )
            if path is not None:
                path.write_text(json.dumps([common | one for one in found], indent=1) + "\n")


def candidates(rows: int) -> list[tuning.LaunchConfig]:
    """Tiles worth measuring, and the table's."""
    kernel = "packed_vector" if rows == 1 else "packed_matrix"
    row = tuning.launch_for(kernel, "cuda")
    if rows == 1:
        widths = ((1, 512), (2, 1024), (4, 512), (4, 1024), (4, 2048), (8, 512), (8, 1024))
        sizes, stages = (2, 4, 8, 16, 32), (1,)
    else:
        widths = ((2, 128), (2, 256), (4, 128), (4, 256))
        sizes, stages = (16, 32, 64), (1, 3)
    found = [row]
    for (num_warps, code_bytes), size, num_stages in itertools.product(widths, sizes, stages):
        tile = {
            "code_bytes": code_bytes,
            "max_rows": size,
            "min_rows": min(size, 16),
            "min_programs": 1,
        }
        blocks = {**row.blocks, **tile}
        found.append(replace(row, blocks=blocks, num_warps=num_warps, num_stages=num_stages))
    return found


def sweep(formats: Sequence[str], shapes: Sequence[str], rows: int, device: torch.device) -> None:
    """Time every candidate; the best of each shape, and those whose sum over all shapes is smallest."""
    jobs = [
        Job(name, shape, rows, launch)
        for name, shape, launch in itertools.product(formats, shapes, candidates(rows))
    ]
    jobs = compile_all(jobs)
    totals: dict[tuple[str, str], dict[str, float]] = {}
    for (name, shape), group in itertools.groupby(jobs, key=lambda job: (job.format, job.shape)):
        weights = copies_of(Job(name, shape, rows), device)
        timed = []
        for job in group:
            us = microseconds(job, weights, device, repeats=1)
            timed.append((us, str(job.launch)))
            totals.setdefault((name, str(job.launch)), {})[shape] = us
        print(f"\n{name} {shape} {rows} rows, {weights[0].nbytes / 1e6:.1f} MB")
        for us, launch in sorted(timed)[:5]:
            print(f"  {us:8.2f} us {weights[0].nbytes / us / 1e3:6.0f} GB/s  {launch}")
        print(f"  {timed[0][0]:8.2f} us with the table's", flush=True)
    for name in formats:
        sums = sorted(
            (sum(times.values()), launch)
            for (one, launch), times in totals.items()
            if one == name and len(times) == len(shapes)
        )
        print(f"\n{name}, {rows} rows: least sum over the shapes")
        print(*(f"  {us:8.2f} us  {launch}" for us, launch in sums[:8]), sep="\n", flush=True)


def main() -> int:
    """Measure or sweep; 2 without a GPU."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="write the rows here")
    parser.add_argument("--formats", nargs="+", choices=PACKED, default=PACKED)
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=list(SHAPES))
    parser.add_argument("--rows", nargs="+", type=int, default=[1, 4, 16])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--sweep", action="store_true", help="time tile sizes instead")
    options = parser.parse_args()
    if not torch.cuda.is_available():
        print("no CUDA device here")
        return 2
    device = torch.device("cuda")
    with torch.no_grad():
        if options.sweep:
            for rows in options.rows:
                sweep(options.formats, options.shapes, rows, device)
            return 0
        names = ["dense", *options.formats]
        jobs = [Job(*one) for one in itertools.product(names, options.shapes, options.rows)]
        run(compile_all(jobs), device, options.json, options.repeats)
    return 0


if __name__ == "__main__":
    sys.exit(main())
