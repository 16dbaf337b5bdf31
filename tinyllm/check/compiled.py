"""The Triton kernels, compiled by Intel's Triton for the CPU, through the case tables.

`python -m tinyllm.check.compiled [KERNEL ...] [--every N] [--dtypes ...] [--match WORDS]` prints a line for each kernel
and format. The cases run in a process of their own: a compiler that fails may end it, and the next process continues
after that case. Compiled programs are kept, so that a second run takes seconds. With `--gpu pvc` the code is that of a
GPU, with the launches of "xpu": its matrix engine and its 2D blocks are functions that compute the same on the CPU.
"""

from __future__ import annotations

import argparse
import collections
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass

import torch

from tinyllm.check import TABLES, run_case
from tinyllm.check.cases import Case
from tinyllm.kernels.triton.xpu import compiler

DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
GPUS = ("pvc", "bmg", "lnl")
KERNELS = tuple(name for name in TABLES if name != "attention")


@dataclass(frozen=True)
class Job:
    """One case of a kernel in one format, by its number in the kernel's table."""

    kernel: str
    dtype: str
    number: int

    @property
    def case(self) -> Case:
        """The case itself."""
        return TABLES[self.kernel].cases[self.number]


@dataclass(frozen=True)
class Outcome:
    """How a job ended: what is wrong (None: nothing), whether it failed to run at all, and its seconds.

    `error` is the largest, relative to the scale of the result; infinite where nothing could be compared. `gpu_calls`
    are functions of a GPU, such as the matrix engine, that the code calls.
    """

    job: Job
    wrong: str | None
    failed: bool
    seconds: float
    error: float = float("inf")
    gpu_calls: Sequence[str] = ()

    @property
    def word(self) -> str:
        """Right, wrong, or failed."""
        if self.failed:
            return "failed"
        return "right" if self.wrong is None else "wrong"


def jobs_of(kernel: str, dtypes: Sequence[str], every: int = 1, match: str = "") -> list[Job]:
    """Every `every`-th case whose title matches, in each format."""
    cases = enumerate(TABLES[kernel].cases)
    numbers = [number for number, case in cases if re.search(match, case.title)][::every]
    return [Job(kernel, dtype, number) for dtype in dtypes for number in numbers]


def run_kernel(
    kernel: str, dtypes: Sequence[str] = tuple(DTYPES), every: int = 1, match: str = "",
    gpu: str | None = None,
) -> Iterator[Outcome]:  # fmt: skip
    """The outcomes of one kernel, from a process of its own; where that ends early, from the next one."""
    return run_jobs(jobs_of(kernel, dtypes, every, match), gpu)


def run_jobs(jobs: Sequence[Job], gpu: str | None = None) -> Iterator[Outcome]:
    """The outcomes of jobs, from one process; where that ends early, from the next one."""
    command = [sys.executable, "-m", "tinyllm.check.compiled", "--child"]
    command += ["--gpu", gpu] if gpu else []
    environment = compiler.environment()
    done = 0
    while done < len(jobs):
        child = subprocess.Popen(
            command, env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        with child.stdin as remaining:
            json.dump([astuple(job) for job in jobs[done:]], remaining)
        for line in child.stdout:
            if line.startswith("{"):
                yield Outcome(jobs[done], **json.loads(line))
                done += 1
        last_words = child.stderr.read().strip().splitlines()[-3:]
        if child.wait() and done < len(jobs):
            text = f"the process ended with {child.returncode}: {' / '.join(last_words)}"
            yield Outcome(jobs[done], text, failed=True, seconds=0.0)
            done += 1


def run_child(jobs: Sequence[Job], gpu: str | None) -> None:
    """In a process that `compiler.environment` describes: print an outcome a line."""
    from tinyllm.kernels.triton.xpu import driver

    driver.run_on_cpu(gpu)
    from tinyllm.kernels import triton as kernels

    for job in jobs:
        start = time.perf_counter()
        function = getattr(kernels, job.kernel)
        error, wrong = run_case(
            TABLES[job.kernel], job.case, function, DTYPES[job.dtype], torch.device("cpu")
        )
        outcome = {
            "wrong": wrong,
            "failed": wrong is not None and error == float("inf"),
            "seconds": time.perf_counter() - start,
            "error": error,
            "gpu_calls": sorted(driver.GPU_CALLS),
        }
        print(json.dumps(outcome), flush=True)


def print_outcomes(outcomes: Iterator[Outcome]) -> bool:
    """A line for each format, after the cases that are not right; returns whether all are."""
    by_dtype: dict[tuple[str, str], list[Outcome]] = collections.defaultdict(list)
    for outcome in outcomes:
        by_dtype[outcome.job.kernel, outcome.job.dtype].append(outcome)
        if outcome.word != "right":
            job = outcome.job
            print(f"  {job.kernel} {job.dtype} {job.case.title}: {outcome.wrong}", flush=True)
    for (kernel, dtype), found in by_dtype.items():
        counts = collections.Counter(outcome.word for outcome in found)
        words = ", ".join(f"{counts[word]} {word}" for word in ("right", "wrong", "failed"))
        seconds = sum(outcome.seconds for outcome in found)
        print(f"{kernel:22} {dtype}  {words}, {seconds:.1f} s", flush=True)
    return all(outcome.word == "right" for found in by_dtype.values() for outcome in found)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run kernels by name, or all; returns 1 where a case is not right."""
    parser = argparse.ArgumentParser(
        prog="python -m tinyllm.check.compiled", description=__doc__.split("\n")[0]
    )
    parser.add_argument("kernels", nargs="*", help=f"of {', '.join(KERNELS)}; all, if left out")
    parser.add_argument("--every", type=int, default=1, help="run every n-th case")
    parser.add_argument("--match", default="", help="cases whose title has this regular expression")
    parser.add_argument("--dtypes", nargs="+", choices=DTYPES, default=list(DTYPES))
    parser.add_argument("--gpu", choices=GPUS, help="run the code of this GPU")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    unknown = [name for name in options.kernels if name not in KERNELS]
    if unknown:
        parser.error(f"kernels {unknown} have no table: expected some of {list(KERNELS)}")
    if options.child:
        run_child([Job(*fields) for fields in json.load(sys.stdin)], options.gpu)
        return 0
    right = [
        print_outcomes(
            run_kernel(kernel, options.dtypes, options.every, options.match, options.gpu)
        )
        for kernel in options.kernels or KERNELS
    ]
    return 0 if all(right) else 1


if __name__ == "__main__":
    sys.exit(main())
