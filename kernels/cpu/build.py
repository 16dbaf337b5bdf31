"""The library is built once per user, for the processor it will run on, by the compiler that is installed."""

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
FLAGS = ("-std=c++20", "-O3", "-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math", "-fopenmp")
LIBRARY = ("-fPIC", "-shared", "-w")
# What the processor has; where the compiler does not know it, what every processor of its kind has.
NATIVE, ANY = ("-march=native",), ()


class BuildError(RuntimeError):
    """The native code could not be built; the message says why, and what helps."""


def cache_folder() -> Path:
    """`tinyllm/cpu` in $XDG_CACHE_HOME, or in ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tinyllm" / "cpu"


def library(folder: Path, compilers: tuple[str, ...] = COMPILERS, tuning: tuple[str, ...] | None = None) -> Path:
    """The library in a folder, built there first where it has none; raises BuildError where that cannot be done.

    `tuning` replaces the flags that choose the processor.
    """
    compiler = next(filter(None, map(shutil.which, compilers)), None)
    if compiler is None:
        raise BuildError(f"there is no C++ compiler ({' or '.join(compilers)}): apt install g++")
    for flags in (NATIVE, ANY) if tuning is None else (tuning,):
        path = folder / f"cpu-{digest(compiler, flags)}.so"
        failure = None if path.exists() else _build(path, compiler, flags)
        if failure is None:
            return path
    raise BuildError(f"{Path(compiler).name} could not build the CPU kernels:\n{failure}")


def digest(compiler: str, tuning: tuple[str, ...]) -> str:
    """A name for what this compiler makes of the sources on this processor."""
    version = _run([compiler, "--version"]).stdout
    parts = [*(path.read_text() for path in SOURCES), *FLAGS, *tuning, *openmp(), version, _processor()]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]


def openmp() -> tuple[str, ...]:
    """torch's own OpenMP library, where it is not found under the usual name: with a second one, threads would be in
    each other's way."""
    folders = [Path(torch.__file__).parent / "lib", Path(torch.__file__).parents[1] / "torch.libs"]
    names = ("libgomp-*.so*", "libiomp5.so")
    found = [path for folder in folders for name in names for path in folder.glob(name)]
    return tuple(str(path) for path in found[:1])


def _processor() -> str:
    """What distinguishes this processor: a folder may be shared by several machines."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    told = {line for line in lines if line.startswith(("model name", "flags", "Features", "CPU part"))}
    return "\n".join(sorted(told)) or platform.processor() or platform.machine()


def _build(path: Path, compiler: str, tuning: tuple[str, ...]) -> str | None:
    """Build, and return what the compiler complained of; another process that builds the same is not disturbed."""
    print("tinyllm: building the CPU kernels (once) ... ", end="", file=sys.stderr, flush=True)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(dir=path.parent, suffix=".part")
    except OSError as error:
        raise BuildError(f"the cache folder cannot be written: {error}") from error
    os.close(handle)
    began = time.perf_counter()
    try:
        done = _run([compiler, str(SOURCES[0]), "-o", part, *FLAGS, *tuning, *LIBRARY, *openmp()])
        print("failed" if done.returncode else f"{time.perf_counter() - began:.0f} s", file=sys.stderr)
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
