"""The host library, built once per user by g++, and the files beside it in the cache folder."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import shutil
from pathlib import Path

from ..compiler import BuildError, compile_library, report_build, system
from ..file_cache import cache_folder as cache_folder_of
from ..file_cache import cached
from . import packages
from .packages import ToolchainError

HOST = Path(__file__).with_name("host.cpp")
FLAGS = ("-std=c++17", "-O1", "-fPIC", "-shared", "-w")


@functools.cache
def header() -> str:
    """All header files for `#include`, one after the other: each name and text, ended by zeros."""
    paths = sorted(Path(__file__).parent.glob("*.hpp"))
    return "".join(f"{path.name}\0{path.read_text()}\0" for path in paths)


def cache_folder() -> Path:
    """`tinyllm/sycl` in the user's cache."""
    return cache_folder_of("sycl")


def digest(*parts: str) -> str:
    """The name of a file that the installed release makes from `parts`."""
    text = "\0".join((packages.version("intel-sycl-rt"), *parts))
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def host_library(folder: Path, cpu: bool) -> Path:
    """The host library, built with g++ where the folder has none; raises ToolchainError."""
    root = packages.root()
    if cpu:
        # OpenCL finds Intel's CPU driver by the full path in this variable; a set one stays.
        os.environ.setdefault("OCL_ICD_FILENAMES", str(packages.opencl_library()))
    path = folder / f"host-{digest(HOST.read_text(), *_flags(root), *system())}.so"
    try:
        return cached(path, _build_host, executable=True)
    except OSError as error:
        raise ToolchainError(f"there is no place for the SYCL host library: {error}") from error


def _build_host(path: Path) -> None:
    if shutil.which("g++") is None:
        raise ToolchainError(
            "g++ is not installed; it is needed once, to build the SYCL host library: apt install g++"
        )
    command = ["g++", str(HOST), "-o", str(path), *_flags(packages.root()), "-l:libsycl.so"]
    try:
        with report_build("the SYCL host library"):
            compile_library(command, path)
    except BuildError as error:
        raise ToolchainError(f"g++ could not build the SYCL host library:\n{error}") from error


def _flags(root: Path) -> tuple[str, ...]:
    return (*FLAGS, f"-I{root}/include", f"-L{root}/lib", f"-Wl,-rpath,{root}/lib")


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
        self.cpu_code = function("cpu_code", size, address, address)
        self.load_cpu_code = function("load_cpu_code", address, address, text, size, text, number)
        self.launch = function("launch", number, address, address, text, text, number, text)
        self.wait = function("wait", number, address)
