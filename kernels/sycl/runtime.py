"""Compile SYCL C++ at run time and launch it on torch tensors.

A kernel's argument list is written once, in its C++ source: `Source` reads it there. On "xpu"
tensors a kernel is enqueued on torch's current stream, in order with torch's own work, and the
launch does not wait. On "cpu" tensors, for tests, it runs on Intel's OpenCL driver for the CPU,
directly on the tensors' memory, and the launch waits.

Three things are built once and kept in the user's cache folder (`cache_folder`): the host library,
by g++, the SPIR-V of each kernel source, by Intel's compiler, and the CPU's code for it, by the
driver. The second is our own cache: SYCL_CACHE_PERSISTENT does the same in release 2026.0.0, but
crashes in 2026.1.2 and, being a variable, would change the process's other SYCL code too. Code for
one GPU is made from the SPIR-V by the driver, which keeps a cache itself; the CPU's has none.
"""

from __future__ import annotations

import ctypes
import functools
import os
import re
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import torch
from torch import Tensor

from ..cpu.build import processor
from ..file_cache import cached
from . import build, packages
from .packages import ToolchainError

SCALARS = {torch.float32: "float", torch.float16: "_Float16", torch.bfloat16: "bf16"}
PACK_FORMATS = {"P": "Q", "i": "i4x", "q": "q", "f": "f4x"}  # 8 bytes an argument
DECLARATION = re.compile(r"^KERNEL\((\d)\)\s+(\w+)\(([^)]*)\)", re.MULTILINE)


class CompileError(RuntimeError):
    """A kernel source does not compile; the message is the compiler's, with the lines."""


@dataclass(frozen=True)
class Signature:
    """A letter per argument (P pointer, i int32, q int64, f float), and launch dimensions."""

    kinds: str
    dimensions: int


@dataclass(frozen=True)
class Source:
    """A file of kernels: its name for messages, and its text."""

    name: str
    text: str

    @classmethod
    @functools.cache
    def file(cls, family: str) -> Source:
        """The source `FAMILY.sycl.cpp` beside this module."""
        path = Path(__file__).with_name(f"{family}.sycl.cpp")
        return cls(path.name, path.read_text())

    @functools.cached_property
    def signatures(self) -> dict[str, Signature]:
        """Every kernel declared in the text, by name."""
        found = DECLARATION.findall(self.text)
        return {
            name: Signature("".join(map(_kind, listed.split(","))), int(n))
            for n, name, listed in found
        }


def _kind(argument: str) -> str:
    if "*" in argument:
        return "P"
    kind = argument.split()[0]
    if kind not in ("int", "long", "float"):
        raise ValueError(
            f"kernel argument {argument.strip()!r}: expected a pointer, int, long or float"
        )
    return {"int": "i", "long": "q", "float": "f"}[kind]


class Kernel:
    """A compiled kernel; called with work-groups, work-items in each, and its arguments.

    Arguments are tensors, None and numbers.
    """

    def __init__(self, runtime: Runtime, handle: int, name: str, signature: Signature) -> None:
        self.name = name
        self.device = runtime.device
        self.signature = signature
        self.handle = handle
        self.pack = struct.Struct(
            "<" + "".join(PACK_FORMATS[kind] for kind in signature.kinds)
        ).pack
        self.kinds = signature.kinds.encode()
        self.dimensions = signature.dimensions
        self.size = struct.Struct(f"<{2 * signature.dimensions}Q").pack
        self.run, self.wait, self.queue, self.check = (
            runtime.library.launch,
            runtime.wait,
            runtime.queue,
            runtime.check,
        )

    def __call__(
        self, groups: Sequence[int], items: Sequence[int], *arguments: Tensor | float | None
    ) -> None:
        """Enqueue, and on the CPU wait; raises RuntimeError with SYCL's message."""
        kinds = self.signature.kinds
        values = [self._value(*pair) for pair in zip(kinds, arguments, strict=True)]
        size = self.size(*groups, *items)
        self.check(
            self.run(
                self.queue(), self.handle, self.kinds, self.pack(*values), self.dimensions, size
            )
        )
        if self.wait is not None:
            self.wait()

    def _value(self, kind: str, x: Tensor | float | None) -> int | float:
        """An argument as it is packed; raises TypeError for a tensor that is none, or elsewhere."""
        if isinstance(x, Tensor):
            if kind != "P" or x.device.type != self.device.type:
                raise TypeError(f"{self.name}: a tensor on {x.device}, expected {self._kind(kind)}")
            return x.data_ptr()
        if kind == "P" and x is not None:
            raise TypeError(f"{self.name}: {x!r}, expected {self._kind(kind)}")
        return x or 0

    def _kind(self, kind: str) -> str:
        return f"a tensor on {self.device}" if kind == "P" else "a number"


class Runtime:
    """One device: its queue, sub-group size (`lanes`), compute units, and compiled kernels.

    `device` is "xpu" or "cpu"; `lanes` overrides the sub-group size; `cache` the folder of
    `build.cache_folder`. Raises ToolchainError where the machine lacks something, naming it.
    """

    def __init__(
        self, device: torch.device, lanes: int | None = None, cache: Path | None = None
    ) -> None:
        self.device = device
        self.cache = cache or build.cache_folder()
        self.library = build.HostLibrary(build.host_library(self.cache, cpu=device.type == "cpu"))
        self.queue: Callable[[], int] = self._torch_queue
        self.wait: Callable[[], None] | None = None
        if device.type == "cpu":
            queue = self.library.cpu_queue() or self._no_cpu()
            self.queue = lambda: queue
            self.wait = lambda: self.check(self.library.wait(queue))
        text = self.check(self.library.device(self.queue())).decode()
        self.name, self.driver, sizes = text.split("\n")
        self.lanes = lanes or self._lanes([int(size) for size in sizes.split()])
        self.units, self.matrix_engine = self._properties()
        self.kernels: dict[tuple, Kernel] = {}

    def _properties(self) -> tuple[int, bool]:
        """Xe-cores of a GPU, or cores; and whether a matrix engine takes 16-bit numbers."""
        if self.device.type == "cpu":
            return os.cpu_count() or 1, False
        properties = torch.xpu.get_device_properties(self.device)
        return (
            properties.gpu_subslice_count,
            properties.has_subgroup_matrix_multiply_accumulate,
        )

    def _no_cpu(self) -> NoReturn:
        found = f"OCL_ICD_FILENAMES is {os.environ['OCL_ICD_FILENAMES']!r}"
        expected = f"{packages.opencl_library()}, which it becomes where it is not set"
        raise ToolchainError(
            f"SYCL finds no CPU ({self.library.error().decode().strip()}); {found}, expected {expected}"
        )

    def _torch_queue(self) -> int:
        return torch.xpu.current_stream(self.device).sycl_queue

    def _lanes(self, sizes: list[int]) -> int:
        """One register of floats: the smallest size from 8 up (8 on Arc A, else 16)."""
        return 16 if self.device.type == "cpu" else min(size for size in sizes if size >= 8)

    def check(self, result: int | bytes | None) -> int | bytes:
        """`result`, or RuntimeError with SYCL's message where it is null."""
        if not result:
            raise RuntimeError(self.library.error().decode(errors="replace").strip())
        return result

    def kernel(self, family: str, name: str, dtype: torch.dtype, **macros: int | str) -> Kernel:
        """The kernel `name` of FAMILY.sycl.cpp for tensors of `dtype`, compiled on first use.

        Raises CompileError, or TypeError for a dtype that has no kernels.
        """
        key = (family, name, dtype, *macros.items())
        if key not in self.kernels:
            self.kernels[key] = self.load(Source.file(family), name, self.options(dtype, **macros))
        return self.kernels[key]

    def options(self, dtype: torch.dtype, **macros: int | str) -> tuple[str, ...]:
        """The build options for tensors of `dtype`."""
        if dtype not in SCALARS:
            raise TypeError(f"tensors of {dtype}: expected one of {list(SCALARS)}")
        macros = {"SCALAR": SCALARS[dtype], "LANES": self.lanes, **macros}
        return tuple(f"-D{name}={value}" for name, value in macros.items())

    def load(self, source: Source, name: str, options: tuple[str, ...]) -> Kernel:
        """One kernel of a source, from the cache where it is there; raises CompileError."""
        signature = source.signatures[name]
        handle = None
        if self.device.type == "cpu":
            handle = self._load_cpu_code(source, name, options)
        if not handle:
            bundle, prefix = self._bundle(source, options)
            kernel_name = f"{prefix}{name}".encode()
            handle = self.check(self.library.kernel(bundle, kernel_name, len(signature.kinds)))
        return Kernel(self, handle, name, signature)

    def _load_cpu_code(self, source: Source, name: str, options: tuple[str, ...]) -> int | None:
        """A kernel of the code that the CPU's driver made once; None where that is not to be had."""

        def make(path: Path) -> None:
            bundle, _ = self._bundle(source, options)
            code = ctypes.create_string_buffer(self.check(self.library.cpu_code(bundle, None)))
            self.library.cpu_code(bundle, code)
            path.write_bytes(code.raw)

        try:
            code = cached(self.cpu_code_path(source, options), make).read_bytes()
        except OSError:  # no folder can be written
            return None
        arguments = len(source.signatures[name].kinds)
        kernel_name = f"__sycl_kernel_{name}".encode()
        return self.library.load_cpu_code(self.queue(), code, len(code), kernel_name, arguments)

    def _bundle(self, source: Source, options: tuple[str, ...]) -> tuple[int, str]:
        """A bundle from the SPIR-V in the cache where it is there, and the prefix of its kernels' names.

        Raises CompileError.
        """

        def make(path: Path) -> None:
            path.write_bytes(self._spirv(self.compile(source, options)))

        try:
            code = cached(self.spirv_path(source, options), make).read_bytes()
        except OSError:  # no folder can be written
            code = b""
        bundle = self.library.load(self.queue(), code, len(code)) if code else None
        if bundle:
            return bundle, "__sycl_kernel_"
        # A driver may not take what another one wrote.
        return self.compile(source, options), ""

    def spirv(self, source: Source, options: tuple[str, ...]) -> bytes:
        """The SPIR-V of a source, which is the same for every device; raises CompileError."""

        def make(path: Path) -> None:
            size = ctypes.c_size_t()
            code = self.library.translate(
                self.queue(), *self._texts(source, options), ctypes.byref(size)
            )
            path.write_bytes(ctypes.string_at(code or self._failed(source, options), size.value))

        return cached(self.spirv_path(source, options), make).read_bytes()

    def _spirv(self, bundle: int) -> bytes:
        out = ctypes.create_string_buffer(self.check(self.library.spirv(bundle, None)))
        self.library.spirv(bundle, out)
        return out.raw

    def spirv_path(self, source: Source, options: tuple[str, ...]) -> Path:
        """Where the cache keeps the SPIR-V of a source: named by a digest of its inputs."""
        return (
            self.cache / f"{build.digest(source.name, source.text, build.header(), *options)}.spv"
        )

    def cpu_code_path(self, source: Source, options: tuple[str, ...]) -> Path:
        """Where the cache keeps the CPU's code for a source: a folder, and thereby a lock, for each."""
        target = (packages.version("intel-opencl-rt"), self.driver, processor())
        name = build.digest(source.name, source.text, build.header(), *options, *target)
        return self.cache / name / "cpu.bin"

    def compile(self, source: Source, options: tuple[str, ...]) -> int:
        """A bundle made by the compiler, whatever the cache holds; raises CompileError."""
        return self.library.compile(self.queue(), *self._texts(source, options)) or self._failed(
            source, options
        )

    @staticmethod
    def _texts(source: Source, options: tuple[str, ...]) -> tuple[bytes, bytes, bytes]:
        return source.text.encode(), build.header().encode(), "\n".join(options).encode()

    def _failed(self, source: Source, options: tuple[str, ...]) -> NoReturn:
        log = self.library.error().decode(errors="replace").strip()
        log = re.sub(
            r"\brtc_\d+\.cpp\b", source.name, log
        )  # the compiler's name for what has no file
        raise CompileError(f"{source.name} does not compile with {' '.join(options)}:\n{log}")


@functools.cache
def runtime_of(device: torch.device) -> Runtime:
    """The runtime of a device, made on first use; raises ToolchainError."""
    return Runtime(device)
