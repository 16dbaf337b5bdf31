"""The exported kernel of GGUF weights: a folder that imports nothing of ours, and that the package `kernels` loads."""

import ast
import json
import os
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution

import pytest

from tinyllm.kernels.gguf.export import BACKENDS, INTERFACE, imports, source_files

# In a process where tinyllm and jaxtyping cannot be imported; LOAD makes `kernel` of the folder in the arguments.
USE = """
import sys
from pathlib import Path
import torch
sys.modules["tinyllm"] = sys.modules["jaxtyping"] = None
folder = Path(sys.argv[1])
{load}
weight = torch.zeros(3, 18, dtype=torch.uint8)
weight[:, 0:2] = torch.tensor([1, 2, 3]).half()[:, None].view(torch.uint8)
weight[:, 2:] = 0x19  # codes 9 and 1, so weights of 1 and -7 times the scale
x = torch.ones(1, 32)
print(kernel.__name__, sorted(kernel.GEMV_TYPES), kernel.MAX_GEMV_ROWS)
print(kernel.mul_mat_vec(weight, x, 2, 3).tolist())
print(kernel.mul_mat_id(weight[None], x, torch.tensor([[0]]), 2, 3).tolist())
print(kernel.get_rows(weight, torch.tensor([2]), 2, 32, torch.float32).sum().item())
print(kernel.dequantize(weight, 2, 3, 32, torch.float32).sum().item())
"""
BY_HAND = """
import importlib.util, json
variant = folder / "build" / "torch-cpu"
name = json.loads((variant / "metadata.json").read_text())["id"]
spec = importlib.util.spec_from_file_location(name, variant / "__init__.py")
kernel = importlib.util.module_from_spec(spec)
sys.modules[name] = kernel
spec.loader.exec_module(kernel)
if importlib.util.find_spec("triton"):
    import importlib
    importlib.import_module(name + ".triton.stored_blocks")
"""
BY_FOLDER = "from kernels import get_local_kernel; kernel = get_local_kernel(folder)"
BY_NAME = (
    "from kernels import get_kernel; kernel = get_kernel('ggml-org/ggml-quantization', version=1)"
)


def package_folder():
    """Where the package `kernels` is installed; None where it is not."""
    try:
        return distribution("kernels").locate_file("")
    except PackageNotFoundError:
        return None


with_package = pytest.mark.skipif(package_folder() is None, reason="needs the package kernels")


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kernel") / "gguf"
    command = [sys.executable, "-m", "tinyllm.kernels.gguf", str(folder)]
    subprocess.run(command, check=True)
    again = subprocess.run(command, capture_output=True, text=True)
    assert again.returncode == 2
    assert "not empty: expected a new or empty folder" in again.stderr
    return folder


def run(folder, load, tmp_path, **environment):
    """What a process prints that has none of our folders on its path: one is called `kernels` too."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    env["PYTHONDONTWRITEBYTECODE"] = "1"
    command = [sys.executable, "-c", USE.format(load=load), str(folder)]
    return subprocess.run(
        command, check=True, capture_output=True, text=True, cwd=tmp_path, env=env | environment
    ).stdout.splitlines()


def check_output(lines, folder):
    metadata = json.loads((folder / "build" / "torch-cpu" / "metadata.json").read_text())
    sums = [[16 * scale * (1 - 7) for scale in (1.0, 2.0, 3.0)]]
    assert lines == [
        f"{metadata['id']} [2, 3, 8, 12, 13, 14] 8",
        str(sums),
        str([sums]),
        str(sums[0][2]),
        str(sum(sums[0])),
    ]


def test_the_folder_needs_nothing_of_ours(exported, tmp_path):
    check_output(run(exported, BY_HAND, tmp_path), exported)


@with_package
@pytest.mark.parametrize("load", [BY_FOLDER, BY_NAME], ids=["folder", "name"])
def test_the_package_loads_it(load, exported, tmp_path):
    """By its folder, and as the kernel that transformers looks for."""
    environment = {
        "PYTHONPATH": str(package_folder()),
        "LOCAL_KERNELS": f"ggml-org/ggml-quantization={exported}",
    }
    check_output(run(exported, load, tmp_path, **environment), exported)


@with_package
def test_the_package_reads_its_description(exported, tmp_path):
    load = "from kernels import Metadata, get_local_kernel; kernel = get_local_kernel(folder)\n"
    load += "from kernels import get_loaded_kernels\n(one,) = get_loaded_kernels()\n"
    load += "print(one.metadata.name, one.metadata.version, one.metadata.license)"
    lines = run(exported, load, tmp_path, PYTHONPATH=str(package_folder()))
    assert lines[0] == "tinyllm-gguf 1 Apache-2.0"


def test_every_backend_has_the_same_files(exported):
    files = {}
    for backend in BACKENDS:
        variant = exported / "build" / f"torch-{backend}"
        texts = {str(p.relative_to(variant)): p.read_text() for p in variant.rglob("*.*")}
        description = json.loads(texts.pop("metadata.json"))
        assert description["backend"] == {"type": backend}
        assert f"_{backend}_" in description["id"]
        files[backend] = texts
    assert files["cpu"] == files["cuda"] == files["xpu"] == source_files()


def test_it_imports_the_standard_library_torch_and_triton():
    names = set()
    for text in source_files().values():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            if isinstance(node, ast.ImportFrom) and not node.level:
                names.add(node.module.split(".")[0])
    assert names - sys.stdlib_module_names == {"torch", "triton"}


def test_imports_within_functions_are_exported():
    names = {path.name for path in imports(INTERFACE, INTERFACE.read_text())}
    assert names == {"block_formats.py", "packed.py", "weights.py", "stored_blocks.py"}
