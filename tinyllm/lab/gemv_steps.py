"""The GEMV of notebook 03: one C++ kernel with five switches, built on first use and measured one switch at a time."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from types import MappingProxyType
from typing import NamedTuple

import torch
from torch import Tensor

from tinyllm.bench.table import aligned
from tinyllm.draw.source import narrow
from tinyllm.kernels.compiler import BuildError, compile_library, run, system
from tinyllm.kernels.cpu.build import (
    COMPILERS,
    FLAGS,
    LIBRARY,
    cache_folder,
    openmp,
    processor_tunings,
)
from tinyllm.kernels.file_cache import cached
from tinyllm.runtime.device import synchronize

SOURCE = Path(__file__).with_name("gemv_steps.cpp")
# The compiler must not make loads wide where the switch does not.
AS_WRITTEN = ("-fno-tree-vectorize", "-fno-tree-slp-vectorize")
LINE = 64  # bytes of a cache line
BUFFER_BYTES = 256 << 20  # larger than the caches
PIECE_BYTES = 8 << 20
CHASED_STEPS = 1000
SLOW_PIECES = 8


class Switches(NamedTuple):
    """A variant of the kernel: floats of a load, independent sums, bytes prefetched ahead, rows read together."""

    threads: int = 1
    width: int = 1
    sums: int = 1
    prefetch: int = 0
    rows: int = 1


class Step(NamedTuple):
    """A measured variant: bytes per second, those that its chain of additions allows, and those of the memory."""

    name: str
    rate: float
    chain: float
    memory: float

    @property
    def predicted(self) -> float:
        """The lower of the two limits."""
        return min(self.chain, self.memory)


def gemv_steps() -> Mapping[str, Switches]:
    """The variants by name, each with one switch more than the one before it; threads are torch's."""
    threads = torch.get_num_threads()
    return MappingProxyType(
        {
            "one thread": Switches(),
            "all threads": Switches(threads),
            "wide loads": Switches(threads, 16),
            "four sums": Switches(threads, 16, 4),
            "prefetch": Switches(threads, 16, 4, 4096),
            "two rows at a time": Switches(threads, 16, 4, 4096, 2),
        }
    )


def gemv_source() -> str:
    """The part of the C++ kernel that the switches change."""
    text = SOURCE.read_text(encoding="utf-8")
    return narrow(text[text.index("// ROWS neighbouring") : text.index("\n// W has n rows")])


def gemv(w: Tensor, x: Tensor, switches: Switches) -> Tensor:
    """w [n, k] times x [k], float32 on the CPU; rows of w may have any distance. Returns [n].

    Raises BuildError without a C++ compiler, ValueError for other tensors or for switches that are not built.
    """
    n, k = w.shape
    good = w.dtype == x.dtype == torch.float32 and w.stride(1) == 1 and x.is_contiguous()
    if not good or x.shape != (k,) or w.device.type != "cpu":
        raise ValueError(
            f"w {list(w.shape)} {w.dtype}, x {list(x.shape)} {x.dtype}: expected float32 rows [n, k] and [k] on the CPU"
        )
    y = torch.empty(n, dtype=torch.float32, device="cpu")
    function = _function(switches)
    function(_address(w), w.stride(0), _address(x), _address(y), n, k, switches.threads)
    return y


def addition_seconds(repeats: int = 50) -> float:
    """Latency of an addition: the kernel with one sum, on one row that stays in the first-level cache."""
    n, k = 64, 1024
    w = torch.ones(1, k, dtype=torch.float32, device="cpu")
    rows, x = w.expand(n, k), w[0]
    return _least(lambda: gemv(rows, x, Switches()), repeats) / (n * k)


def load_seconds(repeats: int = 50) -> float:
    """Latency of a load from memory: a chain of random addresses, one in each cache line."""
    lines = BUFFER_BYTES // LINE
    words = LINE // 8
    generator = torch.Generator().manual_seed(0)
    order = torch.randperm(lines, generator=generator, dtype=torch.int64, device="cpu") * words
    following = torch.zeros(lines * words, dtype=torch.int64, device="cpu")
    following[order] = order.roll(-1)
    load_chain, at = _library().chase, 0

    def chase() -> None:
        nonlocal at
        at = load_chain(_address(following), at, CHASED_STEPS)

    return _least(chase, repeats) / CHASED_STEPS


def read_rate(device: torch.device, threads: int | None = None, repeats: int = 9) -> float:
    """Bytes per second that torch reads from a device's memory, when it adds up numbers with so many CPU threads."""
    buffer = torch.ones(BUFFER_BYTES // 4, dtype=torch.float32, device=device)
    with _threads(threads or torch.get_num_threads()):
        return matmul_rate(torch.sum, buffer.chunk(BUFFER_BYTES // PIECE_BYTES), repeats)


def matmul_rate(
    run_one: Callable[[Tensor], object], weights: Sequence[Tensor], repeats: int = 9
) -> float:
    """Bytes of weights per second when a function is called with each matrix, one after the other, several times.

    Together the matrices must exceed the caches. Of the calls with a matrix the fastest counts: another program can
    only slow a call down. On an accelerator, a repeat is timed as one, and ends with a synchronization.
    """
    total = sum(w.nbytes for w in weights)
    device = weights[0].device
    if device.type != "cpu":

        def all_of_them() -> None:
            for w in weights:
                run_one(w)
            synchronize(device)

        return total / _least(all_of_them, repeats)
    rounds = [[_seconds(lambda w=w: run_one(w)) for w in weights] for _ in range(repeats)]
    return total / sum(map(min, zip(*rounds, strict=True)))


def measure_gemv_steps(weights: Sequence[Tensor], x: Tensor, repeats: int = 9) -> list[Step]:
    """Every variant on matrices that together exceed the caches, with its two limits."""
    addition = addition_seconds()
    # A slow call is timed on a part of a matrix: another program interrupts a short call less often.
    pieces = [piece for w in weights for piece in w.chunk(SLOW_PIECES)]
    cpu = torch.device("cpu")
    reads = {threads: read_rate(cpu, threads) for threads in {1, torch.get_num_threads()}}
    return [
        Step(
            name,
            rate=matmul_rate(
                lambda w, s=switches: gemv(w, x, s),
                weights if switches.width > 1 else pieces,
                repeats,
            ),
            chain=chain_rate(switches, addition),
            memory=reads[switches.threads],
        )
        for name, switches in gemv_steps().items()
    ]


def chain_rate(switches: Switches, addition: float) -> float:
    """Little's law for additions: floats in flight, of 4 bytes each, per latency of an addition."""
    in_flight = switches.threads * switches.width * switches.sums * switches.rows
    return 4 * in_flight / addition


def steps_as_text(steps: Iterable[Step], load: float) -> str:
    """A table of measured variants; `load` is the latency of memory, for the cache lines in flight."""
    head = ("", "additions allow", "memory allows", "measured GB/s", "lines in flight")
    rows = [
        (
            step.name.ljust(18),
            f"{step.chain / 1e9:.1f}",
            f"{step.memory / 1e9:.1f}",
            f"{step.rate / 1e9:.1f}",
            f"{step.rate * load / LINE:.0f}",
        )
        for step in steps
    ]
    return aligned([head, *rows])


@functools.cache
def _library() -> ctypes.CDLL:
    compiler = next(filter(None, map(shutil.which, COMPILERS)), None)
    if compiler is None:
        raise BuildError(f"there is no C++ compiler ({' or '.join(COMPILERS)}): apt install g++")
    tunings = processor_tunings()
    version = run([compiler, "--version"]).stdout
    parts = (SOURCE.read_text(encoding="utf-8"), version, tunings, system(), torch.__version__)
    digest = hashlib.sha256(repr(parts).encode()).hexdigest()[:24]
    path = cache_folder() / f"gemv-steps-{digest}.so"
    library = ctypes.CDLL(
        str(cached(path, lambda to: _build(to, compiler, tunings), executable=True))
    )
    library.chase.restype = ctypes.c_int64
    library.chase.argtypes = (ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
    return library


def _build(path: Path, compiler: str, tunings: Sequence[tuple[str, ...]]) -> None:
    for tuning in tunings:
        flags = (*FLAGS, *AS_WRITTEN, *tuning, *LIBRARY, *openmp())
        try:
            return compile_library([compiler, str(SOURCE), "-o", str(path), *flags], path)
        except BuildError as error:
            failure = error
    raise failure


def _function(switches: Switches) -> Callable[..., None]:
    name = "gemv_" + "_".join(str(value) for value in switches[1:])
    function = getattr(_library(), name, None)
    if function is None:
        built = sorted({one[1:] for one in gemv_steps().values()})
        raise ValueError(f"{switches}: expected width, sums, prefetch, rows of {built}")
    pointer, number = ctypes.c_void_p, ctypes.c_int64
    function.argtypes = (pointer, number, pointer, pointer, number, number, ctypes.c_int)
    function.restype = None
    return function


def _address(x: Tensor) -> int:
    return x.data_ptr()


def _least(work: Callable[[], object], repeats: int) -> float:
    """Seconds of the fastest of some runs, after one of warm-up."""
    work()
    return min(_seconds(work) for _ in range(repeats))


def _seconds(work: Callable[[], object]) -> float:
    start = perf_counter()
    work()
    return perf_counter() - start


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
