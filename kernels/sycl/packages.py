"""Where pip put Intel's SYCL compiler and runtime, and what to do when it did not."""

from __future__ import annotations

import functools
from importlib import metadata
from pathlib import Path

RELEASE = "2026.0.0"  # the release that torch 2.13's XPU build brings
# What each package is for; the last is needed on the CPU alone.
PACKAGES = {
    "intel-sycl-rt": "SYCL's headers, runtime and compiler",
    "intel-cmplr-lib-ur": "the adapters from SYCL to a device",
    "intel-cmplr-lib-rt": "the compiler's support library",
    "intel-opencl-rt": "OpenCL for the CPU",
}


class ToolchainError(RuntimeError):
    """A package to compile or run SYCL kernels is missing; the message names the remedy."""


@functools.cache
def version(package: str) -> str:
    """The installed version of one of `PACKAGES`; raises ToolchainError where there is none."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        raise ToolchainError(
            f"{package} ({PACKAGES[package]}) is not installed: {install(package)}"
        ) from None


@functools.cache
def root() -> Path:
    """The folder with `include/sycl` and `lib/libsycl.so`; raises ToolchainError."""
    for package in ("intel-sycl-rt", "intel-cmplr-lib-ur", "intel-cmplr-lib-rt"):
        version(package)
    for file in metadata.files("intel-sycl-rt") or ():
        if file.parts[-3:] == ("include", "sycl", "version.hpp"):
            return Path(file.locate()).resolve().parents[2]
    raise ToolchainError(
        f"intel-sycl-rt has no headers: {install('--force-reinstall', 'intel-sycl-rt')}"
    )


def opencl_library() -> Path:
    """Intel's OpenCL driver for the CPU; raises ToolchainError without it or SYCL's adapter."""
    version("intel-opencl-rt")
    if not (root() / "lib" / "libur_adapter_opencl.so").exists():
        raise ToolchainError(
            f"intel-cmplr-lib-ur {version('intel-cmplr-lib-ur')} has no OpenCL adapter,"
            " so SYCL cannot run on the CPU "
            f"(releases up to {RELEASE} are known to have it): {install(*PACKAGES)}"
        )
    return root() / "lib" / "libintelocl.so"


def install(*arguments: str) -> str:
    """The pip command that installs packages in the release known to work."""
    pinned = (f"{name}=={RELEASE}" if name in PACKAGES else name for name in arguments)
    return "pip install " + " ".join(pinned)
