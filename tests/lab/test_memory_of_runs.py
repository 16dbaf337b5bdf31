"""The memory of a run, counted by torch's profiler."""

import subprocess
import sys
from itertools import groupby

import pytest
import torch

from tinyllm.lab.memory import allocations, peak_bytes

CPU = torch.device("cpu")
# Tensors that grow step by step, as the copies of a cache do, and small operations between them.
GROWING = """
import resource
import torch
from tinyllm.lab import memory

def grow(tensors=20, megabytes=6, steps=40):
    held = [torch.ones(megabytes << 18) for _ in range(tensors)]
    for step in range(steps):
        for number in range(tensors):
            held[number] = torch.cat([held[number], torch.ones(1 << 8)])
            torch.ones(8).add(1).mul(2).sum()

grow()  # the threshold rises as large tensors are freed
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
peak = memory.peak_bytes(grow, torch.device("cpu"))
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(peak, 1024 * (after - before))
"""


def test_the_peak_is_of_tensors_that_are_held_together():
    def run():
        first = torch.ones(1 << 18)
        second = first + 1
        del first
        return second + 1

    megabyte = 1 << 20  # the numbers that are added take some bytes
    assert peak_bytes(run, CPU) // megabyte == 2
    held = [size // megabyte for _, size in allocations(run, CPU)]
    assert [size for size, _ in groupby(held)] == [1, 2, 1, 2, 1, 0]


def test_on_another_device():
    with pytest.raises(ValueError, match="'meta': expected a CPU"):
        allocations(lambda: None, torch.device("meta"))


@pytest.mark.skipif(sys.platform != "linux", reason="the threshold is glibc's")
def test_the_profilers_records_keep_no_memory_of_tensors():
    shown = subprocess.run(
        [sys.executable, "-c", GROWING], capture_output=True, text=True, check=True
    )
    peak, grown = map(int, shown.stdout.split())
    assert 120 << 20 <= peak < 140 << 20
    assert grown < 3 * peak  # seven times as much without a threshold
