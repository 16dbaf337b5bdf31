"""Intel's offline compiler for GPUs: the installed one, or Debian's newest in a folder."""

from __future__ import annotations

import argparse
import functools
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .packages import ToolchainError

GPUS = {
    "pvc": 16,
    "dg2": 8,
}  # Max, Arc A: what Debian 12's ocloc supports, with the sub-group size of each
NEWER = {"bmg": 16, "lnl": 16, "mtl": 8}  # Battlemage, Lunar Lake, Meteor Lake
PACKAGES = ("intel-ocloc", "libigc2", "libigdfcl2")


@dataclass(frozen=True)
class Compiler:
    """A way to start ocloc: the command, its version for the record, and the GPUs to ask it for.

    `has_block_loads`: whether it has the functions of 2D blocks.
    """

    command: tuple[str, ...]
    libraries: str
    version: str
    gpus: dict[str, int]
    has_block_loads: bool = True

    def build(self, spirv: bytes, gpu: str, folder: Path, options: str = "") -> None:
        """Compile SPIR-V for a GPU and disassemble it into `folder`; raises RuntimeError.

        `options` are those of an OpenCL build, such as the size of the register file.
        """
        (folder / "code.spv").write_bytes(spirv)
        code = ("-spirv_input", "-file", f"{folder}/code.spv")
        target = ("-device", gpu, "--format", "zebin", "-out_dir", f"{folder}/out")
        self._run("compile", *code, *target, *(("-options", options) if options else ()))
        (binary,) = (folder / "out").glob("*.bin")
        self._run("disasm", "-file", str(binary), "-device", gpu, "-dump", str(folder))
        if not (folder / ".ze_info").exists():
            raise RuntimeError(f"ocloc disassembled nothing for {gpu}")

    def _run(self, *arguments: str) -> None:
        paths = [self.libraries, os.environ.get("LD_LIBRARY_PATH")]
        environment = {**os.environ, "LD_LIBRARY_PATH": ":".join(path for path in paths if path)}
        done = subprocess.run(
            [*self.command, *arguments],
            capture_output=True,
            text=True,
            env=environment,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(done.args)}:\n{done.stdout}{done.stderr}")


@functools.cache
def installed() -> Compiler:
    """Debian 12's ocloc; raises ToolchainError where it is not installed."""
    if shutil.which("ocloc") is None or shutil.which("dpkg-query") is None:
        raise ToolchainError(
            "ocloc, Intel's offline compiler, is not installed: apt install intel-opencl-icd libigc-dev"
        )
    version = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Version}", "intel-opencl-icd"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    # ocloc loads the disassembler by its name without a version, as libigc-dev installs it.
    # Release 22 leaves 2D blocks as calls of functions that nothing defines.
    return Compiler(
        ("ocloc",), "", f"Debian's intel-opencl-icd {version}", GPUS, not version.startswith("22.")
    )


def newer(folder: Path) -> Compiler:
    """Debian unstable's ocloc, fetched by apt into `folder` and run with its own libc.

    Nothing is installed. Raises ToolchainError, with apt's message, where it cannot be fetched.
    """
    root = folder / "root"
    options = _unstable(folder)
    _apt(options, "update")
    _apt(options, "install", "--yes", "--download-only", "--no-install-recommends", *PACKAGES)
    for package in sorted((folder / "archives").glob("*.deb")):
        subprocess.run(["dpkg", "-x", str(package), str(root)], check=True)
    libraries = root / "usr/lib/x86_64-linux-gnu"
    (binary,) = (root / "usr/bin").glob("ocloc*")
    (disassembler,) = libraries.glob("libiga64.so.?")
    (libraries / "libiga64.so").unlink(missing_ok=True)
    (libraries / "libiga64.so").symlink_to(disassembler.name)
    (package,) = (folder / "archives").glob("intel-ocloc_*.deb")
    command = (
        str(root / "usr/lib64/ld-linux-x86-64.so.2"),
        "--library-path",
        str(libraries),
        str(binary),
    )
    return Compiler(command, "", f"Debian's intel-ocloc {package.name.split('_')[1]}", NEWER)


def parse_newer(module: str, doc: str, arguments: Sequence[str] | None) -> bool:
    """Whether a program that rewrites a table of machine code is to write that of `newer`: its one option, --newer."""
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=doc.split("\n")[0])
    parser.add_argument(
        "--newer",
        action="store_true",
        help="fetch Debian unstable's ocloc, and rewrite its table only",
    )
    return parser.parse_args(arguments).newer


def _unstable(folder: Path) -> list[str]:
    """apt's options for an empty system of Debian unstable in `folder`."""
    for part in ("lists/partial", "archives/partial"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    (folder / "status").touch()
    listed = subprocess.run(["apt-get", "indextargets", "--format", "$(ORIGIN) $(SUITE) $(SITE)"],
                            capture_output=True, text=True, check=True).stdout  # fmt: skip
    site = re.search(r"^Debian (?!.*security)\S+ (\S+)$", listed, re.MULTILINE)
    if site is None:
        raise ToolchainError("apt knows no Debian mirror: run apt-get update first")
    keys = "/usr/share/keyrings/debian-archive-keyring.gpg"
    (folder / "sources.list").write_text(f"deb [signed-by={keys}] {site[1]} sid main\n")
    settings = {
        "Dir::Etc::SourceList": folder / "sources.list",
        "Dir::Etc::SourceParts": "-",
        "Dir::State::Lists": folder / "lists",
        "Dir::State::status": folder / "status",
        "Dir::Cache": folder,
        "Dir::Cache::Archives": folder / "archives",
        "APT::Sandbox::User": "root",
    }
    return [argument for name, value in settings.items() for argument in ("-o", f"{name}={value}")]


def _apt(options: list[str], *arguments: str) -> None:
    done = subprocess.run(
        ["apt-get", *options, *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise ToolchainError(f"apt-get {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")


def scratch() -> tempfile.TemporaryDirectory:
    """A folder for one compilation."""
    return tempfile.TemporaryDirectory(prefix="tinyllm-isa-")
