"""How SYCL kernels are found, compiled, kept and launched; none of it needs a GPU."""

import os
import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
import torch

import tinyllm.kernels.sycl as sycl
from tinyllm.kernels.file_cache import cached
from tinyllm.kernels.sycl import build, packages
from tinyllm.kernels.sycl.packages import ToolchainError
from tinyllm.kernels.sycl.runtime import CompileError, Runtime, Signature, Source

CPU = torch.device("cpu")
START = """
import torch
from tinyllm.kernels.sycl import rms_norm
torch.testing.assert_close(rms_norm(torch.full((2, 64), 3.0), torch.ones(64), 0.0), torch.ones(2, 64))
"""
BROKEN = """#include "common.hpp"
KERNEL(1) broken(float *y) {
  y[0] = nope;
}
"""
TRIPLE = """#include "common.hpp"
KERNEL(3) where(int *y, int width, long height, float scale) {
  const auto item = ext::this_work_item::get_nd_item<3>();
  const int at = (item.get_global_id(0) * height + item.get_global_id(1)) * width + item.get_global_id(2);
  y[at] = int(at * scale);
}
"""

if "CI" not in os.environ and (reason := sycl.unavailable("cpu")):
    pytest.skip(reason, allow_module_level=True)


@pytest.fixture
def unknown(monkeypatch):
    """What `packages` has found is forgotten before and after."""
    for found in (packages.version, packages.root):
        found.cache_clear()
    yield
    for found in (packages.version, packages.root):
        found.cache_clear()


@pytest.fixture
def no_kernels(tmp_path):
    """A cache with the host library alone, which g++ takes seconds for."""
    build.host_library(build.cache_folder(), cpu=True)
    for path in build.cache_folder().glob("host-*"):
        shutil.copy(path, tmp_path)
    return tmp_path


def start(cache, **environment):
    return subprocess.Popen([sys.executable, "-c", START], stderr=subprocess.PIPE, text=True,
                            env={**os.environ, "XDG_CACHE_HOME": str(cache), **environment})  # fmt: skip


def test_a_source_that_does_not_compile_shows_its_line():
    with pytest.raises(CompileError) as error:
        sycl.runtime_of(CPU).load(
            Source("broken.sycl.cpp", BROKEN), "broken", ("-DSCALAR=float", "-DLANES=16")
        )
    assert "broken.sycl.cpp:3" in str(error.value)
    assert "undeclared identifier 'nope'" in str(error.value)
    assert "y[0] = nope;" in str(error.value)


def test_two_processes_start_on_an_empty_cache_and_a_third_builds_nothing(tmp_path):
    both = [start(tmp_path), start(tmp_path)]
    messages = [process.communicate(timeout=120)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], messages
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "tinyllm" / "sycl").iterdir()}
    assert sorted(path.suffix for path in files) == ["", "", ".sha256", ".sha256", ".so", ".spv"]
    assert any("building the SYCL host library" in message for message in messages)
    third = start(tmp_path, PATH="/nonexistent")  # no g++ is looked for
    assert third.communicate(timeout=60)[1] == ""
    assert third.returncode == 0
    assert files == {path: path.stat().st_mtime_ns for path in files}


@pytest.fixture
def made(no_kernels, monkeypatch):
    """How often a kernel was built for the CPU, and how often compiled, after each start of a runtime."""
    calls = {"_bundle": 0, "compile": 0}

    def count(name):
        method = getattr(Runtime, name)

        def counted(*arguments):
            calls[name] += 1
            return method(*arguments)

        monkeypatch.setattr(Runtime, name, counted)

    for name in calls:
        count(name)

    def start_runtime():
        kernel = Runtime(CPU, cache=no_kernels).kernel("norm", "norm", torch.float32)
        x = torch.full((1, 64), 3.0)
        y = torch.empty_like(x)
        kernel((1,), (16,), x, 64, torch.ones(64), None, y, 64, 0.0)
        assert y.equal(torch.ones_like(y))
        return tuple(calls.values())

    return start_runtime


def test_what_the_cache_holds_is_not_made_and_what_is_damaged_is(no_kernels, made):
    assert made() == (1, 1)
    assert made() == (1, 1)
    (code,) = no_kernels.glob("*/cpu.bin")
    code.write_bytes(b"damaged")
    assert made() == (2, 1)
    (spirv,) = no_kernels.glob("*.spv")
    for path in (code, spirv):
        path.write_bytes(b"damaged")
    assert made() == (3, 2)


def test_code_of_another_driver_is_not_used(no_kernels, made):
    assert made() == (1, 1)
    (code,) = no_kernels.glob("*/cpu.bin")
    code.unlink()
    cached(code, lambda path: path.write_bytes(b"of another driver"))
    assert made() == (2, 1)
    assert made() == (3, 1)


def test_a_missing_compiler_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolchainError, match=r"g\+\+ is not installed.*apt install g\+\+"):
        Runtime(CPU, cache=tmp_path / "empty")


@pytest.mark.parametrize("missing", packages.PACKAGES)
def test_a_missing_package_is_named(missing, tmp_path, monkeypatch, unknown):
    found = metadata.version

    def version(name):
        if name == missing:
            raise metadata.PackageNotFoundError(name)
        return found(name)

    monkeypatch.setattr(packages.metadata, "version", version)
    with pytest.raises(ToolchainError, match=rf"{missing} \(.*pip install {missing}==2026\.0\.0"):
        Runtime(CPU, cache=tmp_path)


def test_a_release_without_opencl_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(packages, "root", lambda: tmp_path)
    with pytest.raises(
        ToolchainError, match=r"no OpenCL adapter.*pip install intel-sycl-rt==2026\.0\.0"
    ):
        packages.opencl_library()


def test_a_variable_that_hides_the_cpu_is_named():
    cache = build.cache_folder().parents[1]
    process = start(cache, OCL_ICD_FILENAMES="/nonexistent.so")
    message = process.communicate(timeout=120)[1]
    assert process.returncode == 1
    assert "OCL_ICD_FILENAMES is '/nonexistent.so', expected" in message


def test_arguments_and_three_axes_reach_the_kernel():
    source = Source("where.sycl.cpp", TRIPLE)
    assert source.signatures == {"where": Signature("Piqf", 3)}
    kernel = sycl.runtime_of(CPU).load(source, "where", ("-DSCALAR=float", "-DLANES=16"))
    y = torch.full((4, 6, 32), -1, dtype=torch.int32)
    kernel((2, 3, 1), (2, 2, 32), y, 32, 6, 2.0)
    assert torch.equal(y.flatten(), 2 * torch.arange(y.numel(), dtype=torch.int32))


def test_a_launch_that_fails_says_why():
    kernel = sycl.runtime_of(CPU).kernel("norm", "norm", torch.float32)
    x = torch.ones(1, 64)
    with pytest.raises(RuntimeError, match=r"(?i)work.?group|size|invalid"):
        kernel((1,), (1 << 20,), x, 64, x, None, x, 64, 1e-5)


def test_an_argument_of_another_type_is_refused():
    with pytest.raises(ValueError, match="expected a pointer, int, long or float"):
        _ = Source("s", "KERNEL(1) odd(double x) {}").signatures


def test_the_kernels_import_torch_and_the_standard_library_alone():
    allowed = {*sys.stdlib_module_names, "torch"}
    for path in Path(packages.__file__).parent.glob("*.py"):
        imports = re.findall(r"^ *(?:from|import) (\w+)", path.read_text(), re.MULTILINE)
        assert set(imports) <= allowed, path


def test_an_argument_of_another_kind_is_refused():
    kernel = sycl.runtime_of(CPU).kernel("norm", "norm", torch.float32)
    x = torch.ones(1, 64)
    launch = ((1,), (16,))
    with pytest.raises(TypeError, match="norm: a tensor on meta, expected a tensor on cpu"):
        kernel(*launch, x.to("meta"), 64, x, None, x, 64, 1e-5)
    with pytest.raises(TypeError, match="norm: 64, expected a tensor on cpu"):
        kernel(*launch, 64, 64, x, None, x, 64, 1e-5)
    with pytest.raises(TypeError, match="norm: a tensor on cpu, expected a number"):
        kernel(*launch, x, x, x, None, x, 64, 1e-5)
    with pytest.raises(ValueError, match="shorter"):
        kernel(*launch, x, 64, x)
