"""A C++ compiler as a process: its messages in English, its temporary files beside the result."""

from __future__ import annotations

import contextlib
import errno
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

# As compilers quote them, in the locale C.
DISK_ERRORS = {"No space left on device": errno.ENOSPC, "Disk quota exceeded": errno.EDQUOT}


class BuildError(RuntimeError):
    """Native code could not be built; the message has the reason, and what helps."""


def compile_library(command: list[str], path: Path) -> None:
    """Run a compiler that writes the library `path`.

    Raises BuildError with its message, OSError where the disk is full.
    """
    done = run(command, TMPDIR=str(path.parent))
    message = done.stderr.strip() or f"exit status {done.returncode}"
    if done.returncode == 0 and path.exists():
        return
    for text, code in DISK_ERRORS.items():
        if text in message:
            raise OSError(code, text, str(path.parent))
    raise BuildError(message)


def run(command: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command and capture what it prints; raises BuildError where it cannot be started."""
    try:
        return subprocess.run(
            command,
            env={**os.environ, "LC_ALL": "C", **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except OSError as error:
        raise BuildError(f"{command[0]} cannot be started: {error}") from error


def system() -> tuple[str, ...]:
    """The architecture and the C library, for which code is built."""
    return (platform.machine(), *platform.libc_ver())


@contextlib.contextmanager
def report_build(label: str) -> Iterator[None]:
    """Say on stderr that something is built, and then in what time or that it failed."""
    _print(f"tinyllm: building {label} (once) ... ")
    began = time.perf_counter()
    try:
        yield
    except BaseException:
        _print("failed\n")
        raise
    _print(f"{time.perf_counter() - began:.0f} s\n")


def _print(text: str) -> None:
    if sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):  # a closed pipe must not end the build
            print(text, end="", file=sys.stderr, flush=True)
