"""The host library, built once per user by g++, and the files beside it in the cache folder."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from . import packages
from .packages import ToolchainError

HOST = Path(__file__).with_name("host.cpp")


@functools.cache
def header() -> str:
    """The text of common.hpp, for `#include "common.hpp"`."""
    return Path(__file__).with_name("common.hpp").read_text()


def cache_folder() -> Path:
    """`tinyllm/sycl` in $XDG_CACHE_HOME, or in ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tinyllm" / "sycl"


def digest(*parts: str) -> str:
    """The name of a file that the installed release makes from `parts`."""
    text = "\0".join((packages.version("intel-sycl-rt"), *parts))
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def write(path: Path, content: bytes) -> None:
    """Write a file atomically: another process may write it too, and readers see all of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    os.replace(name, path)


def host_library(cache: Path, cpu: bool) -> Path:
    """The host library, built with g++ where the cache has none; raises ToolchainError."""
    root = packages.root()
    if cpu:
        # OpenCL finds Intel's CPU driver by the full path in this variable; a set one stays.
        os.environ.setdefault("OCL_ICD_FILENAMES", str(packages.opencl_library()))
    path = cache / f"host-{digest(HOST.read_text(), str(root))}.so"
    if not path.exists():
        _build_host(path, root)
    return path


def _build_host(path: Path, root: Path) -> None:
    if shutil.which("g++") is None:
        raise ToolchainError(
            "g++ is not installed; it is needed once, to build the SYCL host library: apt install g++"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    print(
        "tinyllm: building the SYCL host library (once) ... ", end="", file=sys.stderr, flush=True
    )
    began = time.perf_counter()
    part = path.with_suffix(f".{os.getpid()}.part")
    flags = [
        "-std=c++17",
        "-O1",
        "-fPIC",
        "-shared",
        "-w",
        f"-I{root}/include",
        f"-L{root}/lib",
        f"-Wl,-rpath,{root}/lib",
    ]
    done = subprocess.run(
        ["g++", str(HOST), "-o", str(part), *flags, "-l:libsycl.so"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ToolchainError(f"g++ could not build the SYCL host library:\n{done.stderr}")
    os.replace(part, path)
    print(f"{time.perf_counter() - began:.0f} s", file=sys.stderr)


class HostLibrary:
    """The functions of host.cpp, with their types; addresses of SYCL objects are plain integers."""

    def __init__(self, path: Path) -> None:
        library = ctypes.CDLL(str(path))
        address = ctypes.c_void_p
        text = ctypes.c_char_p
        number = ctypes.c_int
        size = ctypes.c_size_t

        def function(name: str, result: type | None, *arguments: type):
            found = getattr(library, f"tinyllm_{name}")
            found.restype = result
            found.argtypes = arguments
            return found

        self.error = function("error", text)
        self.cpu_queue = function("cpu_queue", address)
        self.device = function("device", text, address)
        self.compile = function("compile", address, address, text, text, text)
        self.translate = function(
            "translate", address, address, text, text, text, ctypes.POINTER(size)
        )
        self.load = function("load", address, address, text, size)
        self.spirv = function("spirv", size, address, address)
        self.kernel = function("kernel", address, address, text, number)
        self.launch = function("launch", number, address, address, text, text, number, text)
        self.wait = function("wait", number, address)
