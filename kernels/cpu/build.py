"""The library is built once per user, for its processor, by the installed compiler."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

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


class BuildError(RuntimeError):
    """The native code could not be built; the message says why, and what helps."""


def cache_folder() -> Path:
    """`tinyllm/cpu` in $XDG_CACHE_HOME, or in ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tinyllm" / "cpu"


def library(
    folder: Path,
    compilers: tuple[str, ...] = COMPILERS,
    tuning: tuple[str, ...] | None = None,
) -> Path:
    """The library in a folder, built there where it has none.

    `tuning` replaces the flags that choose the processor. Raises BuildError with the reason.
    """
    compiler = next(filter(None, map(shutil.which, compilers)), None)
    if compiler is None:
        raise BuildError(f"there is no C++ compiler ({' or '.join(compilers)}): apt install g++")
    for flags in (NATIVE, GENERIC) if tuning is None else (tuning,):
        path = folder / f"cpu-{digest(compiler, flags)}.so"
        failure = None if path.exists() else _build(path, compiler, flags)
        if failure is None:
            return path
    raise BuildError(f"{Path(compiler).name} could not build the CPU kernels:\n{failure}")


def digest(compiler: str, tuning: tuple[str, ...]) -> str:
    """The name of the library that this compiler builds on this processor."""
    version = _run([compiler, "--version"]).stdout
    sources = [path.read_text() for path in SOURCES]
    parts = [*sources, *FLAGS, *tuning, *openmp(), version, _processor()]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]


def openmp() -> tuple[str, ...]:
    """torch's own OpenMP library, where it is not found under the usual name.

    With a second one, the threads of both would compete for the processors.
    """
    package = Path(torch.__file__).parent
    folders = [package / "lib", package.parent / "torch.libs"]
    names = ("libgomp-*.so*", "libiomp5.so")
    found = [path for folder in folders for name in names for path in folder.glob(name)]
    return tuple(str(path) for path in found[:1])


def _processor() -> str:
    """Model and features of this processor: a folder may be shared by several machines."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    fields = ("model name", "flags", "Features", "CPU part")
    features = {line for line in lines if line.startswith(fields)}
    return "\n".join(sorted(features)) or platform.processor() or platform.machine()


def _build(path: Path, compiler: str, tuning: tuple[str, ...]) -> str | None:
    """Build, and return the compiler's message where that fails.

    The library is moved into place at the end: another process may build the same one.
    """
    print("tinyllm: building the CPU kernels (once) ... ", end="", file=sys.stderr, flush=True)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(dir=path.parent, suffix=".part")
    except OSError as error:
        raise BuildError(f"the cache folder cannot be written: {error}") from error
    os.close(handle)
    began = time.perf_counter()
    try:
        flags = [*FLAGS, *tuning, *LIBRARY, *openmp()]
        done = _run([compiler, str(SOURCES[0]), "-o", part, *flags])
        seconds = time.perf_counter() - began
        print("failed" if done.returncode else f"{seconds:.0f} s", file=sys.stderr)
        if done.returncode:
            return done.stderr or f"exit status {done.returncode}"
        os.replace(part, path)
    finally:
        Path(part).unlink(missing_ok=True)
    return None


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise BuildError(f"{command[0]} cannot be started: {error}") from error
