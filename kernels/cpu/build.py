"""The library is built once per user, for its processor, by the installed compiler."""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
from pathlib import Path

import torch

from ..compiler import BuildError, compile_library, report_build, run, system
from ..file_cache import cache_folder as cache_folder_of
from ..file_cache import cached

HERE = Path(__file__).parent
SOURCES = (HERE / "cpu.cpp", *sorted(HERE.glob("*.hpp")))
COMPILERS = ("g++", "clang++")
FLAGS = (
    "-std=c++20",
    "-O3",
    "-ffp-contract=fast",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-fopenmp",
)
LIBRARY = ("-fPIC", "-shared", "-w")
NATIVE = ("-march=native",)
GENERIC = ()  # for a compiler that does not know the processor
AVX2 = frozenset({"avx2", "bmi1", "bmi2", "f16c", "fma", "movbe"})
AVX512 = AVX2 | {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}
# The instruction sets of x86-64 with code of their own, the best first: needed features of the processor, and flags.
INSTRUCTION_SETS = {
    "avx512-bf16": (AVX512 | {"avx512_bf16"}, ("-march=x86-64-v4", "-mavx512bf16")),
    "avx512": (AVX512, ("-march=x86-64-v4",)),
    "avx2": (AVX2, ("-march=x86-64-v3",)),
    "generic": (frozenset(), ("-march=x86-64",)),
}
# Lines of /proc/cpuinfo that name the processor and its features, on any architecture.
PROCESSOR_FIELDS = (
    "model name",
    "flags",
    "Features",
    "features",
    "CPU implementer",
    "CPU part",
    "cpu",
    "isa",
    "uarch",
)


def cache_folder() -> Path:
    """`tinyllm/cpu` in the user's cache."""
    return cache_folder_of("cpu")


def library(
    folder: Path,
    compilers: tuple[str, ...] = COMPILERS,
    tuning: tuple[str, ...] | None = None,
) -> Path:
    """The library in a folder, or in a temporary one where this cannot be used; built where it is missing.

    `tuning` replaces the flags that choose the processor. Raises BuildError with the reason.
    """
    compiler = next(filter(None, map(shutil.which, compilers)), None)
    if compiler is None:
        raise BuildError(f"there is no C++ compiler ({' or '.join(compilers)}): apt install g++")
    tunings = processor_tunings() if tuning is None else (tuning,)

    def build(path: Path) -> None:
        with report_build("the CPU kernels"):
            _build(path, compiler, tunings)

    path = folder / f"cpu-{digest(compiler, tunings[0])}.so"
    try:
        return cached(path, build, executable=True)
    except OSError as error:
        raise BuildError(f"there is no place for the CPU kernels: {error}") from error


def instruction_sets() -> list[str]:
    """The names of those that this processor has, the best first; none on other architectures than x86-64."""
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return []
    features = _features()
    return [name for name, (needed, _) in INSTRUCTION_SETS.items() if needed <= features]


def instruction_set() -> str:
    """What the library of this processor is built for; "native" where no instruction set has code of its own."""
    return next(iter(instruction_sets()), "native")


def processor_tunings() -> tuple[tuple[str, ...], ...]:
    """Flags for this processor, and others for a compiler that does not know them."""
    best = [INSTRUCTION_SETS[name][1] for name in instruction_sets()[:1]]
    return (*best, NATIVE, GENERIC)


def digest(compiler: str, tuning: tuple[str, ...]) -> str:
    """The name of the library that this compiler builds on this processor."""
    parts = [
        {path.name: path.read_text(encoding="utf-8") for path in SOURCES},
        _flags(tuning),
        run([compiler, "--version"]).stdout,
        torch.__version__,
        system(),
        processor(),
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:24]


def openmp() -> tuple[str, ...]:
    """torch's own OpenMP library, where it is not found under the usual name.

    With a second one, the threads of both would compete for the processors.
    """
    package = Path(torch.__file__).parent
    folders = [package / "lib", package.parent / "torch.libs"]
    names = ("libgomp-*.so*", "libiomp5.so")
    found = [path for folder in folders for name in names for path in sorted(folder.glob(name))]
    return tuple(str(path) for path in found[:1])


def processor() -> str:
    """Model and features of this processor: a folder may be shared by several machines."""
    features = {
        line for line in _processor_lines() if line.split(":")[0].strip() in PROCESSOR_FIELDS
    }
    return "\n".join(sorted(features)) or platform.processor() or platform.machine()


def _features() -> set[str]:
    """Features of an x86-64 processor by Linux's names; where there are none, as torch found them."""
    flags = {line.partition(":")[2] for line in _processor_lines() if line.startswith("flags")}
    if flags:
        return set(" ".join(flags).split())
    known = {"AVX512": AVX512, "AVX2": AVX2}
    return set(known.get(torch.backends.cpu.get_cpu_capability(), ()))


def _processor_lines() -> list[str]:
    info = Path("/proc/cpuinfo")
    return info.read_text().splitlines() if info.exists() else []


def _build(path: Path, compiler: str, tunings: tuple[tuple[str, ...], ...]) -> None:
    """Build with the first flags that the compiler takes; raises BuildError with its message."""
    for tuning in tunings:
        try:
            return compile_library(
                [compiler, str(SOURCES[0]), "-o", str(path), *_flags(tuning)], path
            )
        except BuildError as error:
            failure = error
    raise BuildError(f"{Path(compiler).name} could not build the CPU kernels:\n{failure}")


def _flags(tuning: tuple[str, ...]) -> list[str]:
    return [*FLAGS, *tuning, *LIBRARY, *openmp()]
