"""Where Intel's Triton compiler is: fetched by pip into the user's cache folder on first use.

It never enters the environment, whose own Triton it would replace.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ...file_cache import cache_folder as cache_folder_of
from ...sycl.packages import ToolchainError

RELEASE = "3.3.0b1"
# By version of Python: the wheel's hash, which pip compares.
HASHES = {
    (3, 11): "06ced7a5cfddb8123f48cc1da2337dde6e965cbe6f787a6342da41b2eb8111c1",
    (3, 12): "8c35aa286f368177f6ee65c56a39e69aeb4a7a4b0b9bd243f61a27286a009f13",
}


def cache_folder() -> Path:
    """`tinyllm/triton-xpu` in the user's cache folder."""
    return cache_folder_of("triton-xpu")


def unsupported() -> str | None:
    """The reason why this interpreter cannot have the compiler; None where it can."""
    version = sys.version_info[:2]
    if version in HASHES and sys.platform == "linux":
        return None
    known = " and ".join(f"{major}.{minor}" for major, minor in HASHES)
    return (
        f"triton-xpu {RELEASE} has wheels for Python {known} on Linux, not for "
        f"{version[0]}.{version[1]} on {sys.platform}: run this with one of those"
    )


def is_installed() -> bool:
    """Whether the compiler is in the cache folder."""
    return _folder().exists()


def install() -> Path:
    """The folder with the compiler, fetched where it is not there.

    182 MB are loaded, 640 MB unpacked. Raises ToolchainError for a Python without a wheel, or without a network.
    """
    reason = unsupported()
    if reason:
        raise ToolchainError(reason)
    folder = _folder()
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix="part-") as part:
            _fetch(Path(part))
            _place(Path(part) / "site", folder)
    return folder


def environment() -> dict[str, str]:
    """The variables of a process that compiles with Intel's Triton; it is fetched where it is not there."""
    kept = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    paths = [str(install()), os.environ.get("PYTHONPATH")]
    return kept | {
        "PYTHONPATH": os.pathsep.join(path for path in paths if path),
        "TRITON_CACHE_DIR": str(cache_folder() / "kernels"),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1"),
    }


def _folder() -> Path:
    major, minor = sys.version_info[:2]
    return cache_folder() / f"{RELEASE}-cp{major}{minor}"


def _fetch(part: Path) -> None:
    """Load the wheel, compare its hash, and unpack it into `part`/site."""
    print(
        f"tinyllm: fetching triton-xpu {RELEASE} (182 MB, once; 640 MB unpacked) ... ",
        end="", file=sys.stderr, flush=True,
    )  # fmt: skip
    began = time.perf_counter()
    digest = HASHES[sys.version_info[:2]]
    requirements = part / "requirements.txt"
    requirements.write_text(f"triton-xpu=={RELEASE} --hash=sha256:{digest}\n")
    command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--quiet"]
    command += ["--no-deps", "--no-compile", "--no-cache-dir", "--only-binary", ":all:"]
    command += ["--require-hashes", "--target", str(part / "site"), "-r", str(requirements)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print("failed", file=sys.stderr)
        lines = done.stderr.strip().splitlines() or ["no message"]
        raise ToolchainError(
            f"pip could not fetch triton-xpu {RELEASE}; it needs a network and a package index: {lines[-1]}"
        )
    print(f"{time.perf_counter() - began:.0f} s", file=sys.stderr)


def _place(unpacked: Path, folder: Path) -> None:
    """Rename an unpacked wheel to its place, unless another process was faster."""
    for backend in ("nvidia", "amd"):  # 200 MB of other vendors' tools
        shutil.rmtree(unpacked / "triton" / "backends" / backend, ignore_errors=True)
    try:
        os.rename(unpacked, folder)
    except OSError:
        if not folder.exists():
            raise


def main() -> None:
    """Fetch the compiler, or print why it cannot be had: tests that need it are then skipped."""
    try:
        print(install())
    except ToolchainError as error:
        print(error)


if __name__ == "__main__":
    main()
