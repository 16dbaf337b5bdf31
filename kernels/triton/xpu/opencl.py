"""SPIR-V kernels on Intel's OpenCL driver for the CPU, directly on the memory of torch's tensors.

The driver's library is loaded itself: no OpenCL loader is needed. Compiling a kernel for the CPU takes seconds, up to a
minute, and the driver keeps nothing: here each program is kept in the cache folder, under a digest of its SPIR-V.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
from collections.abc import Sequence
from ctypes import byref, c_char_p, c_int, c_size_t, c_ubyte, c_uint, c_ulong, c_void_p
from pathlib import Path

from ...file_cache import cached
from ...sycl import packages

DEVICE_TYPE_CPU = 2
DRIVER_VERSION = 0x102D
DEVICE_NAME = 0x102B
PROGRAM_BINARY_SIZES = 0x1165
PROGRAM_BINARIES = 0x1166
PROGRAM_BUILD_LOG = 0x1183
RETURN_ADDRESS = (
    "clCreateContext",
    "clCreateCommandQueue",
    "clCreateProgramWithIL",
    "clCreateProgramWithBinary",
    "clCreateProgramWithSource",
    "clLinkProgram",
    "clCreateKernel",
    "clGetExtensionFunctionAddressForPlatform",
)
SCALARS = {
    "i1": ctypes.c_int8,
    "i8": ctypes.c_int8,
    "i16": ctypes.c_int16,
    "i32": ctypes.c_int32,
    "i64": ctypes.c_int64,
    "u64": ctypes.c_uint64,
    "fp32": ctypes.c_float,
}


class OpenCLError(RuntimeError):
    """A call that failed; the message has its code, and the compiler's log where there is one."""


class Cpu:
    """The CPU as an OpenCL device: a context and a queue.

    `cache` is the folder of compiled programs. Raises ToolchainError without Intel's driver.
    """

    def __init__(self, cache: Path) -> None:
        self.cache = cache
        self.library = ctypes.CDLL(str(packages.opencl_library()))
        for name in RETURN_ADDRESS:
            getattr(self.library, name).restype = c_void_p
        platform = c_void_p()
        self.device = c_void_p()
        error = c_int()
        self.call("clGetPlatformIDs", 1, byref(platform), None)
        kind = c_ulong(DEVICE_TYPE_CPU)
        self.call("clGetDeviceIDs", platform, kind, 1, byref(self.device), None)
        context = self.library.clCreateContext(
            None, 1, byref(self.device), None, None, byref(error)
        )
        self.context = c_void_p(check("clCreateContext", error, context))
        queue = self.library.clCreateCommandQueue(
            self.context, self.device, c_ulong(0), byref(error)
        )
        self.queue = c_void_p(check("clCreateCommandQueue", error, queue))
        address = self.library.clGetExtensionFunctionAddressForPlatform(
            platform, b"clSetKernelArgMemPointerINTEL"
        )
        self.set_pointer = ctypes.CFUNCTYPE(c_int, c_void_p, c_uint, c_void_p)(address)

    def call(
        self, name: str, *arguments: c_void_p | c_ulong | c_size_t | int | bytes | None
    ) -> None:
        """Call a function that returns a code; raises OpenCLError where that is not 0."""
        code = getattr(self.library, name)(*arguments)
        if code:
            raise OpenCLError(f"{name} failed with {code}")

    def device_text(self, property_number: int) -> str:
        """One of the device's texts, such as DRIVER_VERSION."""
        text = ctypes.create_string_buffer(1024)
        size = c_size_t(len(text))
        self.call("clGetDeviceInfo", self.device, property_number, size, text, None)
        return text.value.decode()

    def kernel(self, spirv: bytes, name: str, functions: str = "") -> Kernel:
        """A kernel of a SPIR-V module; `functions`, in OpenCL C, are those that it calls and does not define.

        Raises OpenCLError with the compiler's log.
        """
        key = hashlib.sha256(self.device_text(DRIVER_VERSION).encode())
        key.update(self.device_text(DEVICE_NAME).encode())
        key.update(spirv)
        key.update(functions.encode())
        path = self.cache / key.hexdigest()[:32] / "program.bin"  # a lock for each
        path = cached(
            path, lambda new: new.write_bytes(self._binary(self._program(spirv, functions)))
        )
        program = self._load(path) or self._program(spirv, functions)
        error = c_int()
        handle = self.library.clCreateKernel(program, name.encode(), byref(error))
        return Kernel(self, c_void_p(check(f"clCreateKernel {name}", error, handle)))

    def _program(self, spirv: bytes, functions: str) -> c_void_p:
        error = c_int()
        size = c_size_t(len(spirv))
        handle = self.library.clCreateProgramWithIL(self.context, spirv, size, byref(error))
        program = c_void_p(check("clCreateProgramWithIL", error, handle))
        if functions:
            return self._link(program, functions)
        code = self._build(program)
        if code:
            raise OpenCLError(f"clBuildProgram failed with {code}: {self._log(program)}")
        return program

    def _link(self, program: c_void_p, functions: str) -> c_void_p:
        error = c_int()
        text = c_char_p(functions.encode())
        handle = self.library.clCreateProgramWithSource(
            self.context, 1, byref(text), None, byref(error)
        )
        more = c_void_p(check("clCreateProgramWithSource", error, handle))
        for part, options in ((program, b""), (more, b"-cl-std=CL3.0")):
            code = self.library.clCompileProgram(
                part, 1, byref(self.device), options, 0, None, None, None, None
            )
            if code:
                raise OpenCLError(f"clCompileProgram failed with {code}: {self._log(part)}")
        parts = (c_void_p * 2)(program, more)
        handle = self.library.clLinkProgram(
            self.context, 1, byref(self.device), b"", 2, parts, None, None, byref(error)
        )
        if error.value and handle:
            log = self._log(c_void_p(handle))
            raise OpenCLError(f"clLinkProgram failed with {error.value}: {log}")
        return c_void_p(check("clLinkProgram", error, handle))

    def _build(self, program: c_void_p) -> int:
        return self.library.clBuildProgram(program, 1, byref(self.device), b"", None, None)

    def _load(self, path: Path) -> c_void_p | None:
        """A program from the cache; None where this driver does not take it."""
        binary = path.read_bytes()
        content = (c_ubyte * len(binary)).from_buffer_copy(binary)
        address = c_void_p(ctypes.addressof(content))
        size = c_size_t(len(binary))
        status = c_int()
        error = c_int()
        handle = self.library.clCreateProgramWithBinary(
            self.context, 1, byref(self.device), byref(size), byref(address), byref(status), byref(error)
        )  # fmt: skip
        if error.value or self._build(c_void_p(handle)):
            return None
        return c_void_p(handle)

    def _binary(self, program: c_void_p) -> bytes:
        size = c_size_t()
        bytes_of_size = c_size_t(ctypes.sizeof(size))
        self.call(
            "clGetProgramInfo", program, PROGRAM_BINARY_SIZES, bytes_of_size, byref(size), None
        )
        content = (c_ubyte * size.value)()
        address = c_void_p(ctypes.addressof(content))
        bytes_of_address = c_size_t(ctypes.sizeof(address))
        self.call(
            "clGetProgramInfo", program, PROGRAM_BINARIES, bytes_of_address, byref(address), None
        )
        return bytes(content)

    def _log(self, program: c_void_p) -> str:
        text = ctypes.create_string_buffer(1 << 16)
        size = c_size_t(len(text))
        self.library.clGetProgramBuildInfo(
            program, self.device, PROGRAM_BUILD_LOG, size, text, None
        )
        return text.value.decode(errors="replace").strip()


def check(name: str, error: c_int, handle: int | None) -> int | None:
    """The handle that a function returned; raises OpenCLError where it gave an error."""
    if error.value:
        raise OpenCLError(f"{name} failed with {error.value}")
    return handle


class Kernel:
    """A compiled kernel."""

    def __init__(self, cpu: Cpu, handle: c_void_p) -> None:
        self.cpu = cpu
        self.handle = handle

    def __call__(
        self,
        grid: Sequence[int],
        items: int,
        kinds: Sequence[str],
        values: Sequence[float],
        shared: int,
    ) -> None:
        """Run to the end: `grid` work-groups of `items` work-items with `shared` bytes of local memory.

        `kinds` are Triton's types ("*bf16", "i32", "fp32"), `values` addresses and numbers.
        """
        for place, (kind, value) in enumerate(zip(kinds, values, strict=True)):
            if kind.startswith("*"):
                code = self.cpu.set_pointer(self.handle, place, value)
                if code:
                    raise OpenCLError(f"pointer {place} of a kernel was refused with {code}")
            else:
                number = SCALARS[kind](value)
                size = c_size_t(ctypes.sizeof(number))
                self.cpu.call("clSetKernelArg", self.handle, place, size, byref(number))
        if shared:
            self.cpu.call("clSetKernelArg", self.handle, len(kinds), c_size_t(shared), None)
        total = (c_size_t * 3)(grid[0] * items, grid[1], grid[2])
        local = (c_size_t * 3)(items, 1, 1)
        self.cpu.call(
            "clEnqueueNDRangeKernel", self.cpu.queue, self.handle, 3, None, total, local, 0, None, None
        )  # fmt: skip
        self.cpu.call("clFinish", self.cpu.queue)


@functools.cache
def cpu_of(cache: Path) -> Cpu:
    """The device of this process, made on first use."""
    return Cpu(cache)
