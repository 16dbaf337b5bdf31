"""Ranks that are processes and share their buffers: what one stores the others read while they wait, as on GPUs.

Interpreted in a process of the tests. Run as a program with `compiler.environment`, the kernel is compiled by Intel's
Triton, and each rank has a driver of its own; it prints the faults found.
"""

from __future__ import annotations

import json
import multiprocessing
import time
from collections.abc import Callable

import torch
from torch import Tensor

from tinyllm.kernels.triton import all_reduce
from tinyllm.kernels.triton.tuning import launch_for

FORK = multiprocessing.get_context("fork")
# Rows and columns, residual, bias. Programs that are full, in part or not there; more rows than the call before, fewer.
CALLS = (
    ((1, 128), False, False),
    ((2, 80), True, True),
    ((1, 1), True, False),
    ((3, 160), True, True),
    ((1, 128), True, False),
    ((1, 1023), False, True),
)
MAX_ELEMENTS = 1024
SECONDS = 60.0


def drawn(call: int, rank: int, dtype: torch.dtype) -> Tensor:
    """A rank's partial sums; the first call has negative zeros, infinities and NaNs among them."""
    generator = torch.Generator().manual_seed(100 * call + rank)
    partial = torch.randn(CALLS[call % len(CALLS)][0], generator=generator)
    if call == 0:
        partial[0, :8] = torch.tensor(
            [-0.0, -0.0 if rank else 1.0, 0.0, float("inf"), float("nan"), -1.0, 1.0, -0.0]
        )
    return partial.to(dtype)


def operands(call: int, dtype: torch.dtype) -> dict[str, Tensor]:
    """The residual and the bias of a call, where it has them."""
    shape, has_residual, has_bias = CALLS[call % len(CALLS)]
    generator = torch.Generator().manual_seed(100 * call + 99)
    found = {}
    if has_residual:
        found["residual"] = torch.randn(shape, generator=generator).to(dtype)
    if has_bias:
        found["bias"] = torch.randn(shape[1:], generator=generator).to(dtype)
    return found


def expected(call: int, num_ranks: int, dtype: torch.dtype, wide: torch.dtype) -> Tensor:
    """The sum in the order of the ranks, in another format."""
    total = torch.zeros(CALLS[call % len(CALLS)][0], dtype=wide)
    for rank in range(num_ranks):
        total += drawn(call, rank, dtype).to(wide)
    terms = operands(call, dtype)
    for name in ("bias", "residual"):
        if name in terms:
            total += terms[name].to(wide)
    return total


def run_ranks(
    num_ranks: int, dtype: torch.dtype, num_calls: int, prepare: Callable[[int], None]
) -> Tensor | str:
    """Results [ranks, calls, MAX_ELEMENTS], or what happened instead; `prepare(rank)` runs first in each process."""
    launch = launch_for("all_reduce", "cpu")
    words = all_reduce.num_words(MAX_ELEMENTS, num_ranks, launch)
    word = all_reduce.empty_word(dtype)
    buffers = torch.full((num_ranks, words), word, dtype=all_reduce.WORDS[dtype]).share_memory_()
    results = torch.full((num_ranks, num_calls, MAX_ELEMENTS), 7.0, dtype=dtype).share_memory_()

    def work(rank: int) -> None:
        torch.set_num_threads(1)
        prepare(rank)
        addresses = [buffer.data_ptr() for buffer in buffers]
        reduce = all_reduce.OneShotAllReduce(buffers[rank], addresses, rank, dtype)
        for call in range(num_calls):
            if (call + rank) % 3 == 0:
                time.sleep(0.02)
            y = reduce(drawn(call, rank, dtype), **operands(call, dtype))
            results[rank, call, : y.numel()] = y.flatten()

    return outcome(num_ranks, work) or results


def outcome(num_ranks: int, work: Callable[[int], None]) -> str | None:
    """Run `work(rank)` in a process for each rank; None where all ended well, else which did not."""
    processes = [FORK.Process(target=work, args=(rank,)) for rank in range(num_ranks)]
    for process in processes:
        process.start()
    end = time.monotonic() + SECONDS
    for process in processes:
        process.join(max(0.0, end - time.monotonic()))
    waiting = [rank for rank, process in enumerate(processes) if process.is_alive()]
    for process in processes:
        process.kill()
        process.join()
    if waiting:
        return f"ranks {waiting} still wait"
    codes = [process.exitcode for process in processes]
    return f"exit codes {codes}" if any(codes) else None


def faults(
    num_ranks: int, dtype: torch.dtype, num_calls: int, prepare=lambda rank: None, rounds=True
) -> list[str]:
    """What is wrong with the results of all ranks; [] for nothing.

    The interpreter cuts bfloat16 off where all else rounds: with `rounds=False` results are held against fp64 alone.
    """
    results = run_ranks(num_ranks, dtype, num_calls, prepare)
    if isinstance(results, str):
        return [results]
    found = []
    for call in range(num_calls):
        exact = expected(call, num_ranks, dtype, torch.float32).to(dtype).flatten()
        wide = expected(call, num_ranks, dtype, torch.float64).flatten()
        for rank in range(num_ranks):
            y = results[rank, call, : len(exact)]
            if not torch.equal(
                y.view(torch.uint8), results[0, call, : len(exact)].view(torch.uint8)
            ):
                found.append(f"call {call}: rank {rank} has other bits than rank 0")
            if rounds and not torch.allclose(y, exact, rtol=0, atol=0, equal_nan=True):
                found.append(f"call {call}: rank {rank} has another sum")
            if not torch.allclose(y.double(), wide, rtol=1e-2, atol=1e-2, equal_nan=True):
                found.append(f"call {call}: rank {rank} is not near the sum in fp64")
            if (results[rank, call, len(exact) :] != 7.0).any():
                found.append(f"call {call}: rank {rank} wrote beyond its result")
    return found


def main() -> None:
    from tinyllm.kernels.triton.xpu import driver

    for num_ranks, dtype in ((2, torch.bfloat16), (3, torch.float32)):
        found = faults(num_ranks, dtype, len(CALLS), lambda rank: driver.run_on_cpu())
        print(json.dumps({"ranks": num_ranks, "dtype": str(dtype), "faults": found}), flush=True)


if __name__ == "__main__":
    main()
