"""The device of the notebooks: the best of the reader's machine, and no other, except where the subject is the CPU."""

import ast
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").rglob("[0-9][0-9]_*.ipynb"))
KINDS = {"cpu", "cuda", "xpu"}
# Notebooks that name a device, and why.
NAMED = {
    "03_one_row_times_a_matrix": "the C++ and SYCL versions of the kernel run on the CPU",
    "07_the_same_kernel_for_intel": "SYCL runs on Intel's CPU runtime where there is no Intel GPU",
    "07_solutions": "SYCL runs on Intel's CPU runtime where there is no Intel GPU",
    "19_two_halves": "two ranks as threads and processes: one GPU cannot be two",
}


def code(path):
    """The code cells of a notebook; lines for the shell and magics are left out."""
    for cell in json.loads(path.read_text())["cells"]:
        if cell["cell_type"] == "code":
            lines = "".join(cell["source"]).split("\n")
            yield "\n".join(line for line in lines if not line.startswith(("!", "%")))


def named(source):
    """The devices that a cell names where it makes, loads or moves something."""
    for call in (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)):
        name = getattr(call.func, "attr", getattr(call.func, "id", ""))
        values = [one.value for one in call.keywords if one.arg == "device"]
        values += call.args if name in ("to", "device") else []
        yield from (
            ast.unparse(call)
            for value in values
            if isinstance(value, ast.Constant) and str(value.value).split(":")[0] in KINDS
        )


def found(path):
    return [call for source in code(path) for call in named(source)]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_on_the_device_of_its_reader(path):
    assert bool(found(path)) == (path.stem in NAMED), found(path)


def test_every_reason_is_of_a_notebook():
    assert set(NAMED) <= {path.stem for path in NOTEBOOKS}


@pytest.mark.parametrize(
    "source, many",
    [
        ('model = tinyllm.from_pretrained(device="cpu", dtype="float32")', 1),
        ('x = torch.ones(3, device="cuda:1")', 1),
        ('x = x.to("xpu")', 1),
        ('cpu = torch.device("cpu")', 1),
        ("x = x.cpu()", 0),
        ('if device.type == "cpu":\n    x = x.to(device)', 0),
        ("model = tinyllm.from_pretrained(device=device)", 0),
        ('x.to("float32")', 0),
    ],
)
def test_a_device_in_the_code_is_found(source, many):
    assert len(list(named(source))) == many
